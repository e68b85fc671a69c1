"""The placement HOME: for this visitor, by history, profile, and what is popular."""

from gateway.recommendation.arrange import Arranger
from gateway.recommendation.blend import CandidateList
from gateway.recommendation.candidates import Candidates, lists_of
from gateway.recommendation.placement import Listing, Visit
from gateway.recommendation.query import Source
from vitrine.text import normalize_text

# Shares of the lists; they are divided by their sum, see `blended`.
_PROFILE_SHARE = 0.5
_SEARCHED_SHARE = 0.2
_CATEGORY_SHARE = 0.15
_CATEGORIES = 3


class Home:
    """Recommends to a visitor, known or not."""

    def __init__(self, candidates: Candidates, arranger: Arranger) -> None:
        self._candidates = candidates
        self._arranger = arranger

    async def recommend(self, visit: Visit) -> Listing:
        """See `PlacementRecommender.recommend`."""
        return Listing(await self._arranger.arranged(await self._lists(visit), visit))

    async def _lists(self, visit: Visit) -> list[CandidateList]:
        query, taste, wanted, notes = visit.query, visit.taste, visit.wanted, visit.notes
        lists: list[CandidateList] = []
        categories = list(query.filter.categories)
        if taste.liked:
            # The more is known of the visitor, the more it counts beside what others like.
            known = len(taste.liked) / (len(taste.liked) + 1)
            with notes.timed("retrieve"):
                similar = await self._candidates.near(taste.liked, visit.settings.interests, wanted)
            lists += lists_of(similar, Source.HISTORY, known)
            categories = categories or [
                interest.anchor.categories[0] for interest in similar.interests if interest.anchor.categories
            ]
        texts = (
            (Source.SEARCHED, taste.searched, _SEARCHED_SHARE),
            (Source.PROFILE, query.profile_text, _PROFILE_SHARE),
        )
        for source, text, share in texts:
            if normalize_text(text):
                lists.append(await self._candidates.by_text(source, text, share, wanted, notes, "profile_text"))
        if not normalize_text(query.profile_text) or taste.liked:
            for category in list(dict.fromkeys(categories))[:_CATEGORIES]:
                lists.append(await self._candidates.popular(category, _CATEGORY_SHARE, wanted, notes))
        if not any(one.proposals for one in lists):
            lists.append(await self._candidates.popular("", 1.0, wanted, notes))
        return lists
