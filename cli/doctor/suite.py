"""A suite that runs: its gateway, and every replica of the services behind it, each reached by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import grpc.aio

from cli.doctor.targets import host_and_port, resolved, shown
from gateway.settings import GatewaySettings
from vitrine.channel import open_channel
from vitrine.client import Client
from vitrine.client.settings import ClientSettings, is_of_this_machine
from vitrine.errors import VitrineError
from vitrine.scrape import Scrape, Silent, read_processes
from vitrine.tls import ClientTls, TlsSettings, client_tls

PARTS = ("embedder", "retriever", "ranker")
_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Replica:
    """One process of a service."""

    part: str
    address: str
    channel: grpc.aio.Channel
    tls: ClientTls | None = None

    @property
    def name(self) -> str:
        """As findings call it."""
        return f"{self.part} {self.address}"


@dataclass(frozen=True, slots=True)
class Suite:
    """`page`: the gateway's metrics, or why they cannot be read.

    `unset` are parts whose target is not set here while the gateway is elsewhere; `unresolved` those whose name is not
    known, with the fault; `maybe_inside` those that nobody named, that have no port here, and of which nobody's metrics
    tell whether they are in the gateway's process.
    """

    address: str
    http_url: str
    gateway: grpc.aio.Channel
    replicas: tuple[Replica, ...]
    page: Scrape | Silent
    unset: tuple[str, ...] = ()
    maybe_inside: tuple[str, ...] = ()
    unresolved: dict[str, str] = field(default_factory=dict)

    @property
    def one_process(self) -> bool:
        """Whether the gateway's process is the whole suite: it shows the retriever's metrics as its own."""
        return isinstance(self.page, Scrape) and self.page.value("vitrine_retriever_products") is not None

    def of(self, part: str) -> list[Replica]:
        """The replicas of a part."""
        return [one for one in self.replicas if one.part == part]

    @property
    def unknown_parts(self) -> list[str]:
        """Parts of which no replica is known here."""
        return [part for part in PARTS if not self.of(part)]


@asynccontextmanager
async def open_suite(address: str, http: str = "") -> AsyncIterator[Suite]:
    """The suite of the gateway at `address`, whose HTTP port is at `http` (default: same host, the settings' port).

    Raises InvalidArgument for what is no address, FailedPrecondition when a file of certificates is wrong.
    """
    host, port = host_and_port(address)
    settings, client = GatewaySettings(), ClientSettings()
    http_host, http_port = host_and_port(http) if http else (host, settings.http_port)
    http_url = f"{'https' if client.tls() else 'http'}://{shown(http_host, http_port)}"
    [page] = await read_processes([http_url], client)
    tls, unset, maybe_inside, unresolved = client_tls(TlsSettings()), [], [], {}
    async with AsyncExitStack() as stack:
        replicas = []
        for part in PARTS:
            target = getattr(settings, f"{part}_target")
            is_set = f"{part}_target" in settings.model_fields_set
            if not is_set and not is_of_this_machine(shown(host, port)):
                unset.append(part)
                continue
            try:
                addresses = await resolved(target)
                if not is_set and isinstance(page, Silent) and not await _listens(*addresses[0]):
                    maybe_inside.append(part)
                    continue
                for found in addresses:
                    own_tls = _named(tls, host_and_port(target)[0])
                    channel = await stack.enter_async_context(open_channel(shown(*found), tls=own_tls))
                    replicas.append(Replica(part, shown(*found), channel, own_tls))
            except VitrineError as error:
                unresolved[part] = error.message
        gateway = await stack.enter_async_context(Client(address))
        yield Suite(
            address, http_url, gateway.channel, tuple(replicas), page, tuple(unset), tuple(maybe_inside), unresolved
        )


async def _listens(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _named(tls: ClientTls | None, host: str) -> ClientTls | None:
    """The same, for an address that the name `host` stands for: the certificate is of the name."""
    return tls and ClientTls(tls.ca, tls.identity, tls.server_name or host)
