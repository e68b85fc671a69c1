"""The pipeline of recommendation: history, candidates, blend, arrange; each part that is missing is told."""

import secrets
from dataclasses import replace

import structlog

from gateway.admission import Admission
from gateway.metrics import RECOMMENDATION_STAGE_SECONDS, RECOMMENDATIONS
from gateway.notes import Notes
from gateway.recommendation.blend import CandidateList, blended
from gateway.recommendation.candidates import Candidates, Wanted, lists_of
from gateway.recommendation.diversity import diversified
from gateway.recommendation.query import Placement, RecommendAnswer, RecommendQuery, Source, check_query
from gateway.recommendation.settings import RecommendationSettings
from gateway.recommendation.taste import Taste, taste_of
from gateway.search import Degradation
from vitrine.deadline import Deadline
from vitrine.ports import Anchor, ProductFilter, Shortfall, Similar, VisitorHistory
from vitrine.product import Availability
from vitrine.text import normalize_text

log = structlog.get_logger(__name__)

# Shares of the lists; they are divided by their sum, see `blended`.
_PROFILE_SHARE = 0.5
_SEARCHED_SHARE = 0.2
_CATEGORY_SHARE = 0.15
# So little that what only fills up stands behind.
_FILL_SHARE = 0.01
_CATEGORIES = 3
_BUYABLE = (Availability.IN_STOCK, Availability.PREORDER, Availability.BACKORDER)


class Recommender:
    """Recommends; only the retriever's loss fails a call."""

    def __init__(
        self,
        candidates: Candidates,
        history: VisitorHistory | None,
        admission: Admission,
        settings: RecommendationSettings,
    ) -> None:
        """`history` None: there is no event store."""
        self._candidates = candidates
        self._history = history
        self._admission = admission
        self._settings = settings

    async def recommend(self, query: RecommendQuery, *, deadline: Deadline) -> RecommendAnswer:
        """Recommends `page_size` products, fewer only when no more may be shown.

        Raises InvalidArgument, Unimplemented (a placement not served), ResourceExhausted (too many calls inside),
        DeadlineExceeded and Unavailable (the retriever is away).
        """
        check_query(query)
        with self._admission.admit():
            deadline.check("the recommendation")
            notes = Notes()
            with notes.timed("total"):
                answer = await self._recommended(query, notes, deadline)
        for stage, duration_ms in notes.timings_ms.items():
            RECOMMENDATION_STAGE_SECONDS.labels(stage).observe(duration_ms / 1000)
        for one in answer.results:
            RECOMMENDATIONS.labels(query.placement.value, one.reasons[0].source.value).inc()
        return replace(answer, timings_ms=notes.timings_ms)

    async def _recommended(self, query: RecommendQuery, notes: Notes, deadline: Deadline) -> RecommendAnswer:
        events_timeout_s = min(self._settings.events_timeout_s, deadline.remaining_s() / 4)
        with notes.timed("visitor"):
            taste = await self._taste(query.visitor_id, notes, Deadline.after(events_timeout_s))
        wanted = Wanted(
            filter=_buyable(query.filter),
            excluded=_excluded(query, taste),
            depth=min(3 * query.page_size + 20, 200),
            deadline=deadline,
            events_timeout_s=events_timeout_s,
        )
        if query.placement is Placement.SIMILAR:
            anchors = [Anchor(product_id) for product_id in dict.fromkeys(query.product_ids)]
            similar = await self._near(anchors, wanted, notes)
            lists, missing = lists_of(similar, Source.TEXT_SIMILAR, 1.0), similar.missing_ids
        else:
            lists, missing = await self._home(query, taste, wanted, notes), ()
        lists = await self._filled_up(lists, query.page_size, wanted, notes)
        with notes.timed("arrange"):
            results = diversified(blended(lists), query.page_size, self._settings.diversity)
        return RecommendAnswer(
            results=tuple(results),
            shortfall=Shortfall.NO_MORE_MATCHES if len(results) < query.page_size else None,
            degradations=tuple(dict.fromkeys(notes.degradations)),
            attribution_token=secrets.token_urlsafe(12),
            missing_product_ids=missing,
            timings_ms={},
        )

    async def _taste(self, visitor_id: str, notes: Notes, deadline: Deadline) -> Taste:
        """What is known of the visitor; nothing, and noted, when the event store is away."""
        if not visitor_id:
            return Taste()
        if self._history is not None:
            try:
                return taste_of(await self._history.history(visitor_id, deadline=deadline))
            except Exception as error:  # Only the retriever's loss fails a recommendation.
                log.warning("event store away, recommended without history", error=repr(error))
        notes.degradations.append(Degradation.NO_PERSONALISATION)
        return Taste()

    async def _near(self, anchors: list[Anchor], wanted: Wanted, notes: Notes) -> Similar:
        with notes.timed("retrieve"):
            return await self._candidates.near(anchors, self._settings.interests, wanted)

    async def _home(self, query: RecommendQuery, taste: Taste, wanted: Wanted, notes: Notes) -> list[CandidateList]:
        lists: list[CandidateList] = []
        categories = list(query.filter.categories)
        if taste.liked:
            # The more is known of the visitor, the more it counts beside what others like.
            known = len(taste.liked) / (len(taste.liked) + 1)
            similar = await self._near(list(taste.liked), wanted, notes)
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

    async def _filled_up(
        self, lists: list[CandidateList], count: int, wanted: Wanted, notes: Notes
    ) -> list[CandidateList]:
        """The lists, and further ones while they hold fewer than `count` products: popular, then newest."""
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


def _buyable(filter: ProductFilter) -> ProductFilter:
    return filter if filter.availabilities else replace(filter, availabilities=_BUYABLE)


def _excluded(query: RecommendQuery, taste: Taste) -> frozenset[str]:
    include_seen = query.include_seen
    if include_seen is None:
        include_seen = query.placement is Placement.SIMILAR
    shown = frozenset() if include_seen else taste.seen
    return frozenset((*query.product_ids, *query.exclude_product_ids)) | taste.bought | shown
