"""Arrange: what was found to the answer's order, full and diverse, with a place for what is new."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gateway.recommendation.blend import CandidateList, blended
from gateway.recommendation.candidates import Candidates
from gateway.recommendation.diversity import diversified
from gateway.recommendation.exploration import explored
from gateway.recommendation.fused import Scored
from gateway.recommendation.placement import Visit
from gateway.recommendation.profile_fit import with_profile
from gateway.recommendation.query import Recommendation, Source

# So little that what only fills up stands behind.
_FILL_SHARE = 0.01


class Arranger:
    """The last stage of most placements."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates

    async def arranged(self, lists: Sequence[CandidateList], visit: Visit) -> list[Recommendation]:
        """The lists blended, `page_size` of them while so many products may be shown."""
        lists = await self._filled_up(_weighted(lists, visit.source_weights), visit)
        with visit.notes.timed("arrange"):
            found = with_profile(blended(lists), visit.query.profile)
            relevance = np.array([one.score for one in found]) / (found[0].score if found else 1.0)
            products = [one.product for one in found]
            places = diversified(products, relevance, visit.query.page_size, visit.settings.diversity)
            return [found[place] for place in places]

    def arranged_scored(self, scored: Scored, visit: Visit, *, explore: bool) -> list[Recommendation]:
        """The first of what was scored; `explore`: with places for products that nobody knows yet."""
        count = visit.query.page_size
        with visit.notes.timed("arrange"):
            products = scored.related.products
            pool = products[: 3 * count + 20]
            relevance = scored.probabilities[: len(pool)] / (scored.probabilities[0] if pool else 1.0)
            taken = diversified(pool, relevance, count, visit.settings.diversity)
            # Reasons are made for what is shown alone.
            found = list(map(scored.recommendation, taken))
            if not explore or not visit.settings.exploration:
                return found
            unknown = {
                products[place].id: place
                for place in np.flatnonzero(scored.related.trained_events == 0).tolist()
                if products[place].id not in scored.evidence.popular
            }
            newcomers = (scored.recommendation(place) for place in unknown.values() if place not in taken)
            return explored(found, newcomers, visit.settings.exploration, new=unknown)

    async def _filled_up(self, lists: Sequence[CandidateList], visit: Visit) -> Sequence[CandidateList]:
        """The lists, and further ones while they hold too few products: popular, then newest."""
        count, wanted, notes = visit.query.page_size, visit.wanted, visit.notes
        proposed = {proposal.product.id for one in lists for proposal in one.proposals}
        if len(proposed) < count and all(one.source is not Source.POPULAR for one in lists):
            popular = await self._candidates.popular(Source.POPULAR, _FILL_SHARE, wanted, notes)
            lists = [*lists, popular]
            proposed.update(proposal.product.id for proposal in popular.proposals)
        if len(proposed) < count:
            with notes.timed("retrieve"):
                newest = await self._candidates.newest(count - len(proposed), _FILL_SHARE, proposed, wanted)
            lists = [*lists, newest]
        return lists


def _weighted(lists: Sequence[CandidateList], weights: Mapping[str, float]) -> list[CandidateList]:
    """The lists with their shares times their sources' weights; without those that weigh nothing."""
    weighted = [replace(one, share=one.share * weights.get(one.source.value, 1.0)) for one in lists]
    return [one for one in weighted if one.share > 0]
