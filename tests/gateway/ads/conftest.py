"""A shop with campaigns, asked over real gRPC, in front of a real event store."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any

import pytest

from gateway.events.settings import EventsSettings
from tests.gateway.events.conftest import events_settings, raw, store_server
from tests.gateway.recommendation.conftest import (
    LIMIT_S,
    OpenStand,
    Stand,
    learned_embedder,
    learned_folder,
    open_learned_stand,
)
from vitrine.v1 import ad_service_pb2 as ads_pb
from vitrine.v1 import ad_service_pb2_grpc, user_event_pb2
from vitrine.v1 import recommendation_service_pb2 as pb
from vitrine.v1.user_event_service_pb2 import WriteUserEventsRequest, WriteUserEventsResponse

__all__ = [
    "events_settings",
    "learned_embedder",
    "learned_folder",
    "open_learned_stand",
    "raw",
    "store_server",
]


class AdStand(Stand):
    """What a test does with the shop's ads: campaigns, answers, impressions and clicks."""

    def __init__(self, shop: Any, channel: Any) -> None:
        super().__init__(shop, channel)
        self.campaigns = ad_service_pb2_grpc.AdServiceStub(channel)
        self._sent = count()

    async def sponsor(
        self, campaign_id: str, bids: dict[str, float], budget: float = 100.0, **fields: Any
    ) -> ads_pb.UpsertCampaignsResponse:
        """Writes a campaign; currency CNY unless another is given."""
        campaign = ads_pb.Campaign(
            id=campaign_id,
            daily_budget=budget,
            products=[ads_pb.SponsoredProduct(product_id=one, bid=bid) for one, bid in bids.items()],
            **{"currency_code": "CNY", **fields},
        )
        request = ads_pb.UpsertCampaignsRequest(campaigns=[campaign])
        answer: ads_pb.UpsertCampaignsResponse = await self.campaigns.UpsertCampaigns(request, timeout=LIMIT_S)
        return answer

    async def ads(self, **fields: Any) -> Sequence[pb.RecommendationResult]:
        """The ads of one call."""
        answer = await self.recommend(placement=pb.PLACEMENT_ADS, **fields)
        assert not answer.degradations
        return answer.results

    async def write_events(self, *events: user_event_pb2.UserEvent) -> WriteUserEventsResponse:
        """Writes events as they are."""
        request = WriteUserEventsRequest(events=events)
        answer: WriteUserEventsResponse = await self._events.WriteUserEvents(request, timeout=LIMIT_S)
        return answer

    def event(
        self, result: pb.RecommendationResult, visitor_id: str = "ana", kind: str = "CLICK", **fields: Any
    ) -> user_event_pb2.UserEvent:
        """A click on an ad, or its impression."""
        given: dict[str, Any] = {
            "event_id": f"ad{next(self._sent)}",
            "products": [user_event_pb2.EventProduct(product_id=result.product.id)],
            "attribution_token": result.ad.ad_token,
            **fields,
        }
        event_type = user_event_pb2.EventType.Value(f"EVENT_TYPE_AD_{kind}")
        return user_event_pb2.UserEvent(event_type=event_type, visitor_id=visitor_id, **given)

    async def click(self, result: pb.RecommendationResult, visitor_id: str = "ana", **fields: Any) -> None:
        """Reports a click on an ad."""
        answer = await self.write_events(self.event(result, visitor_id, **fields))
        assert not answer.outcomes[0].HasField("status")

    async def spend(self, campaign_id: str) -> ads_pb.CampaignSpend:
        """What a campaign spent."""
        page = await self.campaigns.ListCampaigns(ads_pb.ListCampaignsRequest(), timeout=LIMIT_S)
        (found,) = (one.spend for one in page.campaigns if one.campaign.id == campaign_id)
        spend: ads_pb.CampaignSpend = found
        return spend


OpenAdStand = Callable[..., Awaitable[AdStand]]


@pytest.fixture
async def open_ads(
    open_shop: Any,
    start_server: Any,
    channel_to: Any,
    events_settings: EventsSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> OpenAdStand:
    """Opens a shop of the sample products over an empty event store; keywords are fields of AdsSettings.

    Pacing is off unless it is asked for.
    """
    monkeypatch.setenv("VITRINE_RECOMMENDATION_EVENTS_TIMEOUT_S", "30")

    async def opened(**settings: Any) -> AdStand:
        for name, value in {"pacing": False, **settings}.items():
            monkeypatch.setenv(f"VITRINE_ADS_{name.upper()}", str(value))
        shop = await open_shop(own_catalogue=True, events=events_settings)
        server = await start_server(shop.gateway.add_to)
        return AdStand(shop, channel_to(server.port))

    return opened


@pytest.fixture
async def stand(open_ads: OpenAdStand) -> AdStand:
    """A shop with the settings' defaults, but for pacing."""
    return await open_ads()


@pytest.fixture
async def learned_stand(
    open_learned_stand: OpenStand, start_server: Any, channel_to: Any, monkeypatch: pytest.MonkeyPatch
) -> AdStand:
    """A shop that serves a recommender of its products; no pacing."""
    monkeypatch.setenv("VITRINE_ADS_PACING", "false")
    shop = (await open_learned_stand()).shop
    return AdStand(shop, channel_to((await start_server(shop.gateway.add_to)).port))
