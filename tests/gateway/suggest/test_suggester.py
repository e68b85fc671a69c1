"""SearchService.Suggest over a real retriever and a real event store, by gRPC and by HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import grpc.aio
import httpx
import numpy as np
import pytest

from gateway.events.settings import EventsSettings
from gateway.events.store import EventStore
from gateway.serving import Gateway, Ports
from gateway.settings import GatewaySettings
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from tests.gateway.events.conftest import StoreServer, raw, store_server  # noqa: F401 (fixtures)
from vitrine.deadline import Deadline
from vitrine.product import Product
from vitrine.user_event import EventType, UserEvent
from vitrine.v1 import common_pb2, retriever_service_pb2, search_service_pb2, search_service_pb2_grpc
from vitrine.vectors import l2_normalized

PRODUCTS = [
    Product("p1", "Wireless headphones", brand="Sony", categories=("Audio > Headphones",)),
    Product("p2", "Wireless headphones for kids", brand="Bose", categories=("Audio > Headphones",)),
    Product("p3", "蓝牙耳机", brand="华为", categories=("数码 > 耳机",)),
    Product("p4", "蓝牙耳机 降噪", brand="小米", categories=("数码 > 耳机",)),
]


@pytest.fixture
async def retriever(tmp_path: Path) -> AsyncIterator[RetrieverEngine]:
    engine = await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path / "data", port=0))
    vectors = l2_normalized(np.random.default_rng(1).normal(size=(len(PRODUCTS), 8)).astype(np.float32))
    await engine.upsert_products(PRODUCTS, vectors, model_digest="sha256:a", deadline=Deadline.after(60))
    yield engine
    await engine.close()


async def ask(url: str, *queries: str, visitors: int = 3) -> None:
    """Has so many visitors ask these queries."""
    store = EventStore(EventsSettings(redis_url=url, prefix="shop"))
    for visitor in range(visitors):
        events = [
            UserEvent(f"{visitor}-{query}", EventType.SEARCH, f"v{visitor}", event_time=datetime.now(UTC), query=query)
            for query in queries
        ]
        assert await store.write(events, deadline=Deadline.after(60)) == [True] * len(events)
    await store.close()


def opened(retriever: RetrieverEngine, url: str) -> Gateway:
    nothing = cast(Any, None)
    ports = Ports(nothing, retriever, nothing)
    return Gateway(GatewaySettings(redis_url="", http_port=0), ports, EventsSettings(redis_url=url, prefix="shop"))


@pytest.fixture
async def gateway(retriever: RetrieverEngine, store_server: StoreServer, raw: object) -> AsyncIterator[Gateway]:  # noqa: F811
    gateway = opened(retriever, store_server.url)
    yield gateway
    await gateway.close()


@pytest.fixture
async def search(gateway: Gateway, start_server: Any, channel_to: Any) -> Any:
    server = await start_server(gateway.add_to)
    return search_service_pb2_grpc.SearchServiceStub(channel_to(server.port))


async def suggested(search: Any, text: str, **fields: Any) -> search_service_pb2.SuggestResponse:
    answer: search_service_pb2.SuggestResponse = await search.Suggest(
        search_service_pb2.SuggestRequest(text=text, **fields), timeout=60
    )
    return answer


def of_kind(answer: search_service_pb2.SuggestResponse, kind: str) -> list[str]:
    value = retriever_service_pb2.SuggestionKind.Value(f"SUGGESTION_KIND_{kind}")
    return [one.text for one in answer.suggestions if one.kind == value]


async def test_past_queries_and_the_catalogue_are_suggested_together(search: Any, store_server: StoreServer) -> None:  # noqa: F811
    await ask(store_server.url, "Wireless Mouse", "kids wireless headset", "wireless headphones")
    answer = await suggested(search, "wirel")
    # The catalogue's own completion is there beside them, and none twice.
    assert set(of_kind(answer, "QUERY")) == {
        "wireless", "wireless mouse", "kids wireless headset", "wireless headphones"
    }  # fmt: skip
    assert of_kind(answer, "PRODUCT") == ["Wireless headphones", "Wireless headphones for kids"]
    assert not answer.degradations
    mouse = next(one for one in answer.suggestions if one.text == "wireless mouse")
    headset = next(one for one in answer.suggestions if one.text == "kids wireless headset")
    assert [(span.start, span.end) for span in mouse.spans] == [(0, 5)]
    assert [(span.start, span.end) for span in headset.spans] == [(5, 10)]
    assert mouse.score > headset.score
    assert answer.suggestions[0].text.startswith("wireless")


async def test_what_too_few_asked_is_not_told(search: Any, store_server: StoreServer) -> None:  # noqa: F811
    await ask(store_server.url, "wireless secret", visitors=2)
    assert "wireless secret" not in of_kind(await suggested(search, "wirel"), "QUERY")


async def test_mended_and_spoken_texts_find_past_queries_too(search: Any, store_server: StoreServer) -> None:  # noqa: F811
    await ask(store_server.url, "headphones with mic", "蓝牙耳机 运动")
    mended = await suggested(search, "hedphon")
    assert "headphones with mic" in of_kind(mended, "QUERY")
    assert all(one.mended and not one.spans for one in mended.suggestions)
    spoken = await suggested(search, "lanyaerj")
    assert "蓝牙耳机 运动" in of_kind(spoken, "QUERY")
    assert of_kind(spoken, "PRODUCT") == ["蓝牙耳机", "蓝牙耳机 降噪"]
    assert not any(one.mended or one.spans for one in spoken.suggestions)


async def test_the_best_of_what_there_is_fill_the_limit(search: Any, store_server: StoreServer) -> None:  # noqa: F811
    await ask(store_server.url, *(f"wireless {number}" for number in range(10)))
    answer = await suggested(search, "wirel", limit=4)
    assert len(answer.suggestions) == 4
    assert len(of_kind(answer, "QUERY")) == 2
    scores = [one.score for one in answer.suggestions]
    assert scores == sorted(scores, reverse=True)
    assert len((await suggested(search, "wireless 1")).suggestions) > 0


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"text": ""}, "text"), ({"text": "x" * 129}, "text"), ({"text": "a", "limit": 21}, "limit")],
)
async def test_what_is_wrong_is_named(search: Any, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await search.Suggest(search_service_pb2.SuggestRequest(**fields), timeout=60)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert named in str(raised.value.details())


async def test_without_events_the_catalogue_suggests_and_it_is_told(
    retriever: RetrieverEngine, start_server: Any, channel_to: Any
) -> None:
    gateway = opened(retriever, "")
    server = await start_server(gateway.add_to)
    answer = await suggested(search_service_pb2_grpc.SearchServiceStub(channel_to(server.port)), "sony")
    assert of_kind(answer, "BRAND") == ["Sony"]
    assert list(answer.degradations) == [common_pb2.DEGRADATION_NO_POPULARITY]
    await gateway.close()


async def test_suggestions_as_connect_json(gateway: Gateway) -> None:
    async with (
        gateway.http() as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client,
    ):
        answer = await client.post("/vitrine.v1.SearchService/Suggest", json={"text": "son", "limit": 1})
        assert answer.status_code == 200
        [found] = answer.json()["suggestions"]
        assert (found["text"], found["kind"], found["spans"]) == ("Sony", "SUGGESTION_KIND_BRAND", [{"end": 3}])
        wrong = await client.post("/vitrine.v1.SearchService/Suggest", json={"text": " "})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_argument")
