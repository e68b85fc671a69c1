"""AdService over real gRPC and HTTP, and events of ads through WriteUserEvents."""

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import httpx
import pytest

from gateway.events.settings import EventsSettings
from gateway.events.store import EventStore
from gateway.unary_calls import SERVICES
from tests.gateway.ads.conftest import AdStand
from tests.gateway.events.test_service import failure
from tests.gateway.recommendation.conftest import LIMIT_S
from vitrine.deadline import Deadline
from vitrine.messages.user_event import event_from_message
from vitrine.user_event import checked_event
from vitrine.v1 import ad_service_pb2 as pb
from vitrine.v1 import common_pb2
from vitrine.v1.recommendation_service_pb2 import PLACEMENT_ADS, RecommendRequest

HTTP = "/vitrine.v1.AdService"
CAMPAIGN = {
    "id": "acme",
    "currencyCode": "CNY",
    "dailyBudget": 10.0,
    "products": [{"productId": "p000", "bid": 1.0}],
    "startTime": "2026-01-02T03:04:05Z",
}


def faults(outcomes: Any) -> list[str]:
    return [one.status.message for one in outcomes]


async def test_one_bad_campaign_fails_alone_by_index_and_field(stand: AdStand) -> None:
    product = pb.SponsoredProduct(product_id="p000", bid=1.0)
    good = {"currency_code": "CNY", "daily_budget": 10.0, "products": [product]}
    never = pb.Campaign(id="never", **good)
    never.end_time.seconds = 10**12
    request = pb.UpsertCampaignsRequest(
        campaigns=[
            pb.Campaign(id="a", **good),
            pb.Campaign(id="b c", **{**good, "daily_budget": -1.0}),
            pb.Campaign(id="d", **{**good, "products": [product, pb.SponsoredProduct(product_id="x", bid=0.001)]}),
            never,
            pb.Campaign(id="e", **good),
        ]
    )
    outcomes = (await stand.campaigns.UpsertCampaigns(request, timeout=LIMIT_S)).outcomes
    assert [one.id for one in outcomes] == ["a", "b c", "d", "never", "e"]
    assert [one.index for one in outcomes] == [0, 1, 2, 3, 4]
    ok, both, finer, time, last = faults(outcomes)
    assert (ok, last) == ("", "")
    assert both.startswith("campaigns[1].id: holds white space")
    assert "campaigns[1].daily_budget: is -1.0; give a finite amount above 0" in both
    assert finer == "campaigns[2].products[1].bid: is 0.001, finer than CNY goes; give a multiple of 0.01"
    assert time.startswith("campaigns[3].end_time: is not a time")
    changed = pb.UpsertCampaignsRequest(campaigns=[pb.Campaign(id="a", **{**good, "currency_code": "EUR"})])
    (fault,) = faults((await stand.campaigns.UpsertCampaigns(changed, timeout=LIMIT_S)).outcomes)
    assert fault == "campaigns[0].currency_code: of this campaign is CNY; give another id for another currency"


async def test_calls_of_another_size_are_refused_whole_and_named(stand: AdStand) -> None:
    ads = stand.campaigns
    for call in (
        ads.UpsertCampaigns(pb.UpsertCampaignsRequest(), timeout=LIMIT_S),
        ads.UpsertCampaigns(pb.UpsertCampaignsRequest(campaigns=[pb.Campaign()] * 101), timeout=LIMIT_S),
        ads.DeleteCampaigns(pb.DeleteCampaignsRequest(), timeout=LIMIT_S),
        ads.ListCampaigns(pb.ListCampaignsRequest(page_size=1_001), timeout=LIMIT_S),
        ads.ListCampaigns(pb.ListCampaignsRequest(page_token="no token"), timeout=LIMIT_S),
    ):
        assert await failure(call) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")


async def test_campaigns_are_listed_by_id_page_by_page_and_deleted(stand: AdStand) -> None:
    for name in ("b", "d", "a", "c"):
        await stand.sponsor(name, {"p000": 1.0})
    found, token = [], ""
    while True:
        request = pb.ListCampaignsRequest(page_size=3, page_token=token)
        page = await stand.campaigns.ListCampaigns(request, timeout=LIMIT_S)
        found += [one.campaign.id for one in page.campaigns]
        token = page.next_page_token
        if not token:
            break
    assert found == ["a", "b", "c", "d"]
    request = pb.DeleteCampaignsRequest(ids=["b", "x"])
    outcomes = (await stand.campaigns.DeleteCampaigns(request, timeout=LIMIT_S)).outcomes
    assert [one.status.code for one in outcomes] == [0, grpc.StatusCode.NOT_FOUND.value[0]]


