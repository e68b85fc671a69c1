"""Ports and names: what listens where a part would, who can reach it, and whether the others' names are known."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, warning
from cli.doctor.machine import Machine
from cli.doctor.targets import host_and_port, resolved, shown
from cli.up.ports import require_free
from gateway.auth.guard import is_loopback
from gateway.events.settings import EventsSettings
from gateway.settings import GatewaySettings
from services.embedder.settings import EmbedderSettings
from services.ranker.settings import RankerSettings
from services.retriever.settings import RetrieverSettings
from vitrine.client.settings import ClientSettings
from vitrine.errors import FailedPrecondition, Unavailable
from vitrine.health_probe import is_serving
from vitrine.server_settings import ServerSettings
from vitrine.tls import TlsSettings, client_tls

_PROBE_S = 3.0


def server_settings() -> dict[str, ServerSettings]:
    """The settings of the four parts, by name."""
    return {
        "gateway": GatewaySettings(),
        "embedder": EmbedderSettings(),
        "retriever": RetrieverSettings(),
        "ranker": RankerSettings(),
    }


@check("network.ports", "machine", tells="each port of the parts is free, or a part of Vitrine serves there already")
async def ports(_machine: Machine) -> AsyncIterator[Finding]:
    """As `vitrine up` asks, and what is taken is asked for its health."""
    for host, port, variable, is_grpc in _ports():
        try:
            require_free(host, port, variable)
        except FailedPrecondition as error:
            if await (_serves(shown(host, port), variable) if is_grpc else _shows(shown(host, port))):
                yield ok(f"{shown(host, port)} is served by Vitrine ({variable})")
            else:
                seen, _, todo = error.message.partition("; ")
                yield problem(seen, todo)
        else:
            yield ok(f"{shown(host, port)} is free ({variable})")


@check(
    "network.listening",
    "machine",
    tells="in a container, parts do not listen on 127.0.0.1, where no other reaches them",
)
async def listening(machine: Machine) -> AsyncIterator[Finding]:
    """Each part's address."""
    alone = {name: part.host for name, part in server_settings().items() if is_loopback(part.host)}
    if machine.in_container and alone:
        yield warning(
            f"this is a container, and {', '.join(alone)} would listen on 127.0.0.1",
            "set VITRINE_GATEWAY_HOST=0.0.0.0 (and of each part that others call)",
        )
    else:
        yield ok("all on this machine" if alone else "parts listen where others reach them")


@check(
    "network.names", "machine", tells="hosts of targets and addresses are known; localhost is 127.0.0.1 (the IPv6 trap)"
)
async def names(_machine: Machine) -> AsyncIterator[Finding]:
    """Each host that the settings name, and what localhost stands for."""
    for variable, target in _targets():
        host, _ = host_and_port(target)
        try:
            addresses = [address for address, _ in await resolved(target)]
        except Unavailable as error:
            yield problem(f"{variable}: {error.message}", f"correct the name in {variable}, or the DNS")
            continue
        if host == "localhost" and addresses[0] != "127.0.0.1":
            yield warning(
                f"{variable}: localhost is {addresses[0]} first, and parts listen on 127.0.0.1",
                f"write 127.0.0.1 in {variable}",
            )
        else:
            yield ok(f"{variable}: {host} is {', '.join(addresses)}")


def _targets() -> Iterator[tuple[str, str]]:
    gateway = GatewaySettings()
    for part in ("embedder", "retriever", "ranker"):
        yield f"VITRINE_GATEWAY_{part.upper()}_TARGET", getattr(gateway, f"{part}_target")
    addresses = {
        "VITRINE_GATEWAY_REDIS_URL": gateway.redis_url,
        "VITRINE_EVENTS_REDIS_URL": EventsSettings().redis_url,
    }
    # A socket's file has no name to look up.
    yield from ((variable, url) for variable, url in addresses.items() if url and not url.startswith("unix:"))


def _ports() -> Iterator[tuple[str, int, str, bool]]:
    """Host, port, the variable that sets it, and whether it is gRPC's; ports that are drawn (0) are left out."""
    for name, part in server_settings().items():
        start = f"VITRINE_{name.upper()}_"
        if part.port:
            yield part.host, part.port, f"{start}PORT", True
        if isinstance(part, GatewaySettings) and part.http_port:
            yield part.host, part.http_port, f"{start}HTTP_PORT", False
        if part.metrics_port:
            yield part.host, part.metrics_port, f"{start}METRICS_PORT", False


async def _serves(address: str, variable: str) -> bool:
    gateway = variable.startswith("VITRINE_GATEWAY")
    tls = ClientSettings().tls() if gateway else client_tls(TlsSettings())
    return await asyncio.to_thread(is_serving, address, timeout_s=_PROBE_S, tls=tls)


async def _shows(address: str) -> bool:
    """Whether it is the gateway's HTTP port, or one of metrics of a part."""
    async with httpx.AsyncClient(trust_env=False, timeout=_PROBE_S, verify=False) as client:
        for url in (f"http://{address}", f"https://{address}"):
            try:
                ready, metrics = await client.get(f"{url}/readyz"), await client.get(f"{url}/metrics")
            except httpx.HTTPError:
                continue
            if ready.text in ("ready\n", "not ready\n") or "vitrine_" in metrics.text:
                return True
    return False
