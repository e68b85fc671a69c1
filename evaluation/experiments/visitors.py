"""What each visitor of an experiment was shown and did, from events in any order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

from gateway.experiments.attribution import Attribution, read_token
from vitrine.user_event import EventType, UserEvent

_LISTS = (EventType.VIEW_ITEM_LIST, EventType.AD_IMPRESSION)
_CLICKS = (EventType.SELECT_ITEM, EventType.VIEW_ITEM, EventType.AD_CLICK)
_OUTCOMES = (EventType.ADD_TO_CART, EventType.PURCHASE, EventType.REFUND)


@dataclass(slots=True)
class _Outcome:
    time_s: float
    kind: EventType
    transaction_id: str
    currency_code: str
    # None: a refund of the whole transaction.
    amount: float | None


@dataclass(slots=True)
class Visitor:
    """One visitor. `clicks` are (answer, product, position); outcomes count from `exposed_s` on, the first answer."""

    arms: set[str] = field(default_factory=set)
    exposed_s: float = inf
    impressions: int = 0
    clicks: dict[tuple[str, str], int] = field(default_factory=dict)
    outcomes: list[_Outcome] = field(default_factory=list)

    def did(self, kind: EventType) -> bool:
        """Whether this was done after the first answer."""
        return any(one.kind is kind and one.time_s >= self.exposed_s for one in self.outcomes)

    def revenue(self) -> dict[str, float]:
        """What was bought after the first answer, less what was given back of it, by currency ("": not said)."""
        paid: dict[str, float] = defaultdict(float)
        bought: dict[tuple[str, str], float] = defaultdict(float)
        for one in sorted(self.outcomes, key=lambda one: one.time_s):
            order = (one.transaction_id, one.currency_code)
            if one.time_s < self.exposed_s:
                continue
            if one.kind is EventType.PURCHASE:
                bought[order] += one.amount or 0.0
            elif one.kind is EventType.REFUND and order in bought:
                bought[order] -= bought[order] if one.amount is None else min(one.amount, bought[order])
        for (_, currency_code), amount in bought.items():
            paid[currency_code] += amount
        return dict(paid)


class ExperimentLog:
    """Reads events of one experiment. `unpriced`: products bought whose price no event says."""

    def __init__(self, experiment: str) -> None:
        self._experiment = experiment
        self._visitors: dict[str, Visitor] = {}
        self.teams: dict[str, Sequence[int]] = {}
        self._positions: dict[tuple[str, str], int] = {}
        self.events = 0
        self.unpriced = 0

    def read(self, events: Iterable[UserEvent]) -> None:
        """Takes events in."""
        for event in events:
            self.events += 1
            answer = read_token(event.attribution_token) if event.attribution_token else None
            is_ours = answer is not None and self._experiment in answer.arms
            if not is_ours and event.event_type not in _OUTCOMES:
                continue
            visitor = self._visitors.setdefault(event.visitor_id, Visitor())
            if answer is not None and is_ours:
                self._answered(visitor, answer, event)
            if event.event_type in _OUTCOMES:
                visitor.outcomes.append(self._outcome(event))

    def exposed(self) -> list[Visitor]:
        """The visitors who got an answer of the experiment."""
        return [visitor for visitor in self._visitors.values() if visitor.arms]

    def team_of(self, answer_id: str, product_id: str, position: int) -> int | None:
        """Which arm gave a result of an interleaved answer; None where nothing says where it stood."""
        place = position or self._positions.get((answer_id, product_id), 0)
        teams = self.teams.get(answer_id, ())
        return teams[place - 1] if 1 <= place <= len(teams) else None

    def _answered(self, visitor: Visitor, answer: Attribution, event: UserEvent) -> None:
        assert event.event_time is not None
        visitor.arms.add(answer.arms[self._experiment])
        # The answer came before what is done with it, whatever the clock of whoever reports it.
        visitor.exposed_s = min(visitor.exposed_s, answer.time.timestamp(), event.event_time.timestamp())
        if self._experiment in answer.teams:
            self.teams[answer.answer_id] = answer.teams[self._experiment]
        if event.event_type in _LISTS:
            visitor.impressions += len(event.products)
            if self._experiment in answer.teams:
                for product in event.products:
                    self._positions[answer.answer_id, product.product_id] = product.position
        elif event.event_type in _CLICKS:
            for product in event.products:
                clicked = (answer.answer_id, product.product_id)
                visitor.clicks[clicked] = visitor.clicks.get(clicked, 0) or product.position

    def _outcome(self, event: UserEvent) -> _Outcome:
        assert event.event_time is not None
        amount: float | None = None
        if event.event_type is not EventType.REFUND or event.products:
            amount = sum((one.price or 0.0) * one.quantity for one in event.products)
        if event.event_type is EventType.PURCHASE:
            self.unpriced += sum(one.price is None for one in event.products)
        return _Outcome(
            event.event_time.timestamp(), event.event_type, event.transaction_id, event.currency_code, amount
        )
