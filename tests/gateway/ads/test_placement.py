"""The placement ADS over real gRPC: real retriever, embedder, ranker and event store."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.gateway.ads.conftest import AdStand, OpenAdStand
from tests.gateway.recommendation.conftest import LIMIT_S
from vitrine.deadline import Deadline
from vitrine.errors import Unavailable
from vitrine.ports import InputType
from vitrine.product import Availability
from vitrine.product_text import embedding_text
from vitrine.v1 import ad_service_pb2, common_pb2, product_pb2, retriever_service_pb2
from vitrine.v1 import recommendation_service_pb2 as pb
from vitrine.v1.recommendation_reason_pb2 import RecommendationSource as Source

# p000 to p019 are smart watches, p020 to p039 running shoes; by tens each in other colours.
WATCH, WATCHES, SHOE = "p000", ["p000", "p001", "p002"], "p020"


def ids(results: Any) -> list[str]:
    return [one.product.id for one in results]


def sources(result: pb.RecommendationResult) -> list[str]:
    return [Source.Name(one.source).removeprefix("RECOMMENDATION_SOURCE_") for one in result.reasons]


async def test_ads_are_labelled_and_say_why(stand: AdStand) -> None:
    await stand.sponsor("acme", {WATCH: 1.0, SHOE: 9.0})
    (ad,) = await stand.ads(query="smart watch", visitor_id="ana", explain=True)
    assert (ad.product.id, ad.ad.campaign_id, ad.ad.currency_code) == (WATCH, "acme", "CNY")
    # Nobody else bids: a click costs the least there is.
    assert ad.ad.cost_per_click == 0.01
    assert 0 < ad.ad.click_probability < 1
    assert ad.score == pytest.approx(ad.ad.click_probability * 1.0)
    assert sources(ad) == ["SPONSORED", "SEARCHED"]
    assert sum(reason.contribution for reason in ad.reasons) == pytest.approx(ad.score, abs=1e-12)
    assert ad.reasons[1].text == "smart watch"
    assert {one.name for one in ad.reasons[1].features} == {"cosine", "bm25", "probability"}
    assert {one.name: one.value for one in ad.reasons[0].features}["bid"] == 1.0


async def test_only_what_is_relevant_is_shown_whatever_is_bid(stand: AdStand) -> None:
    """To the query, else the anchors, else the history, else the profile text; where there is none, nothing."""
    await stand.sponsor("rich", {WATCH: 1_000.0}, budget=10_000)
    await stand.sponsor("poor", {SHOE: 0.1})
    for way, expected, source in (
        ({"query": "running shoes"}, SHOE, "SEARCHED"),
        ({"product_ids": ["p021"]}, SHOE, "TEXT_SIMILAR"),
        ({"query": "跑步鞋 running shoes", "product_ids": [WATCH]}, SHOE, "SEARCHED"),
        ({"profile_text": "running shoes"}, SHOE, "PROFILE"),
        ({"product_ids": ["p001"]}, WATCH, "TEXT_SIMILAR"),
    ):
        (ad,) = await stand.ads(**way)
        assert (ad.product.id, sources(ad)[1]) == (expected, source)
    await stand.report("ana", "p022", "p023")
    (ad,) = await stand.ads(visitor_id="ana")
    assert (ad.product.id, sources(ad)[1]) == (SHOE, "HISTORY")
    assert set(ad.reasons[1].product_ids) <= {"p022", "p023"}
    answer = await stand.recommend(placement=pb.PLACEMENT_ADS)
    assert (len(answer.results), answer.shortfall) == (0, common_pb2.SHORTFALL_NO_MORE_MATCHES)


async def test_an_unknown_visitor_sees_untargeted_ads_only_where_the_shop_says_so(open_ads: OpenAdStand) -> None:
    stand = await open_ads(untargeted=True)
    await stand.sponsor("acme", {WATCH: 1.0, SHOE: 2.0})
    first, second = await stand.ads()
    assert ids([first, second]) == [SHOE, WATCH]
    assert sources(first) == ["SPONSORED"]
    # Both are as likely clicked: the second's bid keeps the place.
    assert (first.ad.cost_per_click, second.ad.cost_per_click) == (1.0, 0.01)


async def test_the_order_is_p_click_times_bid_and_a_click_costs_what_keeps_the_place(stand: AdStand) -> None:
    await stand.sponsor("a", {"p000": 1.0, "p002": 0.3})
    await stand.sponsor("b", {"p001": 0.8, "p003": 0.01})
    found = await stand.ads(query="smart watch", explain=True)
    assert len(found) == 4
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    bids = {"p000": 1.0, "p001": 0.8, "p002": 0.3, "p003": 0.01}
    for one, following in zip(found, [*scores[1:], 0.0], strict=True):
        bid = bids[one.product.id]
        assert one.score == pytest.approx(one.ad.click_probability * bid)
        least = following / one.ad.click_probability
        assert one.ad.cost_per_click <= bid
        assert least - 1e-9 <= one.ad.cost_per_click < max(least, 0.01) + 0.01


async def test_one_product_of_two_campaigns_is_shown_once_and_they_bid_against_each_other(stand: AdStand) -> None:
    await stand.sponsor("a", {WATCH: 1.0})
    await stand.sponsor("b", {WATCH: 0.6})
    (ad,) = await stand.ads(query="smart watch")
    assert (ad.ad.campaign_id, ad.ad.cost_per_click) == ("a", 0.6)


async def test_a_campaign_runs_in_its_time_unless_paused_or_deleted(stand: AdStand) -> None:
    now = datetime.now(UTC)
    for fields, shown in (
        ({"start_time": now - timedelta(hours=1), "end_time": now + timedelta(hours=1)}, 1),
        ({"start_time": now + timedelta(hours=1)}, 0),
        ({"end_time": now - timedelta(seconds=1)}, 0),
        ({"paused": True}, 0),
        ({}, 1),
    ):
        await stand.sponsor("acme", {WATCH: 1.0}, **fields)
        assert len(await stand.ads(query="smart watch")) == shown
    await stand.campaigns.DeleteCampaigns(ad_service_pb2.DeleteCampaignsRequest(ids=["acme"]), timeout=LIMIT_S)
    assert not await stand.ads(query="smart watch")


async def test_what_cannot_be_bought_or_does_not_match_is_not_shown(stand: AdStand) -> None:
    bids = dict.fromkeys(("p000", "p001", "p002", "p003", "p004"), 1.0) | {"gone": 1.0}
    await stand.sponsor("acme", bids)
    assert set(await stand.ids(placement=pb.PLACEMENT_ADS, query="smart watch")) == set(bids) - {"gone"}
    await stand.change("p000", availability=Availability.OUT_OF_STOCK)
    await stand.delete("p001")
    await stand.report("ana", "p002", kind="PURCHASE")
    way: dict[str, Any] = {"placement": pb.PLACEMENT_ADS, "query": "smart watch", "visitor_id": "ana"}
    assert set(await stand.ids(**way, exclude_product_ids=["p003"])) == {"p004"}
    brand = (await stand.product("p003")).brand
    only = retriever_service_pb2.ProductFilter(brands=[brand])
    assert "p004" not in await stand.ids(**way, filter=only)
    sold_out = retriever_service_pb2.ProductFilter(availabilities=[product_pb2.AVAILABILITY_OUT_OF_STOCK])
    assert await stand.ids(**way, filter=sold_out) == []
    # What was only seen may well be shown again, unless the call says otherwise.
    await stand.report("ana", "p004")
    assert "p004" in await stand.ids(**way)
    assert "p004" not in await stand.ids(**way, include_seen=False)


async def test_a_sponsored_product_is_found_behind_a_thousand_nearer_ones(stand: AdStand) -> None:
    """The search is among sponsored products, and not of sponsored ones among the nearest."""
    product = await stand.product(WATCH)
    near = [replace(product, id=f"x{n}", title="smart watch smart watch") for n in range(1_100)]
    deadline = Deadline.after(LIMIT_S)
    made = await stand.shop.embedder.port.embed(
        [embedding_text(near[0])], input_type=InputType.DOCUMENT, deadline=deadline
    )
    for start in range(0, len(near), 500):
        some = near[start : start + 500]
        vectors = made.vectors.repeat(len(some), axis=0)
        await stand.shop.retriever.port.upsert_products(
            some, vectors, model_digest=made.model_digest, deadline=deadline
        )
    await stand.sponsor("acme", {"p005": 1.0})
    assert ids(await stand.ads(query="smart watch")) == ["p005"]
    assert ids(await stand.ads(product_ids=["x7"])) == ["p005"]


async def test_bids_compete_within_one_currency(open_ads: OpenAdStand) -> None:
    stand = await open_ads()
    await stand.sponsor("cn1", {"p000": 1.0})
    await stand.sponsor("cn2", {"p001": 1.0})
    await stand.sponsor("jp", {"p002": 500.0}, currency_code="JPY", budget=5_000)
    assert {one.ad.currency_code for one in await stand.ads(query="smart watch")} == {"CNY"}
    stand = await open_ads(currency="JPY")
    (ad,) = await stand.ads(query="smart watch")
    assert (ad.product.id, ad.ad.cost_per_click) == ("p002", 1.0)
    # The filter's currency is that of prices, and of bids: p001 costs EUR, and so no campaign in CNY shows it.
    in_euro = retriever_service_pb2.ProductFilter(currency_code="EUR")
    await stand.sponsor("eu", {"p001": 2.0}, currency_code="EUR")
    (ad,) = await stand.ads(query="smart watch", filter=in_euro)
    assert ad.ad.campaign_id == "eu"


async def test_a_visitor_sees_an_ad_no_more_often_than_allowed(stand: AdStand) -> None:
    await stand.sponsor("acme", {WATCH: 1.0}, daily_impressions_per_visitor=2)
    for _ in range(2):
        (ad,) = await stand.ads(query="smart watch", visitor_id="ana")
        await stand.write_events(stand.event(ad, kind="IMPRESSION"))
    assert not await stand.ads(query="smart watch", visitor_id="ana")
    assert len(await stand.ads(query="smart watch", visitor_id="ben")) == 1
    together = await asyncio.gather(*(stand.ads(query="smart watch", visitor_id="cem") for _ in range(16)))
    assert sum(map(len, together)) == 2


async def test_pacing_holds_a_campaign_back_that_is_ahead_of_the_day(open_ads: OpenAdStand) -> None:
    stand = await open_ads(pacing=True, reserve_price=4_000)
    await stand.sponsor("acme", {WATCH: 40.0}, budget=100.0)
    (ad,) = await stand.ads(query="smart watch")
    await stand.click(ad)
    spent = (await stand.spend("acme")).spent_today
    assert spent == 40.0
    now = datetime.now(UTC)
    gone = (now - now.replace(hour=0, minute=0, second=0)) / timedelta(days=1)
    shown = len(await stand.ads(query="smart watch"))
    # 40 % are spent: none is shown before 40 % of the day less a quarter of an hour, any after 40 %.
    assert shown == 0 if gone < 0.4 - 0.25 / 24 - 0.001 else shown == 1 if gone > 0.4 else shown in (0, 1)
    stand = await open_ads(pacing=False, reserve_price=4_000)
    assert len(await stand.ads(query="smart watch")) == 1


async def test_clicks_make_a_product_likelier_to_be_shown(stand: AdStand) -> None:
    await stand.sponsor("acme", {"p000": 1.0, "p001": 1.0})
    before = {one.product.id: one for one in await stand.ads(query="smart watch", visitor_id="v")}
    last = min(before.values(), key=lambda one: one.score)
    for number in range(12):
        found = await stand.ads(query="smart watch", visitor_id=f"v{number}")
        await stand.click(next(one for one in found if one.product.id == last.product.id), f"v{number}")
    first = (await stand.ads(query="smart watch", visitor_id="new"))[0]
    assert first.product.id == last.product.id
    assert first.ad.click_probability > 3 * last.ad.click_probability


async def test_with_a_recommender_p_click_is_what_it_expects_of_this_visitor(learned_stand: AdStand) -> None:
    """Who viewed p010 chooses p011 next, the recommender learned; for a stranger the two differ by relevance alone."""
    stand = learned_stand
    await stand.sponsor("acme", {"p011": 1.0, "p019": 1.0}, daily_impressions_per_visitor=50)

    async def likelier(visitor_id: str, **way: Any) -> float:
        found = {one.product.id: one.ad.click_probability for one in await stand.ads(visitor_id=visitor_id, **way)}
        assert all(0 < probability < 1 for probability in found.values())
        odds = {product_id: probability / (1 - probability) for product_id, probability in found.items()}
        return odds["p011"] / odds["p019"]

    before = await likelier("ana", query="smart watch")
    await stand.report("ana", "p010")
    assert await likelier("ana", query="smart watch") > 1.05 * before
    assert await likelier("ben", query="smart watch") == pytest.approx(before)
    assert await likelier("ana") > 1.05
    assert await likelier("ben", product_ids=["p010"]) > 1.05


async def test_without_the_ranker_or_embedder_ads_are_relevant_still(stand: AdStand) -> None:
    await stand.sponsor("rich", {SHOE: 100.0}, budget=1_000)
    await stand.sponsor("acme", {WATCH: 0.5})
    stand.shop.ranker.error = Unavailable("away")
    answer = await stand.recommend(placement=pb.PLACEMENT_ADS, query="smart watch")
    assert ids(answer.results) == [WATCH]
    assert common_pb2.DEGRADATION_NOT_RANKED in answer.degradations
    stand.shop.embedder.error = Unavailable("away")
    answer = await stand.recommend(placement=pb.PLACEMENT_ADS, query="the smart watch")
    assert ids(answer.results) == [WATCH]
    assert common_pb2.DEGRADATION_LEXICAL_ONLY in answer.degradations


async def test_64_callers_spend_a_budget_and_no_more_and_then_see_no_ad(stand: AdStand) -> None:
    """Each asks, clicks what it is shown, and asks again until it is shown nothing."""
    budget = 6.0
    await stand.sponsor("acme", dict.fromkeys(WATCHES, 0.9), budget=budget)
    await stand.sponsor("rival", {"p003": 0.5}, budget=10_000)
    clicks, after = 0, 0

    async def shopper(number: int) -> None:
        nonlocal clicks, after
        for turn in range(20):
            visitor_id = f"v{number}-{turn}"
            found = await stand.ads(product_ids=["p010"], visitor_id=visitor_id)
            ours = [one for one in found if one.ad.campaign_id == "acme"]
            if not ours:
                return
            await stand.write_events(*(stand.event(one, visitor_id) for one in ours))
            clicks += len(ours)
            spend = await stand.spend("acme")
            assert spend.spent_today <= budget + 0.9
            if spend.spent_today >= budget:
                # From the acknowledged click on that took the last of it, no call shows it again.
                after += 1
                found = await stand.ads(product_ids=["p010"], visitor_id=f"{visitor_id}-later")
                assert {one.ad.campaign_id for one in found} == {"rival"}

    await asyncio.gather(*map(shopper, range(64)))
    spend = await stand.spend("acme")
    assert spend.spent_today == budget
    assert after > 0
    assert spend.clicks == clicks
