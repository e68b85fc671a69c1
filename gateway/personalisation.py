"""Personalised search: relevance leads, and the visitor's taste breaks near-ties.

A ranked result's place is decided by its probability of relevance plus what taste adds, between minus and plus half of
the setting: so one whose probability is lower by more than the setting never comes first, whatever the taste.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from gateway.notes import Notes
from gateway.ranking import Ordered
from gateway.recommendation.query import Reason
from gateway.recommendation.settings import RecommendationSettings
from gateway.recommendation.taste import Taste, taste_of
from gateway.recommendation.taste_scores import Reasons
from gateway.search import Degradation, Personal
from vitrine.deadline import Deadline
from vitrine.ports import VisitorHistory

log = structlog.get_logger(__name__)


class TasteSource(Protocol):
    """Says how much products are to a taste."""

    async def reasons(self, taste: Taste, ids: Sequence[str], deadline: Deadline) -> Reasons:
        """Contributions, of any unit, for each of the products."""
        ...


@dataclass(frozen=True, slots=True)
class TasteScale:
    """A source, and the sum of contributions that counts as a strong taste: where all are weaker, they stay weak."""

    source: TasteSource
    strong: float


class Personalisation:
    """Personalises searches of known visitors; what is away costs only the taste."""

    def __init__(
        self, history: VisitorHistory | None, sources: Sequence[TasteScale], settings: RecommendationSettings
    ) -> None:
        """The first of `sources` is asked, the next where it cannot answer. `history` None: there is no event store."""
        self._history = history
        self._sources = sources
        self._settings = settings

    def begun(self, visitor_id: str, notes: Notes, deadline: Deadline) -> "PersonalSearch | None":
        """A search of this visitor, whose history is being read from now on; None where there is nothing to do."""
        if not visitor_id or not self._settings.search_taste:
            return None
        return PersonalSearch(self, visitor_id, notes, deadline)

    def patience_s(self, deadline: Deadline) -> float:
        """How long a search waits for what it can do without."""
        return max(min(self._settings.events_timeout_s, deadline.remaining_s() / 4), 0.0)

    async def taste(self, visitor_id: str, notes: Notes, deadline: Deadline) -> Taste:
        """What is known of the visitor; nothing, and noted, when the event store is away."""
        if self._history is not None:
            try:
                within = Deadline.after(self.patience_s(deadline))
                return taste_of(await self._history.history(visitor_id, deadline=within))
            except Exception as error:  # Only the retriever's loss fails a search.
                log.warning("event store away, searched without taste", error=repr(error))
        notes.degradations.append(Degradation.NO_PERSONALISATION)
        return Taste()

    async def personal(
        self, taste: Taste, ids: Sequence[str], notes: Notes, deadline: Deadline
    ) -> Mapping[str, Personal]:
        """What taste adds to each product."""
        for place, scale in enumerate(self._sources):
            try:
                reasons = await scale.source.reasons(taste, ids, deadline)
            except Exception as error:  # Only the retriever's loss fails a search, and it shows there.
                log.warning("taste not known", source=type(scale.source).__name__, error=repr(error))
                is_last = place == len(self._sources) - 1
                notes.degradations.append(Degradation.NO_PERSONALISATION if is_last else Degradation.NO_RECOMMENDER)
                continue
            return _scaled(reasons, scale.strong, self._settings.search_taste / 2)
        return {}


class PersonalSearch:
    """One search: its history is read while products are retrieved, its taste while they are ranked."""

    def __init__(self, personalisation: Personalisation, visitor_id: str, notes: Notes, deadline: Deadline) -> None:
        self._personalisation = personalisation
        self._notes = notes
        self._deadline = deadline
        self._taste = asyncio.create_task(personalisation.taste(visitor_id, notes, deadline))
        self._scores: asyncio.Task[Mapping[str, Personal]] | None = None

    def look_at(self, ids: Sequence[str]) -> None:
        """Names the products that will be ranked; what is named again later has no effect."""
        if self._scores is None:
            self._scores = asyncio.create_task(self._scored(ids))

    async def ordered(self, order: Ordered) -> Ordered:
        """The order with taste: only products that were ranked move, among themselves."""
        if self._scores is None or not order.ranks:
            return order
        with self._notes.timed("taste"):
            # Ranking takes longer; what is not there soon after it has no say.
            await asyncio.wait({self._scores}, timeout=self._personalisation.patience_s(self._deadline))
        if not self._scores.done():
            self._scores.cancel()
            self._notes.degradations.append(Degradation.NO_PERSONALISATION)
            return order
        personal = self._scores.result()
        return _reordered(order, personal) if personal else order

    def end(self) -> None:
        """Ends what is still under way."""
        self._taste.cancel()
        if self._scores is not None:
            self._scores.cancel()

    async def _scored(self, ids: Sequence[str]) -> Mapping[str, Personal]:
        taste = await self._taste
        if not taste.liked or not ids:
            return {}
        return await self._personalisation.personal(taste, ids, self._notes, self._deadline)


def _scaled(reasons: Reasons, strong: float, most: float) -> dict[str, Personal]:
    """Contributions so scaled that no product's sum is beyond `most`, to either side."""
    sums = {product_id: sum(reason.contribution for reason in own) for product_id, own in reasons.items()}
    factor = most / max(strong, *map(abs, sums.values())) if sums else 0.0
    return {
        product_id: Personal(
            sums[product_id] * factor,
            tuple(_times(reason, factor) for reason in own if reason.contribution),
        )
        for product_id, own in reasons.items()
    }


def _times(reason: Reason, factor: float) -> Reason:
    return replace(reason, contribution=reason.contribution * factor)


def _reordered(order: Ordered, personal: Mapping[str, Personal]) -> Ordered:
    nothing = Personal()
    ranked = list(zip(order.candidates, order.ranks, strict=False))
    values = [(rank.probability if rank else 0.0) + personal.get(one.product_id, nothing).score for one, rank in ranked]
    places = sorted(range(len(ranked)), key=lambda place: -values[place])
    return replace(
        order,
        candidates=[*(order.candidates[place] for place in places), *order.candidates[len(ranked) :]],
        ranks=[order.ranks[place] for place in places],
        personal={one.product_id: personal.get(one.product_id, nothing) for one, _ in ranked},
    )