async def test_an_event_that_was_written_but_not_charged_is_charged_when_it_is_sent_again(
    stand: AdStand, events_settings: EventsSettings
) -> None:
    """What a gateway leaves that ends between the two is made whole by the caller who had no answer."""
    await stand.sponsor("acme", {"p000": 1.0})
    (ad,) = await stand.ads(product_ids=["p001"], visitor_id="ana")
    click = stand.event(ad)
    store = EventStore(events_settings)
    await store.write([checked_event(event_from_message(click), datetime.now(UTC))], deadline=Deadline.after(LIMIT_S))
    await store.close()
    assert (await stand.spend("acme")).spent == 0.0
    for _ in range(2):
        assert (await stand.write_events(click)).duplicates == 1
        assert (await stand.spend("acme")).spent == pytest.approx(ad.ad.cost_per_click)
    again = stand.event(ad)
    assert (await stand.write_events(again)).duplicates == 0
    spend = await stand.spend("acme")
    assert (spend.spent, spend.clicks, spend.impressions) == (pytest.approx(ad.ad.cost_per_click), 1, 1)


async def test_an_event_with_a_token_that_is_worth_nothing_is_kept(stand: AdStand) -> None:
    await stand.sponsor("acme", {"p000": 1.0})
    (ad,) = await stand.ads(product_ids=["p001"], visitor_id="ana")
    forged = ad.ad.ad_token[:-1] + ("A" if ad.ad.ad_token[-1] != "A" else "E")
    answer = await stand.write_events(
        stand.event(ad, attribution_token=forged),
        stand.event(ad, attribution_token=""),
        stand.event(ad, visitor_id="ben"),
    )
    assert faults(answer.outcomes) == ["", "", ""]
    assert (await stand.spend("acme")).clicks == 0
    await stand.campaigns.DeleteCampaigns(pb.DeleteCampaignsRequest(ids=["acme"]), timeout=LIMIT_S)
    assert faults((await stand.write_events(stand.event(ad))).outcomes) == [""]


async def test_an_erased_visitors_click_is_refused_and_costs_nothing(stand: AdStand) -> None:
    await stand.sponsor("acme", {"p000": 1.0})
    (ad,) = await stand.ads(product_ids=["p001"], visitor_id="ana")
    click = stand.event(ad)
    click.event_time.FromDatetime(datetime.now(UTC) - timedelta(seconds=1))
    await stand.shop.gateway.api.user_events.delete_visitor("ana", deadline=Deadline.after(LIMIT_S))
    (outcome,) = (await stand.write_events(click)).outcomes
    assert outcome.status.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    assert (await stand.spend("acme")).spent == 0.0


async def test_campaigns_over_http(stand: AdStand) -> None:
    async with (
        stand.shop.gateway.http() as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT_S, trust_env=False) as client,
    ):
        reply = await client.post(f"{HTTP}/UpsertCampaigns", json={"campaigns": [CAMPAIGN]})
        assert reply.json() == {"outcomes": [{"id": "acme"}]}
        reply = await client.post(
            "/vitrine.v1.RecommendationService/Recommend", json={"placement": "PLACEMENT_ADS", "productIds": ["p001"]}
        )
        (ad,) = reply.json()["results"]
        assert ad["reasons"][0]["source"] == "RECOMMENDATION_SOURCE_SPONSORED"
        event = {
            "eventId": "e1",
            "eventType": "EVENT_TYPE_AD_CLICK",
            "visitorId": "ana",
            "products": [{"productId": "p000"}],
            "attributionToken": ad["ad"]["adToken"],
        }
        await client.post("/vitrine.v1.UserEventService/WriteUserEvents", json={"events": [event]})
        listed = (await client.post(f"{HTTP}/ListCampaigns", json={})).json()
        assert listed["campaigns"] == [
            {
                "campaign": CAMPAIGN,
                "spend": {
                    "spentToday": 0.01,
                    "spent": 0.01,
                    "impressionsToday": "1",
                    "clicksToday": "1",
                    "impressions": "1",
                    "clicks": "1",
                },
            }
        ]
        wrong = (await client.post(f"{HTTP}/UpsertCampaigns", json={"campaigns": []})).json()
        assert (wrong["code"], wrong["message"]) == (
            "invalid_argument",
            "campaigns: has 0 entries; give 1 to 100 in one request",
        )
        deleted = (await client.post(f"{HTTP}/DeleteCampaigns", json={"ids": ["acme"]})).json()
        assert deleted == {"outcomes": [{"id": "acme"}]}


async def test_without_an_event_store_there_are_no_campaigns_and_no_ads(open_shop: Any) -> None:
    shop = await open_shop()
    api, deadline = shop.gateway.api, Deadline.after(LIMIT_S)
    with pytest.raises(Exception, match="VITRINE_EVENTS_REDIS_URL"):
        await api.list_campaigns(pb.ListCampaignsRequest(), deadline)
    answer = await api.recommend(RecommendRequest(placement=PLACEMENT_ADS, query="smart watch"), deadline)
    assert not answer.results
    assert common_pb2.DEGRADATION_NO_PERSONALISATION in answer.degradations


def test_the_service_is_named() -> None:
    assert "vitrine.v1.AdService" in SERVICES
