"""Arrange: lists of candidates to the answer's order, full and diverse."""

from collections.abc import Sequence

from gateway.recommendation.blend import CandidateList, blended
from gateway.recommendation.candidates import Candidates
from gateway.recommendation.diversity import diversified
from gateway.recommendation.placement import Visit
from gateway.recommendation.query import Recommendation, Source

# So little that what only fills up stands behind.
_FILL_SHARE = 0.01


class Arranger:
    """The last stage of every placement whose lists are blended."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates

    async def arranged(self, lists: Sequence[CandidateList], visit: Visit) -> list[Recommendation]:
        """The lists blended, `page_size` of them while so many products may be shown."""
        lists = await self._filled_up(lists, visit)
        with visit.notes.timed("arrange"):
            return diversified(blended(lists), visit.query.page_size, visit.settings.diversity)

    async def _filled_up(self, lists: Sequence[CandidateList], visit: Visit) -> Sequence[CandidateList]:
        """The lists, and further ones while they hold too few products: popular, then newest."""
        count, wanted, notes = visit.query.page_size, visit.wanted, visit.notes
        proposed = {proposal.product.id for one in lists for proposal in one.proposals}
        if len(proposed) < count and all(one.source is not Source.POPULAR for one in lists):
            popular = await self._candidates.popular("", _FILL_SHARE, wanted, notes)
            lists = [*lists, popular]
            proposed.update(proposal.product.id for proposal in popular.proposals)
        if len(proposed) < count:
            with notes.timed("retrieve"):
                newest = await self._candidates.newest(count - len(proposed), _FILL_SHARE, proposed, wanted)
            lists = [*lists, newest]
        return lists
