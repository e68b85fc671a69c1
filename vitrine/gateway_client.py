"""How the command line and other clients reach the gateway: with a key or token, and over TLS."""

import ipaddress
from pathlib import Path

import grpc.aio
import structlog
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from vitrine.channel import open_channel
from vitrine.errors import FailedPrecondition
from vitrine.tls import ClientTls, identity_of

_log = structlog.get_logger("vitrine.gateway_client")

SHIPPED_AUTHORITIES = "public"


class ClientSettings(BaseSettings):
    """What a client of the gateway shows and trusts."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_CLIENT_", frozen=True)

    api_key: SecretStr | None = Field(None, description="API key or token to send; unset: none")
    api_key_file: Path | None = Field(None, description="file that holds it, instead")
    ca: str = Field("", description="authorities to trust, a PEM file, or public for those of the web; empty: no TLS")
    certificate: Path | None = Field(None, description="certificate to show, PEM, where the gateway asks for one")
    key: Path | None = Field(None, description="its private key, PEM")
    server_name: str = Field("", description="name that the gateway's certificate must have, where not the target's")

    def credentials(self) -> str:
        """The key or token; empty: none. Raises FailedPrecondition when its file cannot be read."""
        if self.api_key_file is None:
            return self.api_key.get_secret_value() if self.api_key else ""
        try:
            return self.api_key_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise FailedPrecondition(f"{self.api_key_file} holds no API key that can be read: {error}") from None

    def tls(self) -> ClientTls | None:
        """Whom to trust; None: in the clear. Raises FailedPrecondition when half a pair is set."""
        identity = identity_of(self.certificate, self.key, "VITRINE_CLIENT_")
        if not self.ca:
            return None
        return ClientTls(None if self.ca == SHIPPED_AUTHORITIES else Path(self.ca), identity, self.server_name)


def open_gateway(target: str, settings: ClientSettings | None = None) -> grpc.aio.Channel:
    """A channel to the gateway at `target`; without `settings` the environment's. Raises FailedPrecondition."""
    settings = settings or ClientSettings()
    credentials, tls = settings.credentials(), settings.tls()
    if credentials and tls is None and not is_of_this_machine(target):
        _log.warning("the API key travels in the clear; set VITRINE_CLIENT_CA", target=target)
    headers = (("authorization", f"Bearer {credentials}"),) if credentials else ()
    return open_channel(target, tls=tls, headers=lambda: headers)


def is_of_this_machine(target: str) -> bool:
    """Whether what is sent to a target or URL stays on this machine."""
    if target.startswith("unix:"):
        return True
    host = target.rpartition("/")[2].removeprefix("ipv4:").removeprefix("ipv6:").rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
