"""The lexical memo: a search by words is done once, though a query asks twice, first without and then with vector."""

from concurrent.futures import Future

from services.retriever.columns import IntArray
from services.retriever.filters import FilterPlan
from services.retriever.recent import Recent
from services.retriever.snapshot import Snapshot
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded
from vitrine.text import normalize_text
from vitrine.vectors import FloatArray

Found = tuple[IntArray, FloatArray]


class LexicalMemo:
    """Row keys and BM25 scores by text, filter, limit and revision; who asks while a search runs waits for it."""

    def __init__(self, size: int) -> None:
        self._found: Recent[tuple[str, FilterPlan, int, int], Future[Found]] = Recent(size)

    def search(self, snapshot: Snapshot, text: str, plan: FilterPlan, limit: int, deadline: Deadline) -> Found:
        """What `snapshot.lexical.search` finds. An error is not kept."""
        key = (normalize_text(text), plan, limit, snapshot.revision)
        mine: Future[Found] = Future()
        found = self._found.setdefault(key, mine)
        if found is not mine:
            # The search runs in another thread already, so this cannot wait for itself.
            try:
                return found.result(timeout=max(0.0, deadline.remaining_s()))
            except TimeoutError:
                raise DeadlineExceeded("no time left for the search by words") from None
        try:
            mine.set_result(snapshot.lexical.search(text, plan, limit))
        except BaseException as error:
            self._found.remove(key)
            mine.set_exception(error)
        return mine.result()
