"""The lexical memo: a search by words is done once, though a query asks twice, first without and then with vector."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from services.retriever.columns import ColumnsView, IntArray
from services.retriever.filters import FilterPlan
from services.retriever.lexical_filter import is_exact
from services.retriever.lexical_view import LexicalView
from services.retriever.metrics import WORDS_MEMO
from services.retriever.query_reader import read_query
from services.retriever.reading import Reading
from services.retriever.snapshot import Snapshot
from services.retriever.synonyms import Synonyms
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded
from vitrine.recent import Recent
from vitrine.text import normalize_text
from vitrine.vectors import FloatArray

_DEEPER = 8
# Of what holds every word up to 40 kB are kept, for the moment until the same query comes with its vector.
_MOST_HOLDING = 64

_Key = tuple[str, FilterPlan, int, int, Synonyms]
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class FoundByWords:
    """How a query was read; the row keys and BM25 scores of what it found, and the positions that these had then."""

    reading: Reading
    rows: IntArray
    bm25: FloatArray
    near: IntArray


class LexicalMemo:
    """What was found by text, filter, limit and revision; who asks while a search runs waits for it."""

    def __init__(self, size: int) -> None:
        self._found: Recent[_Key, Future[FoundByWords]] = Recent(size)
        self._few: Recent[tuple[Hashable, ...], Future[tuple[int, IntArray]]] = Recent(min(size, _MOST_HOLDING))

    def search(
        self, snapshot: Snapshot, text: str, plan: FilterPlan, limit: int, synonyms: Synonyms, deadline: Deadline
    ) -> FoundByWords:
        """Reads the text and searches by its words. An error is not kept."""
        key = _key(snapshot, text, plan, limit, synonyms)
        found, is_new = _once(
            self._found, key, lambda: _found_by_words(snapshot, text, plan, limit, synonyms), deadline
        )
        WORDS_MEMO.labels("miss" if is_new else "hit").inc()
        return found

    def keeps(self, snapshot: Snapshot, text: str, plan: FilterPlan, limit: int, synonyms: Synonyms) -> bool:
        """Whether `search` gives what was found before, or is being found."""
        return self._found.get(_key(snapshot, text, plan, limit, synonyms)) is not None

    def matching_few(
        self, snapshot: Snapshot, reading: Reading, plan: FilterPlan, limit: int, deadline: Deadline
    ) -> tuple[int, IntArray]:
        """As `LexicalView.matching_few`. An error is not kept."""
        key = (reading.terms, reading.excluded, plan, limit, snapshot.revision)
        few, _ = _once(self._few, key, lambda: snapshot.lexical.matching_few(reading, plan, limit), deadline)
        return few


def _key(snapshot: Snapshot, text: str, plan: FilterPlan, limit: int, synonyms: Synonyms) -> _Key:
    return normalize_text(text), plan, limit, snapshot.revision, synonyms


def _once(kept: Recent[K, Future[V]], key: K, made: Callable[[], V], deadline: Deadline) -> tuple[V, bool]:
    """What is kept under the key, or is made now, and whether it was."""
    mine: Future[V] = Future()
    found = kept.setdefault(key, mine)
    if found is not mine:
        # It is made in another thread already, so this cannot wait for itself.
        try:
            return found.result(timeout=max(0.0, deadline.remaining_s())), False
        except TimeoutError:
            raise DeadlineExceeded("no time left for the search by words") from None
    try:
        mine.set_result(made())
    except BaseException as error:
        kept.remove(key)
        mine.set_exception(error)
    return mine.result(), True


def _found_by_words(snapshot: Snapshot, text: str, plan: FilterPlan, limit: int, synonyms: Synonyms) -> FoundByWords:
    reading = read_query(text, snapshot.lexical, synonyms)
    return FoundByWords(reading, *found_rows(snapshot.columns, snapshot.lexical, reading, plan, limit))


def found_rows(
    columns: ColumnsView, lexical: LexicalView, reading: Reading, plan: FilterPlan, limit: int
) -> tuple[IntArray, FloatArray, IntArray]:
    """Row keys, BM25 scores and positions of the best `limit` products that live, match the plan and hold a word of the
    query."""
    allowed, exact = columns.allowed(plan), is_exact(plan.condition)
    # A filter that words answer inexactly lets others through, too, which may take all the places.
    asked = limit if exact else 2 * limit
    while True:
        rows, bm25 = lexical.search(reading, plan, asked)
        positions = columns.positions_of(rows)
        kept = np.flatnonzero((positions >= 0) & allowed[positions])[:limit]
        if len(kept) == limit or len(rows) < asked or exact:
            return rows[kept], bm25[kept], positions[kept]
        asked *= _DEEPER
