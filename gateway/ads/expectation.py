"""Expectation: how likely a relevant ad is clicked, before what it showed so far is known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from gateway.ads.click_probability import relevance_probability, scaled
from gateway.ads.relevance import Found
from gateway.recommendation.evidence import Subject
from gateway.recommendation.fused import Fused
from gateway.recommendation.placement import Visit
from gateway.recommendation.query import Source
from vitrine.ports import Anchor, VisitorAction
from vitrine.text import normalize_text
from vitrine.user_event import EventType

# As many as the fusion model scores in one call.
_SCORED = 1_000
_BY_WORDS = (Source.SEARCHED, Source.PROFILE)


class ClickExpectation:
    """p(click) by the recommender where one is served, else by relevance alone."""

    def __init__(self, fused: Fused | None, click_rate: float) -> None:
        """`fused` None: no recommender is served."""
        self._fused = fused
        self._click_rate = click_rate

    async def expected(self, found: Found, visit: Visit) -> Mapping[str, float]:
        """By product id, in (0, 1). Raises what the retriever raises.

        The recommender knows what this visitor clicks, and the ranker what answers these words: what was found by words
        has the recommender's odds times what its relevance makes of the middling rate.
        """
        by_relevance = {
            product_id: relevance_probability(one.relevance, self._click_rate)
            for product_id, one in found.by_id.items()
        }
        if self._fused is None or not visit.use_recommender or not by_relevance:
            return by_relevance
        ids = list(by_relevance)[:_SCORED]
        # They were held against the filter before, as what is sponsored.
        all_of_them = replace(visit, wanted=replace(visit.wanted, excluded=frozenset()))
        scored = await self._fused.scored(_subject(visit), all_of_them, only=ids)
        if scored is None:
            return by_relevance
        expected = dict(by_relevance)
        for product, probability in zip(scored.related.products, scored.probabilities.tolist(), strict=True):
            product_id = product.id
            by_words = found.by_id[product_id].source in _BY_WORDS
            factor = by_relevance[product_id] / self._click_rate if by_words else 1.0
            expected[product_id] = scaled(probability, factor)
        return expected


def _subject(visit: Visit) -> Subject:
    query, taste = visit.query, visit.taste
    if normalize_text(query.query) or not query.product_ids:
        return Subject(taste.liked, taste.actions, query.query or taste.searched, query.profile_text)
    anchors = [Anchor(product_id) for product_id in dict.fromkeys(query.product_ids)]
    return Subject(anchors, _viewed(anchors))


def _viewed(anchors: Sequence[Anchor]) -> list[VisitorAction]:
    """The anchors as a history, newest first."""
    now = datetime.now(UTC)
    return [VisitorAction(EventType.VIEW_ITEM, now, anchor.product_id) for anchor in reversed(anchors)]
