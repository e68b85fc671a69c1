"""TLS: which certificates a process shows and trusts, read anew when their files change.

Certificates and keys are PEM files. Whoever renews them writes new files in place; nothing is restarted, and no
connection that is open is closed.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import grpc
from prometheus_client import Gauge
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from vitrine.errors import FailedPrecondition
from vitrine.followed_file import FollowedFile

CERTIFICATE_EXPIRES = Gauge(
    "vitrine_certificate_expires_timestamp_seconds", "When the certificate in use ends, since 1970.", ("use",)
)


class TlsSettings(BaseSettings):
    """TLS between the processes of the suite: each shows `certificate` as server and as client."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_TLS_", frozen=True)

    certificate: Path | None = Field(
        None, description="certificate of this process and those that vouch for it, PEM; unset: no TLS"
    )
    key: Path | None = Field(None, description="its private key, PEM")
    ca: Path | None = Field(
        None, description="authorities of the other processes, PEM; services refuse who shows no certificate of theirs"
    )
    server_name: str = Field(
        "", description="name that servers' certificates must have, where it is not the one they are reached by"
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key."""

    certificate: Path
    key: Path

    def read(self, use: Literal["server", "client"]) -> tuple[bytes, bytes]:
        """Key and certificate. Raises FailedPrecondition, naming the file, when they are not a pair."""
        # Only where there is TLS: it takes its time to load.
        from cryptography import x509

        try:
            # The standard library checks what gRPC would only say at each handshake, and to nobody.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, password=_no_password)
            key, certificate = self.key.read_bytes(), self.certificate.read_bytes()
            ends = x509.load_pem_x509_certificate(certificate).not_valid_after_utc
            CERTIFICATE_EXPIRES.labels(use).set(ends.timestamp())
            return key, certificate
        except ssl.SSLError as error:
            raise FailedPrecondition(
                f"{self.certificate} and {self.key} are not a certificate and its key in PEM: {error.reason or error}"
            ) from error
        except (OSError, ValueError) as error:
            raise FailedPrecondition(f"{self.certificate} or {self.key} cannot be read: {error}") from error


def _no_password() -> str:
    raise ValueError("the key has a password; give one without, which only this process may read")


def read_authorities(ca: Path) -> bytes:
    """The authorities of a PEM file. Raises FailedPrecondition, naming the file, when it holds none."""
    try:
        ssl.create_default_context(cafile=str(ca))
        return ca.read_bytes()
    except (OSError, ssl.SSLError) as error:
        raise FailedPrecondition(f"{ca} holds no certificates in PEM: {error}") from error


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What a server shows; with `client_ca` only clients with a certificate of these authorities are let in."""

    identity: Identity
    client_ca: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """Credentials for gRPC, which follow the files at each handshake. Raises FailedPrecondition."""

        def read() -> grpc.ServerCertificateConfiguration:
            authorities = None if self.client_ca is None else read_authorities(self.client_ca)
            return grpc.ssl_server_certificate_configuration([self.identity.read("server")], authorities)

        followed = FollowedFile("server certificate", self.files, read)

        def changed() -> Any:
            # None: the one before holds.
            return followed.current if followed.look() else None

        return grpc.dynamic_ssl_server_credentials(followed.current, changed, self.client_ca is not None)

    @property
    def files(self) -> list[Path]:
        """The files that are followed."""
        return [self.identity.certificate, self.identity.key, *([self.client_ca] if self.client_ca else [])]

    def context(self) -> ssl.SSLContext:
        """A context for HTTP, which follows the files at each handshake. Raises FailedPrecondition."""
        followed = FollowedFile("HTTP certificate", self.files, self._context)
        first = followed.current

        def follow(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            followed.look()
            connection.context = followed.current

        first.sni_callback = follow
        return first

    def _context(self) -> ssl.SSLContext:
        self.identity.read("server")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.identity.certificate, self.identity.key)
        if self.client_ca is not None:
            read_authorities(self.client_ca)
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What a client trusts (None: the authorities that gRPC ships with) and shows."""

    ca: Path | None = None
    identity: Identity | None = None
    server_name: str = ""

    @property
    def files(self) -> list[Path]:
        """The files that are followed."""
        identity = [self.identity.certificate, self.identity.key] if self.identity else []
        return [*([self.ca] if self.ca else []), *identity]

    def credentials(self) -> grpc.ChannelCredentials:
        """Credentials of what the files hold now. Raises FailedPrecondition."""
        authorities = None if self.ca is None else read_authorities(self.ca)
        key, certificate = self.identity.read("client") if self.identity else (None, None)
        return grpc.ssl_channel_credentials(authorities, key, certificate)


def identity_of(certificate: Path | None, key: Path | None, prefix: str) -> Identity | None:
    """The pair; None where neither is set. Raises FailedPrecondition, naming the variable that is missing."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing = f"{prefix}CERTIFICATE" if certificate is None else f"{prefix}KEY"
        raise FailedPrecondition(f"a certificate and its key belong together; set {missing} too")
    return Identity(certificate, key)


def service_tls(settings: TlsSettings) -> ServerTls | None:
    """How a service of the suite is reached: with authorities only by who has a certificate of theirs."""
    identity = identity_of(settings.certificate, settings.key, "VITRINE_TLS_")
    if identity is None:
        if settings.ca is not None:
            raise FailedPrecondition("VITRINE_TLS_CA is set; a server needs VITRINE_TLS_CERTIFICATE and _KEY too")
        return None
    return ServerTls(identity, settings.ca)


def client_tls(settings: TlsSettings) -> ClientTls | None:
    """How this process reaches the suite's services; None: in the clear, where no authorities are set."""
    identity = identity_of(settings.certificate, settings.key, "VITRINE_TLS_")
    if settings.ca is None:
        return None
    return ClientTls(settings.ca, identity, settings.server_name)
