"""A suite in one process behind real gRPC for the client's tests, and a search that answers as a test says."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc.aio
import pytest

from gateway.events.settings import EventsSettings
from gateway.recommendation.settings import RecommendationSettings
from gateway.serving import Gateway, Ports
from gateway.settings import GatewaySettings
from services.embedder.engines import EmbedderEngines
from services.embedder.settings import EmbedderSettings
from services.ranker.engines import RankerEngines
from services.ranker.settings import RankerSettings
from services.retriever.backend import open_engine
from services.retriever.settings import RetrieverSettings
from tests.cli.conftest import shelf
from tests.gateway.events.conftest import StoreServer, raw, store_server
from vitrine.client import Client, Retries
from vitrine.compute import ComputeBudget
from vitrine.guard import OPEN, Door
from vitrine.v1 import search_service_pb2_grpc
from vitrine.v1.search_service_pb2 import SearchResponse

__all__ = ["raw", "shelf", "store_server"]


@pytest.fixture
async def suite(
    start_server: Any, raw: Any, store_server: StoreServer, redis_url: str, tmp_path: Any
) -> AsyncIterator[str]:
    """The target of a gateway over an empty catalogue, with events and releases."""
    budget = ComputeBudget()
    embedder = await EmbedderEngines.open(EmbedderSettings(), budget)
    ranker = await RankerEngines.open(RankerSettings(), budget)
    retriever = await open_engine(RetrieverSettings(data_dir=tmp_path))
    patient = {"redis_url": redis_url, "http_port": 0, "rank_timeout_s": 30.0, "embed_timeout_s": 30.0}
    gateway = Gateway(
        GatewaySettings.model_validate(patient),
        Ports(embedder, retriever, ranker, retriever.releases),
        EventsSettings(redis_url=store_server.url, prefix="client"),
        RecommendationSettings(),
    )
    server = await start_server(gateway.add_to, self_test=gateway.self_test)
    yield f"127.0.0.1:{server.port}"
    await server.stop(0)
    await gateway.close()
    for part in (retriever, ranker, embedder, budget):
        await part.close()


Search = Callable[[Any, Any], Awaitable[Any]]


class Searching(search_service_pb2_grpc.SearchServiceServicer):
    """Counts what came in, and answers as the test says."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self.requests: list[Any] = []
        self.target = ""

    async def Search(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        return await self._search(request, context) or SearchResponse(attribution_token="found")


@pytest.fixture
def serve_search(start_server: Any) -> Callable[..., Awaitable[Searching]]:
    """Starts servers of SearchService whose Search is the test's."""

    async def serve(search: Search, door: Door = OPEN) -> Searching:
        searching = Searching(search)

        def add(server: grpc.aio.Server) -> Sequence[str]:
            search_service_pb2_grpc.add_SearchServiceServicer_to_server(searching, server)
            return ["vitrine.v1.SearchService"]

        searching.target = f"127.0.0.1:{(await start_server(add, door=door)).port}"
        return searching

    return serve


@pytest.fixture
async def client_of() -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """Opens clients that are closed after the test; keywords are those of Client, waits are short."""
    clients: list[Client] = []

    async def opened(target: str, **options: Any) -> Client:
        options.setdefault("timeout_s", 60.0)
        options.setdefault("retries", Retries(first_wait_s=0.001))
        client = await Client(target, **options).__aenter__()
        clients.append(client)
        return client

    yield opened
    for client in clients:
        await client.__aexit__()
