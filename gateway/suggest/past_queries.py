"""Past queries: what visitors searched for, found by how it begins or how a word in it does."""

import asyncio
import math
import time
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from vitrine.deadline import Deadline

log = structlog.get_logger(__name__)

_READ_TIMEOUT_S = 10.0
_LAST = "\U0010ffff"


class AskedQueries(Protocol):
    """Where past queries are kept."""

    async def queries(self, least_weight: float, limit: int, *, deadline: Deadline) -> dict[str, float]:
        """Normalised queries of at least this weight, and their weights of now."""
        ...


@dataclass(frozen=True, slots=True)
class PastQuery:
    """A query, its weight among all as a share in (0, 1], and where in it the typed text begins."""

    text: str
    share: float
    start: int


class QueryList:
    """Queries sorted by each of their words' beginnings."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        starts = sorted((text[start:], text, start) for text in weights for start in _word_starts(text))
        self._endings = [ending for ending, _, _ in starts]
        self._queries = [(text, start) for _, text, start in starts]
        most = math.log1p(max(weights.values(), default=1.0))
        self._shares: NDArray[np.float32] = np.array(
            [math.log1p(weights[text]) / most for _, text, _ in starts], np.float32
        )

    def __len__(self) -> int:
        return len(self._endings)

    def beginning(self, text: str, limit: int) -> list[PastQuery]:
        """The queries of most weight that begin with the normalised text, or have a word that does; each once."""
        start, end = bisect_left(self._endings, text), bisect_left(self._endings, text + _LAST)
        shares = self._shares[start:end]
        # One query may be there for several of its words.
        some = 4 * limit
        places = np.argpartition(-shares, some)[:some] if len(shares) > some else np.arange(len(shares))
        found: dict[str, PastQuery] = {}
        for place in sorted(places.tolist(), key=lambda place: (-shares[place], start + place)):
            query, begins = self._queries[start + place]
            if query not in found or begins < found[query].start:
                found[query] = PastQuery(query, float(shares[place]), begins)
        return list(found.values())[:limit]


class PastQueries:
    """The list of now, read anew in the background; what it was last while the store is away."""

    def __init__(self, store: AskedQueries | None, *, least_weight: float, limit: int, refresh_s: float) -> None:
        self._store = store if limit else None
        self._least_weight = least_weight
        self._limit = limit
        self._refresh_s = refresh_s
        self._list = QueryList({})
        self._current_until = -math.inf
        self._is_current = False
        self._reading: asyncio.Task[None] | None = None

    @property
    def is_current(self) -> bool:
        """Whether the list was read when it last should have been."""
        return self._is_current

    async def beginning(self, text: str, limit: int) -> list[PastQuery]:
        """See `QueryList.beginning`. The first call waits until the list is read, no later one does."""
        if self._store is None:
            return []
        if self._reading is None and time.monotonic() >= self._current_until:
            self._reading = asyncio.create_task(self._read(self._store))
        if self._reading is not None and self._current_until == -math.inf:
            await asyncio.shield(self._reading)
        return self._list.beginning(text, limit)

    async def close(self) -> None:
        """Ends the reading that is under way."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def _read(self, store: AskedQueries) -> None:
        try:
            weights = await store.queries(self._least_weight, self._limit, deadline=Deadline.after(_READ_TIMEOUT_S))
            self._list = await asyncio.to_thread(QueryList, weights)
            self._is_current = True
        except Exception as error:  # Only the retriever's loss fails a suggestion.
            log.warning("event store away, past queries as last known", error=repr(error))
            self._is_current = False
        finally:
            self._current_until = time.monotonic() + self._refresh_s
            self._reading = None


def _word_starts(text: str) -> list[int]:
    return [0, *(place + 1 for place, character in enumerate(text) if character == " ")]
