"""An event store as `vitrine up` starts it, that tests can kill, and the service over real gRPC in front of it."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import redis.asyncio

from cli.up.local_redis import LocalRedis, events_redis
from cli.up.settings import UpSettings
from cli.up.supervisor import Supervisor
from gateway.events.settings import EventsSettings
from gateway.events.store import EventStore
from gateway.serving import Gateway, Ports
from gateway.settings import GatewaySettings
from vitrine.v1 import user_event_service_pb2_grpc


class StoreServer:
    """The store's process."""

    def __init__(self, server: LocalRedis, supervisor: Supervisor, folder: Path) -> None:
        self.url = server.url
        self.folder = folder
        self._server = server
        self._supervisor = supervisor

    @property
    def process_id(self) -> int:
        process_id = self._supervisor.process_id("events")
        assert process_id is not None
        return process_id

    def kill(self) -> None:
        """Ends it as a power cut would end its process."""
        os.kill(self.process_id, signal.SIGKILL)

    async def restarts(self) -> None:
        """Waits until it answers again."""
        await self._server.answers()


@pytest.fixture(scope="session")
async def store_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StoreServer]:
    """A store's process, started again when it is killed."""
    folder = tmp_path_factory.mktemp("events")
    server = events_redis(EventsSettings(data_dir=folder))
    supervisor = Supervisor(UpSettings(first_restart_s=0.05, max_restart_s=0.05), lambda line: None)
    supervisor.strict = False
    await server.start(supervisor)
    yield StoreServer(server, supervisor, folder)
    await supervisor.stop()


@pytest.fixture
async def raw(store_server: StoreServer) -> AsyncIterator["redis.asyncio.Redis"]:
    """The store's own client, over an empty store."""
    async with redis.asyncio.from_url(store_server.url) as client:
        await client.flushall()
        yield client


@pytest.fixture
def events_settings(store_server: StoreServer, raw: object) -> EventsSettings:
    """Settings of an empty store."""
    return EventsSettings(redis_url=store_server.url, prefix="shop")


@pytest.fixture
async def store(events_settings: EventsSettings) -> AsyncIterator[EventStore]:
    """An empty store."""
    opened = EventStore(events_settings)
    yield opened
    await opened.close()


@pytest.fixture
async def gateway(events_settings: EventsSettings) -> AsyncIterator[Gateway]:
    """A gateway of which only the events are asked: it has no parts."""
    nothing = cast(Any, None)
    opened = Gateway(GatewaySettings(redis_url="", http_port=0), Ports(nothing, nothing, nothing), events_settings)
    yield opened
    await opened.close()


@pytest.fixture
async def service(gateway: Gateway, start_server: Any, channel_to: Any) -> Any:
    """UserEventService over gRPC."""
    server = await start_server(gateway.add_to)
    return user_event_service_pb2_grpc.UserEventServiceStub(channel_to(server.port))
