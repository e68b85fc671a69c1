"""What visitors do: checked, written to the event store, and read back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.admission import Admission
from gateway.ads.service import Campaigns
from gateway.events.store import EventPage, EventStore, Visitor
from gateway.metrics import USER_EVENTS
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, InvalidArgument, VitrineError, invalid
from vitrine.ports import ItemOutcome
from vitrine.user_event import UserEvent, checked_event, event_id_fault

MAX_EVENTS = 500
DEFAULT_PAGE_SIZE = 500
MAX_PAGE_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class EventsWritten:
    """An outcome for each event, in order, and how many were there already."""

    outcomes: tuple[ItemOutcome, ...]
    duplicates: int


class UserEvents:
    """The engine of UserEventService over the store; without one every call raises FailedPrecondition."""

    def __init__(self, store: EventStore | None, campaigns: Campaigns, admission: Admission) -> None:
        """`campaigns` account the events of ads."""
        self._store = store
        self._campaigns = campaigns
        self._admission = admission

    @property
    def store(self) -> EventStore:
        """The store, for whoever reads histories and popularity. Raises FailedPrecondition when there is none."""
        if self._store is None:
            raise FailedPrecondition("there is no event store; set VITRINE_EVENTS_REDIS_URL", reason="NO_EVENT_STORE")
        return self._store

    async def write(self, items: Sequence[UserEvent | ItemOutcome], *, deadline: Deadline) -> EventsWritten:
        """Writes 1 to 500 events; an item that failed already (its outcome) keeps its place.

        An outcome without error: durable, in the visitor's history, and charged where it is a click on an ad. An event
        that is wrong fails its item only, with the field by its path ("events[3].visitor_id"). Raises Unavailable when
        the store is away: then nothing of `items` is acknowledged, and the same call may be made again.
        """
        if not 1 <= len(items) <= MAX_EVENTS:
            raise invalid("events", f"has {len(items)} entries; give 1 to {MAX_EVENTS} in one request")
        store, now = self.store, datetime.now(UTC)
        with self._admission.admit():
            checked = [_checked(index, item, now) for index, item in enumerate(items)]
            events = {index: item for index, item in enumerate(checked) if isinstance(item, UserEvent)}
            written = dict(zip(events, await store.write(list(events.values()), deadline=deadline), strict=True))
            # Also those that were there already: what kept their writer from an answer may have come before this.
            kept = {index: events[index] for index, result in written.items() if isinstance(result, bool)}
            written.update(await self._campaigns.account(kept, deadline=deadline))
        outcomes = tuple(
            ItemOutcome(item.event_id, _at(index, written[index])) if isinstance(item, UserEvent) else item
            for index, item in enumerate(checked)
        )
        refused = sum(outcome.error is not None for outcome in outcomes)
        duplicates = sum(result is False for result in written.values())
        USER_EVENTS.labels("written").inc(len(items) - refused - duplicates)
        USER_EVENTS.labels("duplicate").inc(duplicates)
        USER_EVENTS.labels("refused").inc(refused)
        return EventsWritten(outcomes, duplicates)

    async def delete_visitor(self, visitor_id: str, *, deadline: Deadline) -> int:
        """Erases a visitor; the number of events there were."""
        _require_visitor(visitor_id)
        with self._admission.admit():
            return await self.store.delete_visitor(visitor_id, deadline=deadline)

    async def get_visitor(self, visitor_id: str, *, deadline: Deadline) -> Visitor:
        """What is kept of a visitor; nothing for one who is not known."""
        _require_visitor(visitor_id)
        return await self.store.get_visitor(visitor_id, deadline=deadline)

    async def list_events(self, page_size: int, page_token: str, *, deadline: Deadline) -> EventPage:
        """One page in the order of arrival."""
        if not 1 <= page_size <= MAX_PAGE_SIZE:
            raise invalid("page_size", f"is {page_size}; give 1 to {MAX_PAGE_SIZE:,}")
        return await self.store.list_events(page_size, page_token, deadline=deadline)

    async def purge_events(self, page_token: str, before: datetime | None, *, deadline: Deadline) -> int:
        """Drops some of the events up to `page_token` that arrived before a time; how many, 0 when none is left."""
        if not page_token:
            raise invalid("page_token", "is empty; give the next_page_token up to which events were taken")
        return await self.store.purge_events(page_token, before, deadline=deadline)

    async def list_erased(self, since: datetime | None, *, deadline: Deadline) -> list[tuple[bytes, datetime]]:
        """Digests and times of visitors erased at or after `since`."""
        return await self.store.list_erased(since, deadline=deadline)


def _checked(index: int, item: UserEvent | ItemOutcome, now: datetime) -> UserEvent | ItemOutcome:
    if isinstance(item, ItemOutcome):
        return item
    try:
        return checked_event(item, now)
    except InvalidArgument as error:
        return ItemOutcome(item.event_id, error.within(f"events[{index}]"))


def _at(index: int, result: bool | VitrineError) -> VitrineError | None:
    if isinstance(result, InvalidArgument):
        return result.within(f"events[{index}]")
    return result if isinstance(result, VitrineError) else None


def _require_visitor(visitor_id: str) -> None:
    if fault := event_id_fault(visitor_id):
        raise invalid("visitor_id", fault)
