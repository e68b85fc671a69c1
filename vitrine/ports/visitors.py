"""The ports of the event store: what a visitor did, and what all turn to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vitrine.deadline import Deadline
from vitrine.user_event import EventType


@dataclass(frozen=True, slots=True)
class VisitorAction:
    """One entry of a visitor's history: a product acted upon, or a search, which has a query and no product."""

    event_type: EventType
    event_time: datetime
    product_id: str = ""
    query: str = ""


class VisitorHistory(Protocol):
    """What a visitor did lately; an event is in it as soon as it is acknowledged."""

    async def history(self, visitor_id: str, *, deadline: Deadline, limit: int = 200) -> tuple[VisitorAction, ...]:
        """The latest actions, newest first by event time; none for a visitor who is not known."""
        ...


@dataclass(frozen=True, slots=True)
class PopularProduct:
    """A product and its weight of now: one visitor's purchase today is 5, and halves with each half-life."""

    product_id: str
    weight: float


class Popularity(Protocol):
    """Which products visitors turn to, older events counting less, no visitor counting much."""

    async def popular(
        self, limit: int, *, deadline: Deadline, category: str = "", country_code: str = ""
    ) -> tuple[PopularProduct, ...]:
        """The heaviest products, ties by id: of all, of one category path or of one country (not of both at once)."""
        ...

    async def trending(self, limit: int, *, deadline: Deadline) -> tuple[PopularProduct, ...]:
        """Products that visitors turn to more than they used to, beside the others; weight: log2 of by how much."""
        ...
