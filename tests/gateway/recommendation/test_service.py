"""RecommendationService over real gRPC: real retriever, embedder and event store. Numbers are rows of users' cases."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

import grpc
import httpx
import pytest

from gateway.events.settings import EventsSettings
from loadtest.faults.redis_proxy import RedisProxy
from vitrine.errors import Unavailable
from vitrine.product import Availability, Product
from vitrine.v1 import common_pb2, retriever_service_pb2
from vitrine.v1 import recommendation_service_pb2 as pb
from vitrine.v1.recommendation_reason_pb2 import RecommendationSource as Source
from vitrine.v1.recommendation_service_pb2 import RecommendRequest

WATCHES = "smart watch"
SHOES = "running shoes"


def sources(answer: pb.RecommendResponse) -> list[str]:
    """The first reason of each result."""
    return [Source.Name(one.reasons[0].source).removeprefix("RECOMMENDATION_SOURCE_") for one in answer.results]


async def test_145_a_new_visitor_gets_what_the_profile_says(stand: Any) -> None:
    answer = await stand.recommend(visitor_id="new", profile_text="跑步鞋", page_size=5)
    assert sources(answer) == ["PROFILE"] * 5
    assert all("跑步鞋" in result.product.title for result in answer.results)
    assert {result.reasons[0].text for result in answer.results} == {"跑步鞋"}
    assert list(answer.degradations) == []


async def test_146_an_empty_shop_is_no_error(stand: Any) -> None:
    await stand.delete(*(f"p{number:03}" for number in range(240)))
    for fields in ({}, {"visitor_id": "ana"}, {"profile_text": "shoes"}):
        answer = await stand.recommend(**fields)
        assert (len(answer.results), answer.shortfall) == (0, common_pb2.SHORTFALL_NO_MORE_MATCHES)
    similar = await stand.recommend(placement=pb.PLACEMENT_SIMILAR, product_ids=["p001"])
    assert (len(similar.results), list(similar.missing_product_ids)) == (0, ["p001"])


async def test_147_without_any_event_the_newest_are_shown_with_that_reason(stand: Any) -> None:
    await stand.change("p007", price=3.0)
    answer = await stand.recommend(visitor_id="ana")
    assert sources(answer) == ["NEWEST"] * 10
    assert answer.results[0].product.id == "p007"


async def test_popular_products_lead_where_nothing_is_known_and_the_list_is_full(stand: Any) -> None:
    await stand.report("ben", "p001", kind="PURCHASE")
    await stand.report("cem", "p002", "p001")
    answer = await stand.recommend()
    assert [result.product.id for result in answer.results[:2]] == ["p001", "p002"]
    assert sources(answer) == ["POPULAR"] * 2 + ["NEWEST"] * 8


async def test_a_click_changes_the_next_answer(stand: Any) -> None:
    before = await stand.ids(visitor_id="ana")
    await stand.report("ana", "p000")
    first = await stand.recommend(visitor_id="ana", explain=True)
    assert [result.product.id for result in first.results] != before
    assert all(WATCHES in result.product.title for result in first.results)
    assert all(list(result.reasons[0].product_ids) == ["p000"] for result in first.results)
    await stand.report("ana", "p020", "p021")
    second = await stand.recommend(visitor_id="ana", explain=True)
    assert sum(SHOES in result.product.title for result in second.results) >= 5
    # Several interests and not their mean: the first one is still there.
    assert any(WATCHES in result.product.title for result in second.results)


async def test_contributions_add_up_and_features_come_when_asked_for(stand: Any) -> None:
    await stand.report("ben", "p001", "p002", "p003", kind="ADD_TO_CART", category=WATCHES)
    await stand.report("ana", "p000", "p020")
    await stand.report("ana", kind="SEARCH", query="green watch")
    answer = await stand.recommend(visitor_id="ana", profile_text="耳机", explain=True, page_size=40)
    reasons = [reason for result in answer.results for reason in result.reasons]
    assert {Source.Name(reason.source).removeprefix("RECOMMENDATION_SOURCE_") for reason in reasons} == {
        "HISTORY", "SEARCHED", "PROFILE", "POPULAR_IN_CATEGORY"
    }  # fmt: skip
    assert max(len(result.reasons) for result in answer.results) >= 3
    for result in answer.results:
        assert sum(reason.contribution for reason in result.reasons) == pytest.approx(result.score, abs=1e-12)
        contributions = [reason.contribution for reason in result.reasons]
        assert contributions == sorted(contributions, reverse=True)
    for reason in reasons:
        features = {feature.name: feature.value for feature in reason.features}
        expected = 1 / (1 + features["rank"] / (10 * features["share"]))
        assert reason.contribution == pytest.approx(expected)
    plain = await stand.recommend(visitor_id="ana", profile_text="耳机", page_size=40)
    assert [result.product.id for result in plain.results] == [result.product.id for result in answer.results]
    assert not any(reason.features for result in plain.results for reason in result.reasons)


@pytest.mark.parametrize("gone", ["deleted", "sold out"])
async def test_149_what_is_hidden_is_absent_in_all_paths(stand: Any, gone: str) -> None:
    await stand.report("ana", "p000", category=WATCHES)
    await stand.report("ben", "p001", kind="PURCHASE", category=WATCHES)
    ways: list[dict[str, Any]] = [
        {},
        {"visitor_id": "ana"},
        {"profile_text": "black smart watch"},
        {"placement": pb.PLACEMENT_SIMILAR, "product_ids": ["p000"]},
        {"filter": retriever_service_pb2.ProductFilter(categories=[WATCHES])},
    ]
    for way in ways:
        assert "p001" in await stand.ids(page_size=40, **way)
    if gone == "deleted":
        await stand.delete("p001")
    else:
        await stand.change("p001", availability=Availability.OUT_OF_STOCK)
    for way in ways:
        found = await stand.ids(page_size=40, **way)
        assert "p001" not in found
        assert len(found) == (39 if "filter" in way else 40)


async def test_150_a_moved_product_is_absent_there_and_present_here(stand: Any) -> None:
    def within(category: str) -> retriever_service_pb2.ProductFilter:
        return retriever_service_pb2.ProductFilter(categories=[category])

    await stand.report("ben", "p003", kind="PURCHASE", category=WATCHES)
    assert "p003" in await stand.ids(filter=within(WATCHES), page_size=50)
    await stand.change("p003", categories=("Sale > Watches",))
    assert "p003" not in await stand.ids(filter=within(WATCHES), page_size=50)
    assert await stand.ids(filter=within("Sale"), page_size=50) == ["p003"]
    # Its fame in the old category is none there any more.
    await stand.report("ana", "p000")
    answer = await stand.recommend(visitor_id="ana", page_size=100)
    for result in answer.results:
        if result.product.id == "p003":
            assert all(reason.source != Source.RECOMMENDATION_SOURCE_POPULAR_IN_CATEGORY for reason in result.reasons)


async def test_151_what_was_seen_or_bought_does_not_come_back(stand: Any) -> None:
    await stand.report("ana", "p000", "p001")
    await stand.report("ana", "p002", kind="PURCHASE")
    assert not {"p000", "p001", "p002"} & set(await stand.ids(visitor_id="ana", page_size=40))
    seen_too = await stand.ids(visitor_id="ana", page_size=40, include_seen=True)
    assert {"p000", "p001"} <= set(seen_too)
    assert "p002" not in seen_too
    similar = {"placement": pb.PLACEMENT_SIMILAR, "product_ids": ["p003"], "visitor_id": "ana", "page_size": 40}
    assert {"p000", "p001"} <= set(await stand.ids(**similar))
    assert not {"p000", "p001", "p002", "p003"} & set(await stand.ids(**similar, include_seen=False))
    await stand.report("ana", "p002", kind="REFUND")
    assert "p002" in await stand.ids(visitor_id="ana", page_size=100, include_seen=True)


async def test_153_exclusions_are_obeyed_and_the_list_is_still_full(stand: Any) -> None:
    await stand.report("ana", "p000")
    own = await stand.ids(visitor_id="ana", page_size=30)
    others = await stand.ids(visitor_id="ana", page_size=30, exclude_product_ids=own)
    assert len(others) == 30
    assert not set(own) & set(others)
    all_but_five = [f"p{number:03}" for number in range(5, 240)]
    answer = await stand.recommend(visitor_id="new", exclude_product_ids=all_but_five)
    assert {result.product.id for result in answer.results} == {f"p{number:03}" for number in range(5)}
    assert answer.shortfall == common_pb2.SHORTFALL_NO_MORE_MATCHES


async def test_154_a_product_of_which_only_the_title_is_known_is_recommended(stand: Any) -> None:
    await stand.write(Product(id="bare", title="black smart watch"))
    await stand.report("ana", "p000")
    assert "bare" in await stand.ids(visitor_id="ana", page_size=20)
    await stand.report("ben", "bare")
    assert await stand.ids(visitor_id="ben", page_size=3)


async def test_similar_leaves_the_anchors_out_and_names_the_unknown(stand: Any) -> None:
    answer = await stand.recommend(placement=pb.PLACEMENT_SIMILAR, product_ids=["p040", "nobody", "p041", "p040"])
    assert list(answer.missing_product_ids) == ["nobody"]
    assert sources(answer) == ["TEXT_SIMILAR"] * 10
    assert not {"p040", "p041"} & {result.product.id for result in answer.results}
    assert sum("wireless headphones" in result.product.title for result in answer.results) >= 8
    again = await stand.recommend(placement=pb.PLACEMENT_SIMILAR, product_ids=["p040", "nobody", "p041", "p040"])
    assert list(again.results) == list(answer.results)
    assert again.attribution_token != answer.attribution_token
    unknown = await stand.recommend(placement=pb.PLACEMENT_SIMILAR, product_ids=["nobody"])
    assert sources(unknown) == ["NEWEST"] * 10


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"page_size": 101}, "page_size"),
        ({"page_size": -1}, "page_size"),
        ({"visitor_id": "a b"}, "visitor_id"),
        ({"product_ids": ["p1"]}, "product_ids"),
        ({"placement": pb.PLACEMENT_SIMILAR}, "product_ids"),
        ({"placement": pb.PLACEMENT_SIMILAR, "product_ids": [""]}, r"product_ids\[0\]"),
        ({"exclude_product_ids": ["x"] * 1_001}, "exclude_product_ids"),
        ({"profile_text": "x" * 513}, "profile_text"),
        ({"placement": 99}, "placement"),
    ],
)
async def test_a_wrong_field_is_named(stand: Any, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=named) as caught:
        await stand.recommend(**fields)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
async def store_proxy(events_settings: EventsSettings) -> AsyncIterator[RedisProxy]:
    """The way to the event store, which a test can cut."""
    proxy = RedisProxy(events_settings.redis_url)
    await proxy.start()
    yield proxy
    await proxy.stop()


async def test_without_the_event_store_popular_products_are_shown_as_last_known(
    open_stand: Any, events_settings: EventsSettings, store_proxy: RedisProxy
) -> None:
    stand = await open_stand(events_settings.model_copy(update={"redis_url": store_proxy.url}))
    await stand.report("ben", "p005", kind="PURCHASE")
    await stand.report("ana", "p020")
    known = await stand.ids()
    await store_proxy.stop()
    answer = await stand.recommend(visitor_id="ana")
    assert [result.product.id for result in answer.results] == known
    assert set(answer.degradations) == {
        common_pb2.DEGRADATION_NO_PERSONALISATION,
        common_pb2.DEGRADATION_NO_POPULARITY,
    }
    assert list((await stand.recommend()).degradations) == [common_pb2.DEGRADATION_NO_POPULARITY]
    similar = await stand.recommend(placement=pb.PLACEMENT_SIMILAR, product_ids=["p001"])
    assert (sources(similar), list(similar.degradations)) == (["TEXT_SIMILAR"] * 10, [])


async def test_126_a_slow_event_store_is_left_alone_after_a_few_calls(
    open_stand: Any, events_settings: EventsSettings, store_proxy: RedisProxy
) -> None:
    """gnomad-browser#1208, of the other Redis: each call would wait out its patience and hold a connection."""
    stand = await open_stand(events_settings.model_copy(update={"redis_url": store_proxy.url}))
    await stand.report("ana", "p005")
    store_proxy.open.clear()
    asked, begun_s = store_proxy.requests, monotonic()
    for number in range(30):
        answer = await stand.recommend(visitor_id=f"visitor-{number}")
        assert common_pb2.DEGRADATION_NO_PERSONALISATION in answer.degradations
    # Five failures open the breaker; then one try a second, however slow this machine is.
    assert store_proxy.requests - asked <= 10 + monotonic() - begun_s
    store_proxy.open.set()
    async with asyncio.timeout(60):
        while common_pb2.DEGRADATION_NO_PERSONALISATION in answer.degradations:
            answer = await stand.recommend(visitor_id="ana")


