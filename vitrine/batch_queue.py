"""What waits for a model: the items of one lane, by length and in line."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from opentelemetry.context import Context

from vitrine.deadline import Deadline
from vitrine.tracing import recorded_context

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(slots=True, eq=False)
class BatchCall(Generic[ResultT]):
    """One `submit`: its results by position, and the future that its caller awaits."""

    results: list[ResultT | None]
    done: asyncio.Future[None]
    deadline: Deadline
    missing: int
    submitted_s: float = field(default_factory=time.perf_counter)
    # Where its spans hang, when it is traced.
    trace: Context | None = field(default_factory=recorded_context)
    begun: bool = False


@dataclass(slots=True, eq=False)
class Entry(Generic[ItemT, ResultT]):
    """One item that waits; `due_s` is its place in line, as `time.perf_counter` says.

    The first of its call that a run takes `leads` it: until then the call has waited.
    """

    item: ItemT
    tokens: int
    order: int
    index: int
    call: BatchCall[ResultT]
    due_s: float
    leads: bool = False


@dataclass(slots=True)
class Queue(Generic[ItemT, ResultT]):
    """The entries of one lane by length, each length in line; removal anywhere is O(1)."""

    by_length: dict[int, dict[int, Entry[ItemT, ResultT]]] = field(default_factory=dict)
    tokens: int = 0

    def add(self, entry: Entry[ItemT, ResultT]) -> None:
        group = self.by_length.setdefault(entry.tokens, {})
        is_last = not group or group[next(reversed(group))].due_s <= entry.due_s
        group[entry.order] = entry
        if not is_last:
            self.by_length[entry.tokens] = dict(sorted(group.items(), key=lambda item: item[1].due_s))
        self.tokens += entry.tokens

    def remove(self, entry: Entry[ItemT, ResultT]) -> bool:
        """Takes the entry out; False when it had left already."""
        group = self.by_length.get(entry.tokens, {})
        if group.pop(entry.order, None) is None:
            return False
        if not group:
            del self.by_length[entry.tokens]
        self.tokens -= entry.tokens
        return True

    def groups_by_nearness(self) -> Iterator[Iterable[Entry[ItemT, ResultT]]]:
        """The entries as long as the one that is due first, itself first; then those of nearest length."""
        due_s = {length: next(iter(entries.values())).due_s for length, entries in self.by_length.items()}
        first = min(due_s, key=due_s.__getitem__, default=0)
        for length in sorted(self.by_length, key=lambda length: abs(length - first)):
            yield self.by_length[length].values()
