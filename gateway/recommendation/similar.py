"""The placement SIMILAR: like the anchors."""

from gateway.recommendation.arrange import Arranger
from gateway.recommendation.candidates import Candidates, lists_of
from gateway.recommendation.placement import Listing, Visit
from gateway.recommendation.query import Source
from vitrine.ports import Anchor


class Similar:
    """Recommends what is like the anchors."""

    def __init__(self, candidates: Candidates, arranger: Arranger) -> None:
        self._candidates = candidates
        self._arranger = arranger

    async def recommend(self, visit: Visit) -> Listing:
        """See `PlacementRecommender.recommend`."""
        anchors = [Anchor(product_id) for product_id in dict.fromkeys(visit.query.product_ids)]
        with visit.notes.timed("retrieve"):
            similar = await self._candidates.near(anchors, visit.settings.interests, visit.wanted)
        lists = lists_of(similar, Source.TEXT_SIMILAR, 1.0)
        return Listing(await self._arranger.arranged(lists, visit), similar.missing_ids)
