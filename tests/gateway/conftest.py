"""What the gateway's tests share: a Redis that can be made slow, and caches."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from gateway.circuit_breaker import CircuitBreaker
from gateway.clients.embedder import EmbedderClient
from gateway.clients.ranker import RankerClient
from gateway.clients.retriever import RetrieverClient
from gateway.embedding_cache import EmbeddingCache
from gateway.events.settings import EventsSettings
from gateway.recommendation.settings import RecommendationSettings
from gateway.search import SearchAnswer, SearchQuery
from gateway.serving import Gateway, Ports
from gateway.settings import GatewaySettings
from loadtest.faults.redis_proxy import RedisProxy
from services.embedder.engine import EmbedderEngine
from services.embedder.servicer import EmbedderServicer
from services.embedder.settings import EmbedderSettings
from services.ranker.engine import RankerEngine
from services.ranker.servicer import RankerServicer
from services.ranker.settings import RankerSettings
from services.retriever.engine import RetrieverEngine
from services.retriever.servicer import RetrieverServicer
from services.retriever.settings import RetrieverSettings
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import Embeddings, InputType, Lane
from vitrine.product import Product, checked_product
from vitrine.product_text import embedding_text
from vitrine.v1 import (
    catalog_service_pb2_grpc,
    embedder_service_pb2_grpc,
    ranker_service_pb2_grpc,
    retriever_service_pb2_grpc,
    search_service_pb2_grpc,
)


@pytest.fixture
async def slow_redis(redis_url: str) -> AsyncIterator[RedisProxy]:
    """The test's Valkey behind a proxy that can be made slow."""
    proxy = RedisProxy(redis_url)
    await proxy.start()
    yield proxy
    await proxy.stop()


OpenCache = Callable[..., EmbeddingCache]


@pytest.fixture
async def open_cache(redis_url: str) -> AsyncIterator[OpenCache]:
    """Opens caches that are closed after the test; by default on the test's Valkey, patient, with a breaker of 3."""
    caches: list[EmbeddingCache] = []

    def opened(url: str = redis_url, **settings: object) -> EmbeddingCache:
        given: dict[str, object] = {
            "prefix": "test",
            "dtype": "float32",
            "ttl_s": 100.0,
            "ttl_jitter": 0.1,
            "wait_s": 5.0,
            "command_timeout_s": 5.0,
            "breaker": CircuitBreaker(3, 60.0),
        } | settings
        caches.append(EmbeddingCache(url, **given))  # type: ignore[arg-type]
        return caches[-1]

    yield opened
    for cache in caches:
        await cache.close()


