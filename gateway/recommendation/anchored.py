"""The placements that begin with products: SIMILAR is like them, COMPLEMENTARY and CART go with them."""

from datetime import UTC, datetime

import numpy as np

from gateway.recommendation.arrange import Arranger
from gateway.recommendation.candidates import Candidates, lists_of
from gateway.recommendation.columns import first_category
from gateway.recommendation.evidence import Subject
from gateway.recommendation.fused import Fused, Scored
from gateway.recommendation.placement import Listing, Visit
from gateway.recommendation.query import Source
from vitrine.ports import Anchor, Relation, VisitorAction
from vitrine.user_event import EventType


class Anchored:
    """Recommends by anchors."""

    def __init__(
        self, candidates: Candidates, arranger: Arranger, fused: Fused | None, *, goes_with: bool = False
    ) -> None:
        """`fused` None: no recommender is served, and what goes with the anchors is what is like them."""
        self._candidates = candidates
        self._arranger = arranger
        self._fused = fused
        self._goes_with = goes_with

    async def recommend(self, visit: Visit) -> Listing:
        """See `PlacementRecommender.recommend`."""
        anchors = [Anchor(product_id) for product_id in dict.fromkeys(visit.query.product_ids)]
        if self._fused is not None and visit.use_recommender:
            subject = Subject(anchors, self._actions(anchors))
            scored = await self._fused.scored(subject, visit, goes_with=self._goes_with)
            if scored is not None:
                if self._goes_with:
                    scored = _without_others_of_a_kind(scored, visit.query.page_size)
                return Listing(self._arranger.arranged_scored(scored, visit, explore=False), scored.related.missing_ids)
        with visit.notes.timed("retrieve"):
            similar = await self._candidates.near(anchors, visit.settings.interests, visit.wanted)
        lists = lists_of(similar, Source.TEXT_SIMILAR, 1.0)
        return Listing(await self._arranger.arranged(lists, visit), similar.missing_ids)

    def _actions(self, anchors: list[Anchor]) -> list[VisitorAction]:
        """The anchors as a history, newest first: what stands last in a cart came last."""
        kind = EventType.ADD_TO_CART if self._goes_with else EventType.VIEW_ITEM
        now = datetime.now(UTC)
        return [VisitorAction(kind, now, anchor.product_id) for anchor in reversed(anchors)]


def _without_others_of_a_kind(scored: Scored, count: int) -> Scored:
    """Without products of an anchor's category that were never bought with one, but for those that fill up to `count`.

    A second phone is like the phone in the cart, and does not go with it.
    """
    kinds = {first_category(product) for product, _ in scored.evidence.anchors} - {""}
    related = scored.related
    if (bought := related.relations.get(Relation.CO_PURCHASE)) is None:
        bought_with = np.zeros(len(related.products), np.bool_)
    else:
        bought_with = bought.scores > 0  # NaN, where nothing is known, is not
    others = [
        place for place, one in enumerate(related.products) if first_category(one) in kinds and not bought_with[place]
    ]
    left_out = set(others[max(count - (len(related.products) - len(others)), 0) :])
    return scored.only([place for place in range(len(related.products)) if place not in left_out])
