"""A shop with an event store of its own, asked over real gRPC."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.events.settings import EventsSettings
from gateway.recommendation.settings import RecommendationSettings
from gateway.serving import Gateway, Ports
from gateway.settings import GatewaySettings
from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from services.ranker.engine import RankerEngine
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from tests.gateway.conftest import Part, Shop, sample_products
from tests.gateway.events.conftest import events_settings, raw, store_server
from tests.gateway.recommendation.learned_shop import write_learned
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import Embeddings, InputType
from vitrine.product import Product
from vitrine.product_text import embedding_text
from vitrine.v1 import recommendation_service_pb2 as pb
from vitrine.v1 import recommendation_service_pb2_grpc, user_event_pb2, user_event_service_pb2_grpc
from vitrine.v1.user_event_service_pb2 import WriteUserEventsRequest

__all__ = ["events_settings", "raw", "store_server"]
LIMIT_S = 60.0


class Stand:
    """What a test does with the shop: recommend, report events, write and delete products."""

    def __init__(self, shop: Any, channel: Any) -> None:
        self.shop = shop
        self.channel = channel
        self.channel = channel
        self.stub = recommendation_service_pb2_grpc.RecommendationServiceStub(channel)
        self._events = user_event_service_pb2_grpc.UserEventServiceStub(channel)
        self._numbers = count()

    async def recommend(self, **fields: Any) -> pb.RecommendResponse:
        """One call."""
        answer: pb.RecommendResponse = await self.stub.Recommend(pb.RecommendRequest(**fields), timeout=LIMIT_S)
        return answer

    async def ids(self, **fields: Any) -> list[str]:
        """The ids recommended; none is there twice."""
        found = [result.product.id for result in (await self.recommend(**fields)).results]
        assert len(set(found)) == len(found)
        return found

    async def report(self, visitor_id: str, *product_ids: str, kind: str = "VIEW_ITEM", **fields: Any) -> None:
        """Writes an event of a visitor about each product; one without products where none is given."""
        category = fields.pop("category", "")
        products = [[user_event_pb2.EventProduct(product_id=one, category=category)] for one in product_ids] or [[]]
        events = [
            user_event_pb2.UserEvent(
                event_id=f"e{next(self._numbers)}",
                event_type=user_event_pb2.EventType.Value(f"EVENT_TYPE_{kind}"),
                visitor_id=visitor_id,
                products=named,
                **fields,
            )
            for named in products
        ]
        answer = await self._events.WriteUserEvents(WriteUserEventsRequest(events=events), timeout=LIMIT_S)
        assert not any(outcome.HasField("status") for outcome in answer.outcomes)

    async def product(self, product_id: str) -> Product:
        """A product as the catalogue has it."""
        product: Product = await self.shop.gateway.api.catalog.get_product(product_id, deadline=Deadline.after(LIMIT_S))
        return product

    async def write(self, *products: Product) -> None:
        """Writes products with their vectors."""
        deadline = Deadline.after(LIMIT_S)
        texts = [embedding_text(product) for product in products]
        made = await self.shop.embedder.port.embed(texts, input_type=InputType.DOCUMENT, deadline=deadline)
        written = await self.shop.retriever.port.upsert_products(
            products, made.vectors, model_digest=made.model_digest, deadline=deadline
        )
        assert [outcome.error for outcome in written.outcomes] == [None] * len(products)

    async def change(self, product_id: str, **fields: Any) -> None:
        """Writes a product anew with some fields changed."""
        await self.write(replace(await self.product(product_id), **fields))

    async def delete(self, *product_ids: str) -> None:
        """Deletes products."""
        await self.shop.retriever.port.delete_products(list(product_ids), deadline=Deadline.after(LIMIT_S))


OpenStand = Callable[..., Awaitable[Stand]]


@pytest.fixture
async def open_stand(open_shop: Any, start_server: Any, channel_to: Any, monkeypatch: pytest.MonkeyPatch) -> OpenStand:
    """Opens a shop of the sample products, which the test may change, over an event store."""
    monkeypatch.setenv("VITRINE_RECOMMENDATION_EVENTS_TIMEOUT_S", "30")

    async def opened(events: EventsSettings) -> Stand:
        shop = await open_shop(own_catalogue=True, events=events)
        server = await start_server(shop.gateway.add_to)
        return Stand(shop, channel_to(server.port))

    return opened


@pytest.fixture
async def stand(open_stand: OpenStand, events_settings: EventsSettings) -> Stand:
    """A shop with an empty event store."""
    return await open_stand(events_settings)


@pytest.fixture(scope="session")
def learned_folder(tmp_path_factory: pytest.TempPathFactory, shop_vectors: Embeddings) -> Path:
    """A recommender of the sample shop."""
    folder = tmp_path_factory.mktemp("recommender") / "bundle"
    write_learned(folder, shop_vectors.model_digest, shop_vectors.vectors.shape[1])
    return folder


@pytest.fixture(scope="session")
async def learned_embedder(learned_folder: Path) -> AsyncIterator[EmbedderEngine]:
    """The shipped embedder, which encodes histories too."""
    budget = ComputeBudget()
    engine = await EmbedderEngine.open(EmbedderSettings(recommender=str(learned_folder)), budget)
    yield engine
    await engine.close()
    await budget.close()


@pytest.fixture
async def open_learned_stand(
    learned_folder: Path,
    learned_embedder: EmbedderEngine,
    ranker: RankerEngine,
    shop_vectors: Embeddings,
    events_settings: EventsSettings,
    start_server: Any,
    channel_to: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[OpenStand]:
    """Opens shops that serve a recommender; keywords are settings of recommendation."""
    async with AsyncExitStack() as stack:

        async def opened(**settings: Any) -> Stand:
            folder = tmp_path_factory.mktemp("learned")
            retriever = await RetrieverEngine.open(RetrieverSettings(data_dir=folder, recommender=str(learned_folder)))
            stack.push_async_callback(retriever.close)
            await retriever.upsert_products(
                sample_products(),
                shop_vectors.vectors,
                model_digest=shop_vectors.model_digest,
                deadline=Deadline.after(LIMIT_S),
            )
            parts = Part(learned_embedder), Part(retriever), Part(ranker)
            patient = {"bundle": str(learned_folder), "events_timeout_s": 30.0, "popularity_kept_s": 0.0}
            gateway = Gateway(
                GatewaySettings(redis_url="", http_port=0, rank_timeout_s=30.0, embed_timeout_s=30.0),
                Ports(*parts),
                events_settings,
                RecommendationSettings.model_validate(patient | settings),
            )
            stack.push_async_callback(gateway.close)
            server = await start_server(gateway.add_to)
            return Stand(Shop(gateway, *parts), channel_to(server.port))

        yield opened


@pytest.fixture
async def learned(open_learned_stand: OpenStand) -> Stand:
    """A shop that serves a recommender."""
    return await open_learned_stand()
