"""An embedder engine on a small bundle, served over gRPC."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest

from services.embedder.engine import EmbedderEngine
from services.embedder.servicer import EmbedderServicer
from services.embedder.settings import EmbedderSettings
from vitrine.channel import open_channel
from vitrine.compute import ComputeBudget
from vitrine.server import Server
from vitrine.v1 import embedder_service_pb2_grpc

SERVICE = "vitrine.v1.EmbedderService"


@pytest.fixture(scope="session")
async def budget() -> AsyncIterator[ComputeBudget]:
    """One compute budget for all engines of these tests, of one thread: one call keeps it busy."""
    budget = ComputeBudget(threads=1)
    yield budget
    await budget.close()


@pytest.fixture
async def busy(budget: ComputeBudget) -> AsyncIterator[threading.Event]:
    """Keeps the budget's model thread busy until the event is set, or the test ends."""
    release = threading.Event()
    blocked = asyncio.create_task(budget.run_model(release.wait))
    await asyncio.sleep(0)
    yield release
    release.set()
    await blocked


@pytest.fixture(scope="session")
async def engine(make_embedder_bundle: Any, budget: ComputeBudget) -> AsyncIterator[EmbedderEngine]:
    """An engine on a small bundle."""
    engine = await EmbedderEngine.open(EmbedderSettings(bundle=make_embedder_bundle()), budget)
    yield engine
    await engine.close()


async def _serve(engine: EmbedderEngine) -> Server:
    def add_services(server: grpc.aio.Server) -> list[str]:
        servicer = EmbedderServicer(engine, default_timeout_s=60)
        embedder_service_pb2_grpc.add_EmbedderServiceServicer_to_server(servicer, server)
        return [SERVICE]

    return await Server.start(
        "embedder", EmbedderSettings(port=0, self_test_interval_s=0.2), add_services, engine.self_test
    )


@pytest.fixture(scope="session")
async def channel(engine: EmbedderEngine) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server of `engine`."""
    server = await _serve(engine)
    await server.serving()
    async with open_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel
    await server.stop(5)


@pytest.fixture
async def serve() -> AsyncIterator[Any]:
    """Serves an engine of the test's own; gives its server, which is stopped after the test."""
    servers: list[Server] = []

    async def start(engine: EmbedderEngine) -> Server:
        servers.append(await _serve(engine))
        return servers[-1]

    yield start
    for server in servers:
        await server.stop(0)