class Part:
    """A port that does what the real one does, until a test makes it raise, hang, or count."""

    def __init__(self, port: Any) -> None:
        self.port = port
        self.error: Exception | None = None
        self.hanging = False
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.cancelled = 0
        self._changed = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.port, name)

        async def call(*args: Any, **named: Any) -> Any:
            self.calls.append((name, args, named))
            self._changed.set()
            if self.hanging:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.cancelled += 1
                    self._changed.set()
                    raise
            if self.error is not None:
                raise self.error
            return await method(*args, **named)

        return call

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until calls made, or cancelled, have made the condition true."""
        async with asyncio.timeout(30):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def count(self, name: str) -> int:
        """How often a method was called."""
        return sum(called == name for called, _, _ in self.calls)


@dataclass
class Shop:
    """A gateway over the real engines, each behind a `Part`."""

    gateway: Gateway
    embedder: Part
    retriever: Part
    ranker: Part

    async def search(self, query: str, timeout_s: float = 30.0, **fields: Any) -> SearchAnswer:
        """Searches as the servicer does."""
        pipeline = self.gateway.api.searches.pipeline
        return await pipeline.search(SearchQuery(query, **fields), deadline=Deadline.after(timeout_s))


COLOURS = {"en": ("black", "white", "red", "blue", "green"), "zh": ("黑色", "白色", "红色", "蓝色", "绿色")}
KINDS = {
    "en": ("smart watch", "running shoes", "wireless headphones", "laptop backpack", "coffee machine", "phone case"),
    "zh": ("智能手表", "跑步鞋", "无线耳机", "双肩电脑包", "咖啡机", "手机壳"),
}
BRANDS = ("Norvik", "Lumora", "海岚", "Pinewell")


def sample_products() -> list[Product]:
    """240 products in both languages, every combination of kind, colour and brand."""
    combinations = itertools.product(("en", "zh"), range(len(KINDS["en"])), range(5), range(len(BRANDS)))
    return [
        checked_product(
            Product(
                id=f"p{number:03}",
                title=f"{COLOURS[language][colour]} {KINDS[language][kind]} {number % 7 + 1}",
                brand=BRANDS[brand],
                categories=(KINDS["en"][kind],),
                description=f"Description of product {number}.",
                price=10.0 + number,
                currency_code="CNY" if language == "zh" else "EUR",
            )
        )
        for number, (language, kind, colour, brand) in enumerate(combinations)
    ]


@pytest.fixture(scope="session")
async def embedder() -> AsyncIterator[EmbedderEngine]:
    """The shipped embedder."""
    budget = ComputeBudget()
    engine = await EmbedderEngine.open(EmbedderSettings(), budget)
    yield engine
    await engine.close()
    await budget.close()


@pytest.fixture(scope="session")
async def ranker() -> AsyncIterator[RankerEngine]:
    """The shipped ranker."""
    budget = ComputeBudget()
    engine = await RankerEngine.open(RankerSettings(), budget)
    yield engine
    await engine.close()
    await budget.close()


@pytest.fixture(scope="session")
async def shop_vectors(embedder: EmbedderEngine) -> Embeddings:
    """The sample products' vectors."""
    texts = [embedding_text(product) for product in sample_products()]
    return await embedder.embed(texts, input_type=InputType.DOCUMENT, deadline=Deadline.after(60), lane=Lane.BULK)


@asynccontextmanager
async def filled_retriever(folder: Path, vectors: Embeddings) -> AsyncIterator[RetrieverEngine]:
    """A retriever that holds the sample products."""
    retriever = await RetrieverEngine.open(RetrieverSettings(data_dir=folder))
    try:
        await retriever.upsert_products(
            sample_products(), vectors.vectors, model_digest=vectors.model_digest, deadline=Deadline.after(60)
        )
        yield retriever
    finally:
        await retriever.close()


@pytest.fixture(scope="session")
async def catalogue(
    tmp_path_factory: pytest.TempPathFactory, shop_vectors: Embeddings
) -> AsyncIterator[RetrieverEngine]:
    """A retriever that tests only read."""
    async with filled_retriever(tmp_path_factory.mktemp("catalogue"), shop_vectors) as retriever:
        yield retriever


OpenCatalogue = Callable[[], Awaitable[RetrieverEngine]]


@pytest.fixture
async def open_catalogue(
    tmp_path_factory: pytest.TempPathFactory, shop_vectors: Embeddings
) -> AsyncIterator[OpenCatalogue]:
    """Opens retrievers that hold the sample products, for the test to write to."""
    async with AsyncExitStack() as stack:

        async def opened() -> RetrieverEngine:
            folder = tmp_path_factory.mktemp("catalogue")
            return await stack.enter_async_context(filled_retriever(folder, shop_vectors))

        yield opened


OpenShop = Callable[..., Awaitable[Shop]]


@pytest.fixture
async def open_shop(
    embedder: EmbedderEngine, ranker: RankerEngine, catalogue: RetrieverEngine, open_catalogue: OpenCatalogue
) -> AsyncIterator[OpenShop]:
    """Opens shops; keywords are fields of GatewaySettings. No Redis, unless one is given, and no hurry.

    With `own_catalogue` the test may write to it.
    """
    patient = {"redis_url": "", "http_port": 0, "cache_wait_s": 5.0, "rank_timeout_s": 30.0, "embed_timeout_s": 30.0}
    async with AsyncExitStack() as stack:

        async def opened(own_catalogue: bool = False, events: EventsSettings | None = None, **settings: Any) -> Shop:
            retriever = await open_catalogue() if own_catalogue else catalogue
            parts = Part(embedder), Part(retriever), Part(ranker)
            gateway = Gateway(
                GatewaySettings.model_validate(patient | settings),
                Ports(*parts),
                events or EventsSettings(),
                RecommendationSettings(popularity_kept_s=0),
            )
            stack.push_async_callback(gateway.close)
            return Shop(gateway, *parts)

        yield opened


