"""Batches of events as they travel, with the rows that they were made from."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from cli.events.layouts import Layout
from cli.ingest.report import Refusal
from vitrine.errors import VitrineError, invalid
from vitrine.messages.user_event import event_to_message
from vitrine.rows import Row
from vitrine.user_event import UserEvent
from vitrine.v1 import user_event_service_pb2

_MAX_EVENTS = 500
_MAX_BYTES = 1024 * 1024
_MAX_REFUSALS = 500


@dataclass(slots=True)
class Batch:
    """One request, the (row number, line) of each of its events, and what became of the other rows.

    Rows up to `last_row` are settled when it is acknowledged; `position` is how far the file was read by then.
    """

    request: user_event_service_pb2.WriteUserEventsRequest = field(
        default_factory=user_event_service_pb2.WriteUserEventsRequest
    )
    places: list[tuple[int, int]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    unused: Counter[str] = field(default_factory=Counter)
    last_row: int = 0
    position: int = 0
    size: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it should travel."""
        return len(self.places) == _MAX_EVENTS or self.size >= _MAX_BYTES or len(self.refusals) == _MAX_REFUSALS

    def add(self, row: Row, layout: Layout) -> None:
        """Takes the row in, as what it is."""
        self.last_row, self.position = row.number, row.position
        try:
            found = _read(row, layout)
        except VitrineError as error:
            self.refusals.append(Refusal.of(row.number, row.line, _id_of(row), error))
            return
        if isinstance(found, str):
            self.unused[found] += 1
        elif found is not None:
            message = event_to_message(found)
            self.request.events.append(message)
            self.places.append((row.number, row.line))
            self.size += message.ByteSize()


def batched(rows: Iterator[Row], layout: Layout) -> Iterator[Batch]:
    """The rows as batches, in order; a batch may hold no event."""
    batch = Batch()
    for row in rows:
        batch.add(row, layout)
        if batch.is_full:
            yield batch
            batch = Batch()
    if batch.last_row:
        yield batch


def _read(row: Row, layout: Layout) -> UserEvent | str | None:
    if row.fault:
        raise invalid("row", row.fault)
    try:
        return layout(row.values)
    except (AttributeError, TypeError) as error:
        raise invalid("row", f"is not in this format: {error}") from error


def _id_of(row: Row) -> str:
    return str(row.values.get("event_id") or row.values.get("id") or "")[:128]
