"""The pipeline of recommendation: the visitor's history, then the placement's own; each part missing is told."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from gateway.admission import Admission
from gateway.experiments.arm_settings import ArmSettings
from gateway.experiments.assignment import Call, Experiments
from gateway.experiments.interleaving import team_draft
from gateway.metrics import RECOMMENDATION_DEGRADATIONS, RECOMMENDATION_STAGE_SECONDS, RECOMMENDATIONS
from gateway.notes import Notes
from gateway.recommendation.candidates import Wanted
from gateway.recommendation.placement import PlacementRecommender, Visit
from gateway.recommendation.query import Placement, RecommendAnswer, RecommendQuery, check_query
from gateway.recommendation.settings import RecommendationSettings
from gateway.recommendation.taste import Taste, taste_of
from gateway.releases.current import answering_by
from gateway.releases.follower import Follower
from gateway.search import Degradation
from vitrine.deadline import Deadline
from vitrine.ports import ProductFilter, Shortfall, VisitorAction, VisitorHistory
from vitrine.product import Availability

log = structlog.get_logger(__name__)

_BUYABLE = (Availability.IN_STOCK, Availability.PREORDER, Availability.BACKORDER)


class Recommender:
    """Recommends; only the retriever's loss fails a call."""

    def __init__(
        self,
        placements: Mapping[Placement, PlacementRecommender],
        history: VisitorHistory | None,
        admission: Admission,
        settings: RecommendationSettings,
        experiments: Experiments,
        releases: Follower,
    ) -> None:
        """`placements` has each one; `history` None: there is no event store."""
        self._placements = placements
        self._history = history
        self._admission = admission
        self._settings = settings
        self._experiments = experiments
        self._releases = releases

    async def recommend(self, query: RecommendQuery, *, deadline: Deadline) -> RecommendAnswer:
        """Recommends `page_size` products, fewer only when no more may be shown.

        Raises InvalidArgument, ResourceExhausted (too many calls inside), DeadlineExceeded and Unavailable (the
        retriever is away).
        """
        check_query(query)
        with self._admission.admit(deadline):
            deadline.check("the recommendation")
            notes = Notes()
            with notes.timed("total"):
                answer = await self._answered(query, notes, deadline)
        for stage, duration_ms in notes.timings_ms.items():
            RECOMMENDATION_STAGE_SECONDS.labels(stage).observe(duration_ms / 1000)
        for kind in answer.degradations:
            RECOMMENDATION_DEGRADATIONS.labels(kind.value).inc()
        for source, count in Counter(one.reasons[0].source for one in answer.results).items():
            RECOMMENDATIONS.labels(query.placement.value, source.value).inc(count)
        return replace(answer, timings_ms=notes.timings_ms)

    async def _answered(self, query: RecommendQuery, notes: Notes, deadline: Deadline) -> RecommendAnswer:
        """The answer by the settings of the visitor's arms; of an interleaved experiment both arms' in one list."""
        call = self._experiments.call(query.visitor_id, query.placement.value)
        answers = []
        for arm, release in [(arm, self._releases.answering(arm.release)) for arm in call.tried]:
            with answering_by(release):
                answers.append(await self._recommended(query, call, arm, notes, deadline))
        if len(answers) == 1:
            return answers[0]
        first, second = answers
        by_id = {one.product.id: one for answer in (second, first) for one in answer.results}
        orders = ([one.product.id for one in first.results], [one.product.id for one in second.results])
        drafted = team_draft(orders, query.page_size, call.answer_id)
        return replace(
            first,
            results=tuple(by_id[product_id] for product_id, _ in drafted),
            shortfall=Shortfall.NO_MORE_MATCHES if len(drafted) < query.page_size else None,
            degradations=second.degradations,
            attribution_token=call.token([team for _, team in drafted]),
        )

    async def _recommended(
        self, query: RecommendQuery, call: Call, arm: ArmSettings, notes: Notes, deadline: Deadline
    ) -> RecommendAnswer:
        settings = arm.over(self._settings)
        events_timeout_s = min(settings.events_timeout_s, deadline.remaining_s() / 4)
        with notes.timed("visitor"):
            history = await self._history_of(query.visitor_id, notes, Deadline.after(events_timeout_s))
            taste = taste_of(history)
        wanted = Wanted(
            filter=_buyable(query.filter),
            excluded=_excluded(query, taste),
            depth=min(3 * query.page_size + 20, 200),
            deadline=deadline,
            events_timeout_s=events_timeout_s,
        )
        visit = Visit(
            query,
            history,
            taste,
            wanted,
            notes,
            settings,
            attribution_token=call.token(),
            use_recommender=arm.recommender is not False,
            source_weights={source.value: weight for source, weight in arm.source_weights.items()},
        )
        listing = await self._placements[query.placement].recommend(visit)
        return RecommendAnswer(
            results=tuple(listing.results),
            shortfall=Shortfall.NO_MORE_MATCHES if len(listing.results) < query.page_size else None,
            degradations=tuple(dict.fromkeys(notes.degradations)),
            attribution_token=visit.attribution_token,
            missing_product_ids=listing.missing_ids,
            timings_ms={},
            experiment_arms=call.arms,
        )

    async def _history_of(self, visitor_id: str, notes: Notes, deadline: Deadline) -> Sequence[VisitorAction]:
        """What the visitor did; nothing, and noted, when the event store is away."""
        if not visitor_id:
            return ()
        if self._history is not None:
            try:
                return await self._history.history(visitor_id, deadline=deadline)
            except Exception as error:  # Only the retriever's loss fails a recommendation.
                log.warning("event store away, recommended without history", error=repr(error))
        notes.degradations.append(Degradation.NO_PERSONALISATION)
        return ()


def _buyable(filter: ProductFilter) -> ProductFilter:
    return filter if filter.availabilities else replace(filter, availabilities=_BUYABLE)


def _excluded(query: RecommendQuery, taste: Taste) -> frozenset[str]:
    include_seen = query.include_seen
    if include_seen is None:
        include_seen = query.placement is not Placement.HOME
    shown = frozenset() if include_seen else taste.seen
    return frozenset((*query.product_ids, *query.exclude_product_ids)) | taste.bought | shown