@pytest.fixture
async def shop(open_shop: OpenShop) -> Shop:
    """A shop whose catalogue is only read."""
    return await open_shop()


@pytest.fixture
async def own_shop(open_shop: OpenShop) -> Shop:
    """A shop whose catalogue the test may write to."""
    return await open_shop(own_catalogue=True)


class Suite:
    """The suite as separate gRPC servers: three parts that can be stopped and started again, and a gateway."""

    def __init__(self, start_server: Any, parts: dict[str, Callable[[grpc.aio.Server], Sequence[str]]]) -> None:
        self._start_server = start_server
        self._parts = parts
        self._servers: dict[str, Any] = {}
        self.gateway: Gateway
        self.search: search_service_pb2_grpc.SearchServiceStub
        self.catalog: catalog_service_pb2_grpc.CatalogServiceStub
        self.channel: grpc.aio.Channel

    @property
    def port_of(self) -> dict[str, int]:
        """The parts' ports."""
        return {name: server.port for name, server in self._servers.items()}

    async def start(self, name: str) -> int:
        """Starts a part, on the port it had before; returns the port."""
        port = self._servers[name].port if name in self._servers else 0
        self._servers[name] = await self._start_server(self._parts[name], port=port)
        return int(self._servers[name].port)

    async def stop(self, name: str) -> None:
        """Stops a part."""
        await self._servers[name].stop(0)


@pytest.fixture
async def suite(
    start_server: Any,
    channel_to: Any,
    redis_url: str,
    embedder: EmbedderEngine,
    ranker: RankerEngine,
    open_catalogue: OpenCatalogue,
) -> AsyncIterator[Suite]:
    """A suite with its own catalogue of the sample products, and Redis."""
    retriever = await open_catalogue()

    def embedder_services(server: grpc.aio.Server) -> Sequence[str]:
        embedder_service_pb2_grpc.add_EmbedderServiceServicer_to_server(EmbedderServicer(embedder, 10.0), server)
        return ["vitrine.v1.EmbedderService"]

    def retriever_services(server: grpc.aio.Server) -> Sequence[str]:
        retriever_service_pb2_grpc.add_RetrieverServiceServicer_to_server(RetrieverServicer(retriever, 10.0), server)
        return ["vitrine.v1.RetrieverService"]

    def ranker_services(server: grpc.aio.Server) -> Sequence[str]:
        ranker_service_pb2_grpc.add_RankerServiceServicer_to_server(RankerServicer(ranker, 10.0), server)
        return ["vitrine.v1.RankerService"]

    suite = Suite(
        start_server, {"embedder": embedder_services, "retriever": retriever_services, "ranker": ranker_services}
    )
    ports = Ports(
        EmbedderClient(channel_to(await suite.start("embedder"))),
        RetrieverClient(channel_to(await suite.start("retriever"))),
        RankerClient(channel_to(await suite.start("ranker"))),
    )
    settings = GatewaySettings(
        redis_url=redis_url, http_port=0, cache_wait_s=1.0, embed_timeout_s=5.0, rank_timeout_s=5.0
    )
    suite.gateway = Gateway(settings, ports, EventsSettings())
    server = await start_server(suite.gateway.add_to, self_test=suite.gateway.self_test)
    suite.channel = channel_to(server.port)
    suite.search = search_service_pb2_grpc.SearchServiceStub(suite.channel)
    suite.catalog = catalog_service_pb2_grpc.CatalogServiceStub(suite.channel)
    yield suite
    await server.stop(0)
    await suite.gateway.close()
