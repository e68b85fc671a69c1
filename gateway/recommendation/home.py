"""The placement HOME: for this visitor, by history, profile, and what is popular."""

from collections.abc import Coroutine
from functools import partial
from hashlib import blake2b
from typing import Any

from gateway.recommendation.arrange import Arranger
from gateway.recommendation.blend import CandidateList
from gateway.recommendation.candidates import Candidates, lists_of
from gateway.recommendation.evidence import CATEGORIES, Subject
from gateway.recommendation.exploration import explored
from gateway.recommendation.fused import Fused
from gateway.recommendation.kept_listings import KeptListings
from gateway.recommendation.placement import Listing, Visit
from gateway.recommendation.query import Profile, Reason, Recommendation, Source
from gateway.together import together
from vitrine.text import normalize_text

# Shares of the lists; they are divided by their sum, see `blended`.
_PROFILE_SHARE = 0.5
_SEARCHED_SHARE = 0.2
_CATEGORY_SHARE = 0.15
_COUNTRY_SHARE = 0.15
_STATED_SHARE = 0.3
_TREND_SHARE = 0.1
_NEWCOMERS = 20


class Home:
    """Recommends to a visitor, known or not."""

    def __init__(self, candidates: Candidates, arranger: Arranger, fused: Fused | None, kept: KeptListings) -> None:
        """`fused` None: no recommender is served."""
        self._candidates = candidates
        self._arranger = arranger
        self._fused = fused
        self._kept = kept

    async def recommend(self, visit: Visit) -> Listing:
        """See `PlacementRecommender.recommend`."""
        return await self._kept.listing(visit, partial(self._made, visit))

    async def _made(self, visit: Visit) -> Listing:
        taste, query = visit.taste, visit.query
        if self._fused is not None and visit.use_recommender:
            subject = Subject(taste.liked, taste.actions, taste.searched, query.profile_text)
            if (scored := await self._fused.scored(subject, visit)) is not None:
                return Listing(self._arranger.arranged_scored(scored, visit, explore=True))
        results = await self._arranger.arranged(await self._lists(visit), visit)
        if not taste.liked and visit.settings.exploration:
            # What is found by likeness needs no fame; what is popular does.
            newcomers = await self._newcomers(visit)
            new = {one.product.id for one in newcomers}
            results = explored(results, newcomers, visit.settings.exploration, new=new)
        return Listing(results)

    async def _lists(self, visit: Visit) -> list[CandidateList]:
        query, taste, wanted = visit.query, visit.taste, visit.wanted
        texts = (
            (Source.SEARCHED, taste.searched, _SEARCHED_SHARE),
            (Source.PROFILE, query.profile_text, _PROFILE_SHARE),
        )
        calls: list[Coroutine[Any, Any, Any]] = [
            self._candidates.by_text(source, text, share, wanted, visit.notes, "profile_text")
            for source, text, share in texts
            if normalize_text(text)
        ]
        if query.profile != Profile():
            calls.append(self._candidates.stated(query.profile, wanted.depth, _STATED_SHARE, wanted))
        (liked, of_interests), *others = await together(self._liked(visit), *calls)
        lists: list[CandidateList] = [*liked, *others]
        if not normalize_text(query.profile_text) or taste.liked:
            categories = dict.fromkeys([*query.filter.categories, *query.profile.categories] or of_interests)
            lists += await self._turned_to(list(categories)[:CATEGORIES], visit)
        if not any(one.proposals for one in lists):
            lists.append(await self._candidates.popular(Source.POPULAR, 1.0, wanted, visit.notes))
        return lists

    async def _liked(self, visit: Visit) -> tuple[list[CandidateList], list[str]]:
        """What is near the products liked, a list for each interest, and the interests' categories."""
        liked = visit.taste.liked
        if not liked:
            return [], []
        with visit.notes.timed("retrieve"):
            similar = await self._candidates.near(liked, visit.settings.interests, visit.wanted)
        # The more is known of the visitor, the more it counts beside what others like.
        lists = lists_of(similar, Source.HISTORY, len(liked) / (len(liked) + 1))
        return lists, [one.anchor.categories[0] for one in similar.interests if one.anchor.categories]

    async def _turned_to(self, categories: list[str], visit: Visit) -> list[CandidateList]:
        """What visitors turn to in these categories, in the visitor's country, and more than they used to."""
        wanted, notes, country_code = visit.wanted, visit.notes, visit.query.country_code
        popular = self._candidates.popular
        calls = [
            popular(Source.POPULAR_IN_CATEGORY, _CATEGORY_SHARE, wanted, notes, category=category)
            for category in categories
        ]
        if country_code:
            calls.append(popular(Source.POPULAR_IN_COUNTRY, _COUNTRY_SHARE, wanted, notes, country_code=country_code))
        calls.append(popular(Source.TRENDING, _TREND_SHARE, wanted, notes))
        return await together(*calls)

    async def _newcomers(self, visit: Visit) -> list[Recommendation]:
        """The newest products that are not popular; each visitor begins with another one of them."""
        popular = (await self._candidates.counted(Source.POPULAR, visit.wanted, visit.notes)).weights
        if not popular:
            return []
        newest = await self._candidates.newest(_NEWCOMERS, 1.0, popular, visit.wanted)
        found = [Recommendation(one.product, 0.0, (Reason(Source.FRESH, 0.0),)) for one in newest.proposals]
        start = blake2b(visit.query.visitor_id.encode(), digest_size=1).digest()[0] % max(len(found), 1)
        return found[start:] + found[:start]
