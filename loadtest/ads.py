"""`python -m loadtest.ads`: many callers spend a campaign's budget; exits 1 when it was overspent or shown after.

It asks a suite that runs, whose gateway was started with VITRINE_ADS_PACING=false.
"""

import asyncio
import itertools
import os
import time
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Annotated, Any

import typer

from vitrine.client import Client
from vitrine.v1 import (
    ad_service_pb2,
    ad_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
    user_event_pb2,
    user_event_service_pb2,
    user_event_service_pb2_grpc,
)

_SPENDER, _RIVAL = "loadtest-spender", "loadtest-rival"
_PRODUCTS = 5
_BID, _RIVAL_BID = 1.0, 0.6
_LIMIT_S = 60.0


@dataclass
class Spending:
    """What the callers saw."""

    clicks: int = 0
    promised: float = 0.0
    asked_s: list[float] = field(default_factory=list)
    clicked_s: list[float] = field(default_factory=list)
    is_gone: asyncio.Event = field(default_factory=asyncio.Event)
    calls_after: int = 0
    shown_after: int = 0


def main(
    target: Annotated[str, typer.Option(help="host:port of the gateway.")] = "127.0.0.1:50051",
    callers: Annotated[int, typer.Option(min=1, help="Callers at a time.")] = 64,
    budget: Annotated[float, typer.Option(min=0.01, help="The campaign's daily budget.")] = 200.0,
    query: Annotated[str, typer.Option(help="What they search for.")] = "router",
) -> None:
    """Have callers ask for ads and click what they are shown until the budget is gone, and 3 calls each after that."""
    raise typer.Exit(asyncio.run(_measured(target, callers, budget, query)))


async def _measured(target: str, callers: int, budget: float, query: str) -> int:
    async with Client(target) as gateway:
        ads = ad_service_pb2_grpc.AdServiceStub(gateway.channel)
        search = search_service_pb2_grpc.SearchServiceStub(gateway.channel)
        found = await search.Search(search_service_pb2.SearchRequest(query=query), timeout=_LIMIT_S)
        ids = [result.product.id for result in found.results]
        if len(ids) <= _PRODUCTS:
            typer.echo(f"the shop has {len(ids)} products for {query!r}; give a --query with more", err=True)
            return 2
        await ads.DeleteCampaigns(ad_service_pb2.DeleteCampaignsRequest(ids=[_SPENDER, _RIVAL]), timeout=_LIMIT_S)
        campaigns = [
            _campaign(_SPENDER, ids[:_PRODUCTS], _BID, budget),
            _campaign(_RIVAL, ids[_PRODUCTS:], _RIVAL_BID, 1e6),
        ]
        await ads.UpsertCampaigns(ad_service_pb2.UpsertCampaignsRequest(campaigns=campaigns), timeout=_LIMIT_S)
        seen, began_s = Spending(), time.monotonic()
        shops = (_shop(gateway.channel, ads, seen, query, budget, f"{number}") for number in range(callers))
        await asyncio.gather(*shops)
        took_s, spent = time.monotonic() - began_s, await _spent(ads)
        await ads.DeleteCampaigns(ad_service_pb2.DeleteCampaignsRequest(ids=[_SPENDER, _RIVAL]), timeout=_LIMIT_S)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    typer.echo(f"{callers} callers, {took_s:.1f} s, load {load}")
    typer.echo(f"asked for ads  {_times(seen.asked_s)}")
    typer.echo(f"clicked        {_times(seen.clicked_s)}")
    typer.echo(f"{seen.clicks} clicks at {seen.promised:.2f} in all; budget {budget:.2f}, spent {spent:.2f}")
    typer.echo(f"after the budget was gone: {seen.calls_after} calls, shown in {seen.shown_after}")
    return int(spent > budget or seen.shown_after > 0)


async def _shop(channel: Any, ads: Any, seen: Spending, query: str, budget: float, name: str) -> None:
    recommend = recommendation_service_pb2_grpc.RecommendationServiceStub(channel).Recommend
    write = user_event_service_pb2_grpc.UserEventServiceStub(channel).WriteUserEvents
    left = 3
    for turn in itertools.count():
        visitor_id, was_gone, at_s = f"loadtest-{os.getpid()}-{name}-{turn}", seen.is_gone.is_set(), time.monotonic()
        request = recommendation_service_pb2.RecommendRequest(
            placement=recommendation_service_pb2.PLACEMENT_ADS, query=query, visitor_id=visitor_id
        )
        answer = await recommend(request, timeout=_LIMIT_S)
        seen.asked_s.append(time.monotonic() - at_s)
        ours = [one for one in answer.results if one.ad.campaign_id == _SPENDER]
        seen.calls_after += was_gone
        seen.shown_after += was_gone and bool(ours)
        left -= not ours
        if not left:
            return
        if ours:
            at_s = time.monotonic()
            events = [_event(one, visitor_id, kind) for one in ours for kind in ("IMPRESSION", "CLICK")]
            await write(user_event_service_pb2.WriteUserEventsRequest(events=events), timeout=_LIMIT_S)
            seen.clicked_s.append(time.monotonic() - at_s)
            seen.clicks += len(ours)
            seen.promised += sum(one.ad.cost_per_click for one in ours)
            if seen.promised >= budget and not seen.is_gone.is_set() and await _spent(ads) >= budget:
                seen.is_gone.set()


async def _spent(ads: Any) -> float:
    page = await ads.ListCampaigns(ad_service_pb2.ListCampaignsRequest(page_size=1_000), timeout=_LIMIT_S)
    return next(float(one.spend.spent_today) for one in page.campaigns if one.campaign.id == _SPENDER)


def _campaign(campaign_id: str, ids: list[str], bid: float, budget: float) -> ad_service_pb2.Campaign:
    products = [ad_service_pb2.SponsoredProduct(product_id=one, bid=bid) for one in ids]
    return ad_service_pb2.Campaign(id=campaign_id, currency_code="CNY", daily_budget=budget, products=products)


def _event(
    result: recommendation_service_pb2.RecommendationResult, visitor_id: str, kind: str
) -> user_event_pb2.UserEvent:
    return user_event_pb2.UserEvent(
        event_id=f"{visitor_id}-{result.product.id}-{kind}",
        event_type=f"EVENT_TYPE_AD_{kind}",
        visitor_id=visitor_id,
        products=[user_event_pb2.EventProduct(product_id=result.product.id)],
        attribution_token=result.ad.ad_token,
    )


def _times(seconds: list[float]) -> str:
    cuts = quantiles(seconds, n=100)
    return f"{len(seconds):>6,} calls, p50 {cuts[49] * 1e3:.0f} ms, p95 {cuts[94] * 1e3:.0f} ms"


if __name__ == "__main__":
    typer.run(main)
