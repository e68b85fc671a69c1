"""The placement ADS: sponsored products that fit the call, by auction, within budgets and caps."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from gateway.ads.auction import Bid, by_score, prices
from gateway.ads.click_probability import Shown, corrected
from gateway.ads.expectation import ClickExpectation
from gateway.ads.ledger import AdLedger, AdState
from gateway.ads.money import amount_of
from gateway.ads.pacing import pass_probability, traffic_gone
from gateway.ads.relevance import AdRelevance, Relevant
from gateway.ads.settings import AdsSettings
from gateway.ads.store import KeptCampaign
from gateway.ads.token import AdToken, product_digest, sealed
from gateway.events.spare_reads import SpareReads
from gateway.recommendation.placement import Listing, Visit
from gateway.recommendation.query import Ad, Reason, Recommendation, Source
from gateway.search import Degradation
from vitrine.deadline import Deadline

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Ads:
    """Recommends sponsored products."""

    def __init__(
        self,
        ledger: AdLedger | None,
        reads: SpareReads | None,
        relevance: AdRelevance,
        expectation: ClickExpectation,
        settings: AdsSettings,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`ledger` and `reads` None: there is no event store, and so no ad. `chance` draws from [0, 1), for pacing."""
        self._ledger = ledger
        self._reads = reads
        self._relevance = relevance
        self._expectation = expectation
        self._settings = settings
        self._chance = chance

    async def recommend(self, visit: Visit) -> Listing:
        """See `PlacementRecommender.recommend`. Without the event store nothing is shown, and that is noted."""
        ledger, reads = self._ledger, self._reads
        if ledger is None or reads is None:
            visit.notes.degradations.append(Degradation.NO_PERSONALISATION)
            return Listing(())
        # The first that is asked of the store says whether it is there.
        state = await _kept(lambda deadline: reads.read(lambda: ledger.state(deadline=deadline), deadline), visit)
        if state is None or not state.campaigns.all:
            return Listing(())
        campaigns = self._taking_part(state, visit.query.filter.currency_code, ledger.clock())
        sponsored = sorted({one for campaign in campaigns for one in campaign.bids} - visit.wanted.excluded)
        found = await self._relevance.find(visit, sponsored)
        offers = {(one.serial, ad): one for one in campaigns for ad in one.bids if ad in found.by_id}
        shown = await _kept(lambda deadline: ledger.shown(offers, deadline=deadline), visit)
        if shown is None:
            return Listing((), found.missing_ids)
        bids = self._bids(offers, await self._expectation.expected(found, visit), shown)
        serials = {one.campaign.id: one.serial for one in campaigns}
        asked = [(serials[bid.campaign_id], bid.product_id) for bid in bids]
        outcomes = await _kept(
            lambda deadline: ledger.reserve(
                asked, visit.query.page_size, visit.query.visitor_id, visit.attribution_token, deadline=deadline
            ),
            visit,
        )
        if outcomes is None:
            return Listing((), found.missing_ids)
        standing = [(bid, outcome) for bid, outcome in zip(bids, outcomes, strict=True) if outcome != "refused"]
        costs = prices([bid for bid, _ in standing], self._settings.reserve_price)
        by_id = {one.campaign.id: one for one in campaigns}
        results = [
            self._result(bid, cost, by_id[bid.campaign_id], found.by_id[bid.product_id], visit, state.key)
            for (bid, outcome), cost in zip(standing, costs, strict=True)
            if outcome == "taken"
        ]
        return Listing(results, found.missing_ids)

    def _taking_part(self, state: AdState, wished: str, now: datetime) -> list[KeptCampaign]:
        """Campaigns of one currency that run, have budget left, and are not held back by pacing."""
        running = [
            one
            for one in state.campaigns.all
            if one.campaign.runs(now) and state.spent.get(one.serial, 0) < one.daily_budget
        ]
        code = wished or self._settings.currency or _most_common([one.campaign.currency_code for one in running])
        running = [one for one in running if one.campaign.currency_code == code]
        if not self._settings.pacing:
            return running
        gone, ahead = traffic_gone(now, state.calls_yesterday)
        return [
            one
            for one in running
            if self._chance() < pass_probability(one.daily_budget, state.spent.get(one.serial, 0), gone, ahead)
        ]

    def _bids(
        self,
        offers: Mapping[tuple[int, str], KeptCampaign],
        expected: Mapping[str, float],
        shown: Mapping[tuple[int, str], tuple[Shown, Shown]],
    ) -> list[Bid]:
        bids = []
        for (serial, product_id), campaign in offers.items():
            units = campaign.bids[product_id]
            if units >= self._settings.reserve_price:
                probability = corrected(expected[product_id], *shown[serial, product_id])
                bids.append(Bid(campaign.campaign.id, product_id, units, probability, expected[product_id]))
        return by_score(bids)

    def _result(
        self, bid: Bid, cost: int, kept: KeptCampaign, relevant: Relevant, visit: Visit, key: bytes
    ) -> Recommendation:
        assert self._ledger is not None
        code = kept.campaign.currency_code
        token = AdToken(
            answer_id=visit.attribution_token,
            serial=kept.serial,
            product=product_digest(bid.product_id),
            price=cost,
            expected_clicks=bid.expected_clicks,
            expire_time=self._ledger.clock() + timedelta(hours=self._settings.token_hours),
        )
        ad = Ad(
            campaign_id=bid.campaign_id,
            cost_per_click=amount_of(cost, code),
            currency_code=code,
            ad_token=sealed(token, visit.query.visitor_id, key),
            click_probability=bid.click_probability,
        )
        score = bid.click_probability * amount_of(bid.units, code)
        return Recommendation(relevant.product, score, _reasons(score, bid, amount_of(bid.units, code), relevant), ad)


def _reasons(score: float, bid: Bid, amount: float, relevant: Relevant) -> tuple[Reason, ...]:
    """Relevance r gets the part r / (1 + r) of the score, and being sponsored the rest, which is never less."""
    features = {"click_probability": bid.click_probability, "bid": amount}
    if relevant.source is None:
        return (Reason(Source.SPONSORED, score, features=features),)
    part = score * relevant.relevance / (1 + relevant.relevance)
    return (
        Reason(Source.SPONSORED, score - part, features=features),
        Reason(relevant.source, part, relevant.product_ids, relevant.text, features=dict(relevant.features)),
    )


def _most_common(codes: Sequence[str]) -> str:
    """The code that is there most often, the first by name of equals; "" of none."""
    counts = Counter(codes)
    return min(counts, key=lambda code: (-counts[code], code), default="")


async def _kept(read: Callable[[Deadline], Awaitable[T]], visit: Visit) -> T | None:
    """What the event store says; None, and noted, when it is away."""
    timeout_s = min(visit.wanted.events_timeout_s, visit.wanted.deadline.remaining_s())
    try:
        with visit.notes.timed("ads"):
            return await read(Deadline.after(timeout_s))
    except Exception as error:  # Only the retriever's loss fails a recommendation.
        log.warning("event store away, no ads", error=repr(error))
        visit.notes.degradations.append(Degradation.NO_PERSONALISATION)
        return None
