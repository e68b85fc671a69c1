"""The index of suggestions: segments that follow the catalogue, merged behind the writer's back."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from services.retriever.columns import BoolArray, IntArray
from services.retriever.suggest.segment import Segment, merged_segment

# Segments are merged so that each is this many times larger than all after it: about 12 of them at a million products.
_GROWTH = 4
# So many products are merged at once, more in the background.
_AT_ONCE = 2_000

_log = structlog.get_logger(__name__)


class Living(Protocol):
    """Which versions live, as of one moment; `rows` (n,) row keys, ascending, are all that it knows of."""

    @property
    def rows(self) -> IntArray: ...

    def lives(self, rows: IntArray) -> BoolArray:
        """Whether the version of each row key lives."""
        ...


class SuggestIndex:
    """Segments of all products written. Deletes are not its matter: who reads asks which row keys live.

    `add` and `follow` are the writer's; `segments` may be read by any thread.
    """

    def __init__(self) -> None:
        self._segments: tuple[Segment, ...] = ()
        self._lock = threading.Lock()
        self._living: Living | None = None
        # How many of the first segments a merge in the background may be about to replace.
        self._taken = 0
        self._closed = False
        self._merger = ThreadPoolExecutor(1, "retriever-suggest")

    @property
    def segments(self) -> tuple[Segment, ...]:
        """What is there now; none of it changes."""
        return self._segments

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(segment.nbytes for segment in self._segments)

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> "SuggestIndex":
        """The index that gave `arrays`."""
        index = cls()
        parts: dict[int, dict[str, NDArray[Any]]] = {}
        for name, array in arrays.items():
            number, _, part = name.partition(":")
            parts.setdefault(int(number), {})[part] = array
        index._segments = tuple(Segment.restored(parts[number]) for number in sorted(parts))
        return index

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every array by name, to be saved; none of them changes."""
        segments = enumerate(self._segments)
        return {f"{number}:{part}": array for number, one in segments for part, array in one.arrays().items()}

    def add(self, segment: Segment) -> None:
        """Adds versions that were written."""
        if not len(segment.rows):
            return
        with self._lock:
            self._segments += (segment,)
            first = _first_to_merge(self._segments, self._taken)
            if sum(len(one.rows) for one in self._segments[first:]) <= _AT_ONCE:
                if len(self._segments) - first > 1:
                    self._segments = (*self._segments[:first], *self._merged(self._segments[first:]))
            elif not self._taken and not self._closed:
                self._taken = len(self._segments)
                self._merger.submit(self._merge, first, self._taken)

    def follow(self, living: Living) -> None:
        """Tells what lives; merges leave out what does not."""
        self._living = living

    def settle(self) -> None:
        """Waits for the merges that have begun."""
        self._merger.submit(lambda: None).result()

    def close(self) -> None:
        """Ends the thread once its merge is done."""
        with self._lock:
            self._closed = True
        self._merger.shutdown()

    def _merge(self, first: int, end: int) -> None:
        try:
            merged = self._merged(self._segments[first:end])
        except Exception:
            # What is there answers as it did; the next write tries again.
            _log.exception("suggestions not merged")
            with self._lock:
                self._taken = 0
            return
        with self._lock:
            self._segments = (*self._segments[:first], *merged, *self._segments[end:])
            self._taken = 0

    def _merged(self, segments: Sequence[Segment]) -> tuple[Segment, ...]:
        living = self._living
        # What is newer than these was added since.
        last_row = living.rows[-1] if living is not None and len(living.rows) else -1

        def kept(rows: IntArray) -> BoolArray:
            return np.ones(len(rows), np.bool_) if living is None else (rows > last_row) | living.lives(rows)

        segment = merged_segment(segments, kept)
        return (segment,) if len(segment.rows) else ()


def _first_to_merge(segments: Sequence[Segment], taken: int) -> int:
    """The first of the last segments that are to become one."""
    first = len(segments) - 1
    total = len(segments[first].rows)
    while first > taken and len(segments[first - 1].rows) < _GROWTH * total:
        first -= 1
        total += len(segments[first].rows)
    # One that is merged with every write would be written anew with every write.
    return first if len(segments) - first >= _GROWTH else len(segments) - 1
