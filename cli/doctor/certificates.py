"""TLS: certificates in files, whether each pair and chain holds, and what servers show."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

from cryptography import x509

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, unknown, warning
from cli.doctor.machine import Machine
from cli.doctor.suite import Suite
from cli.doctor.targets import host_and_port, shown
from gateway.settings import GatewaySettings
from vitrine.client.settings import ClientSettings, is_of_this_machine
from vitrine.errors import FailedPrecondition
from vitrine.tls import Identity, TlsSettings, identity_of

_TIMEOUT_S = 5.0
_DAY_S = 86_400.0


def _identities() -> dict[str, Identity]:
    """The pairs that are set, by the start of their variables. Raises FailedPrecondition for half a pair."""
    suite, gateway, client = TlsSettings(), GatewaySettings(), ClientSettings()
    found = {
        "VITRINE_TLS_": identity_of(suite.certificate, suite.key, "VITRINE_TLS_"),
        "VITRINE_GATEWAY_TLS_": identity_of(gateway.tls_certificate, gateway.tls_key, "VITRINE_GATEWAY_TLS_"),
        "VITRINE_CLIENT_": identity_of(client.certificate, client.key, "VITRINE_CLIENT_"),
    }
    return {start: identity for start, identity in found.items() if identity}


@check(
    "certificates.files",
    "machine",
    tells="each certificate has its key, is not about to expire, and its key is private",
)
async def files(_machine: Machine) -> AsyncIterator[Finding]:
    """The pairs of the suite, the gateway and the client."""
    pairs = _identities()
    for start, identity in pairs.items():
        try:
            identity.read("server")
        except FailedPrecondition as error:
            yield problem(error.message, f"set {start}CERTIFICATE and {start}KEY to the two files of one pair")
            continue
        yield _days(str(identity.certificate), x509.load_pem_x509_certificate(identity.certificate.read_bytes()))
        if identity.key.stat().st_mode & 0o004:
            yield warning(f"everybody on this machine may read {identity.key}", f"chmod o-r {identity.key}")
    if not pairs:
        yield ok("no certificate is set: parts speak in the clear")


@check(
    "certificates.chain",
    "machine",
    tells="the suite's certificate is of its authority, for servers and clients, and has the name",
)
async def chain(_machine: Machine) -> AsyncIterator[Finding]:
    """A handshake with itself, in memory, as two parts make it with each other."""
    settings, identity = TlsSettings(), _identities().get("VITRINE_TLS_")
    if identity is None or settings.ca is None:
        yield ok("no authority of the suite is set")
        return
    local = all(is_of_this_machine(host) for host in _targets())
    name = settings.server_name or ("127.0.0.1" if local else "")
    try:
        fault = _handshake_fault(identity, settings.ca, "")
        name_fault = "" if fault or not name else _handshake_fault(identity, settings.ca, name)
    except (OSError, ssl.SSLError) as error:
        yield problem(
            f"{identity.certificate}, its key or {settings.ca} cannot be used: {error}", "see certificates.files"
        )
        return
    if fault:
        yield problem(
            f"{identity.certificate} is not accepted under {settings.ca}: {fault}",
            "have that authority issue one for servers and clients, its intermediates in the same file",
        )
    elif name_fault:
        yield warning(
            f"{identity.certificate} is not of {name}, which parts are reached by",
            "have it issued for that name, or set VITRINE_TLS_SERVER_NAME to one that it has",
        )
    else:
        yield ok(f"{identity.certificate} is accepted under {settings.ca}, as server and as client")


@check("certificates.shown", "suite", tells="days left of what the gateway and every part show")
async def of_servers(suite: Suite) -> AsyncIterator[Finding]:
    """A handshake with each, whose certificate is read whether or not it is trusted here."""
    addresses = {f"the gateway {suite.address}": suite.address}
    addresses |= {one.name: one.address for one in suite.replicas if not suite.one_process}
    expected = {True: ClientSettings().tls() is not None, False: TlsSettings().ca is not None}
    for name, address in addresses.items():
        is_gateway = address == suite.address
        try:
            certificate = await _shown_by(*host_and_port(address))
        except (OSError, TimeoutError) as error:
            yield unknown(f"{name} cannot be reached: {error or 'no answer'}", "see parts.health")
            continue
        if certificate is not None:
            yield _days(f"the certificate of {name}", certificate)
            if not expected[is_gateway]:
                yield problem(
                    f"{name} speaks TLS, and it is called in the clear from here",
                    "set VITRINE_CLIENT_CA" if is_gateway else "set VITRINE_TLS_CA, _CERTIFICATE and _KEY",
                )
        elif expected[is_gateway]:
            yield problem(
                f"{name} speaks no TLS, and it is called by TLS from here",
                "give it a certificate, or unset VITRINE_CLIENT_CA or VITRINE_TLS_CA here",
            )
        else:
            yield ok(f"{name} speaks in the clear")


def _targets() -> list[str]:
    settings = GatewaySettings()
    targets = (settings.embedder_target, settings.retriever_target, settings.ranker_target)
    return [shown(*host_and_port(target)) for target in targets]


def _days(whose: str, certificate: x509.Certificate) -> Finding:
    """Early enough for certificates of years and of hours alike."""
    ends_s, begins_s = certificate.not_valid_after_utc.timestamp(), certificate.not_valid_before_utc.timestamp()
    left_s, life_s = ends_s - time.time(), ends_s - begins_s
    said = f"{whose} ends in {left_s / _DAY_S:.1f} days ({certificate.not_valid_after_utc:%Y-%m-%d})"
    if left_s <= 0:
        return problem(f"{whose} has ended on {certificate.not_valid_after_utc:%Y-%m-%d}", "renew it")
    if time.time() < begins_s:
        return problem(
            f"{whose} is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} on", "correct the clock"
        )
    if left_s < min(7 * _DAY_S, life_s / 10):
        return problem(said, "renew it now: new files in place are taken without a restart")
    if left_s < min(30 * _DAY_S, life_s / 4):
        return warning(said, "renew it: new files in place are taken without a restart")
    return ok(said)


def _handshake_fault(identity: Identity, ca: Path, name: str) -> str:
    """What is wrong when two parts with this identity meet; empty: nothing. `name` "": any name will do."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(ca))
    client.check_hostname = bool(name)
    server.load_verify_locations(ca)
    server.verify_mode = ssl.CERT_REQUIRED
    for context in (server, client):
        context.load_cert_chain(identity.certificate, identity.key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name or None),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    # Client and server in turn; the server's word on the client's certificate comes last.
    for side in sides * 3:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        except ssl.SSLError as error:
            return error.reason or str(error)
    return ""


async def _shown_by(host: str, port: int) -> x509.Certificate | None:
    """What a server shows; None where it speaks no TLS. Raises OSError and TimeoutError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    async with asyncio.timeout(_TIMEOUT_S):
        try:
            _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname="")
        except (ssl.SSLError, ConnectionResetError):
            return None
    try:
        return x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    finally:
        writer.transport.abort()
