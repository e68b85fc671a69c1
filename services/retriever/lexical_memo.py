"""The lexical memo: a search by words is done once, though a query asks twice, first without and then with vector."""

from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from services.retriever.columns import ColumnsView, IntArray
from services.retriever.filters import FilterPlan
from services.retriever.lexical_filter import is_exact
from services.retriever.lexical_view import LexicalView
from services.retriever.metrics import WORDS_MEMO
from services.retriever.query_reader import read_query
from services.retriever.reading import Reading
from services.retriever.recent import Recent
from services.retriever.snapshot import Snapshot
from services.retriever.synonyms import Synonyms
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded
from vitrine.text import normalize_text
from vitrine.vectors import FloatArray

_DEEPER = 8


@dataclass(frozen=True, slots=True)
class FoundByWords:
    """How a query was read, and the row keys and BM25 scores of what it found."""

    reading: Reading
    rows: IntArray
    bm25: FloatArray


class LexicalMemo:
    """What was found by text, filter, limit and revision; who asks while a search runs waits for it."""

    def __init__(self, size: int) -> None:
        self._found: Recent[tuple[str, FilterPlan, int, int, Synonyms], Future[FoundByWords]] = Recent(size)

    def search(
        self, snapshot: Snapshot, text: str, plan: FilterPlan, limit: int, synonyms: Synonyms, deadline: Deadline
    ) -> FoundByWords:
        """Reads the text and searches by its words. An error is not kept."""
        key = (normalize_text(text), plan, limit, snapshot.revision, synonyms)
        mine: Future[FoundByWords] = Future()
        found = self._found.setdefault(key, mine)
        WORDS_MEMO.labels("miss" if found is mine else "hit").inc()
        if found is not mine:
            # The search runs in another thread already, so this cannot wait for itself.
            try:
                return found.result(timeout=max(0.0, deadline.remaining_s()))
            except TimeoutError:
                raise DeadlineExceeded("no time left for the search by words") from None
        try:
            mine.set_result(_found_by_words(snapshot, text, plan, limit, synonyms))
        except BaseException as error:
            self._found.remove(key)
            mine.set_exception(error)
        return mine.result()


def _found_by_words(snapshot: Snapshot, text: str, plan: FilterPlan, limit: int, synonyms: Synonyms) -> FoundByWords:
    reading = read_query(text, snapshot.lexical, synonyms)
    return FoundByWords(reading, *found_rows(snapshot.columns, snapshot.lexical, reading, plan, limit))


def found_rows(
    columns: ColumnsView, lexical: LexicalView, reading: Reading, plan: FilterPlan, limit: int
) -> tuple[IntArray, FloatArray]:
    """Row keys and BM25 scores of the best `limit` products that live, match the plan and hold a word of the query."""
    allowed, exact = columns.allowed(plan), is_exact(plan.condition)
    # A filter that words answer inexactly lets others through, too, which may take all the places.
    asked = limit if exact else 2 * limit
    while True:
        rows, bm25 = lexical.search(reading, plan, asked)
        positions = columns.positions_of(rows)
        kept = np.flatnonzero((positions >= 0) & allowed[positions])[:limit]
        if len(kept) == limit or len(rows) < asked or exact:
            return rows[kept], bm25[kept]
        asked *= _DEEPER