async def test_without_an_event_store_the_newest_are_shown(open_stand: Any) -> None:
    answer = await (await open_stand(EventsSettings())).recommend(visitor_id="ana")
    assert sources(answer) == ["NEWEST"] * 10
    assert len(answer.degradations) == 2


async def test_without_the_embedder_words_find_what_the_profile_says(stand: Any) -> None:
    stand.shop.embedder.error = Unavailable("away")
    answer = await stand.recommend(profile_text="coffee machine")
    assert list(answer.degradations) == [common_pb2.DEGRADATION_LEXICAL_ONLY]
    assert all("coffee machine" in result.product.title for result in answer.results)
    await stand.report("ana", "p000")
    assert list((await stand.recommend(visitor_id="ana")).degradations) == []


async def test_only_the_retrievers_loss_fails(stand: Any) -> None:
    stand.shop.retriever.error = Unavailable("away")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stand.recommend()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_over_http_and_the_short_call_as_before(stand: Any) -> None:
    await stand.report("ana", "p000")
    async with (
        stand.shop.gateway.http() as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client,
    ):
        body = {"placement": "PLACEMENT_HOME", "visitorId": "ana", "pageSize": 2, "explain": True}
        reply = await client.post("/vitrine.v1.RecommendationService/Recommend", json=body)
        refused = await client.post(
            "/vitrine.v1.RecommendationService/Recommend", json={"placement": "PLACEMENT_SIMILAR"}
        )
        short = await client.post("/recommend", json={"query": "智能手表", "top_n": 2})
    results = reply.json()["results"]
    assert [result["reasons"][0]["source"] for result in results] == ["RECOMMENDATION_SOURCE_HISTORY"] * 2
    assert results[0]["reasons"][0]["productIds"] == ["p000"]
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_argument")
    assert [one["scored_by"] for one in short.json()["recommendations"]] == ["ranker"] * 2
    assert all("智能手表" in one["title"] for one in short.json()["recommendations"])


async def test_over_the_suite_of_separate_servers(suite: Any) -> None:
    request = RecommendRequest(placement=pb.PLACEMENT_SIMILAR, product_ids=["p000"], page_size=5)
    recommend = suite.channel.unary_unary(
        "/vitrine.v1.RecommendationService/Recommend",
        request_serializer=RecommendRequest.SerializeToString,
        response_deserializer=pb.RecommendResponse.FromString,
    )
    answer = await recommend(request, timeout=60)
    assert sources(answer) == ["TEXT_SIMILAR"] * 5
    assert sources(await recommend(RecommendRequest(), timeout=60)) == ["NEWEST"] * 10
