"""The recall probe: a sample of the searches, made again exactly, so that lost recall is seen and mended."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import faiss
import numpy as np
import structlog
from prometheus_client import Gauge

from services.retriever.columns import BoolArray, IntArray
from services.retriever.dense_index import RESCORED, DenseView, Effort
from services.retriever.snapshot import Snapshot
from vitrine.errors import Internal
from vitrine.vectors import FloatArray

# What recall is measured over: so many first results.
DEPTH = 100
# The last samples that recall is the mean of, and how many of them say something.
WINDOW = 100
ENOUGH = 20
# How much more a search looks at, or scores again, when it finds too little, and at most.
_RAISED = 1.25
MOST_EXAMINED = 0.5
MOST_RESCORED = 16_000
MOST_BREADTH = 16.0

RECALL = Gauge("vitrine_retriever_recall", f"Recall@{DEPTH} of the last sampled vector searches against exact search.")
# Until something is measured: 0 would be an alert.
RECALL.set(float("nan"))

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Search:
    """A search to make again: what was asked in which snapshot, and what was found."""

    snapshot: Snapshot
    query: FloatArray
    allowed: BoolArray
    found: IntArray
    limit: int


class RecallProbe:
    """Makes a search again at most every `every_s` seconds, in a thread of its own.

    Where recall stays below `target`, searches do more from then on. Where what is missed was not looked at, `examined`
    is raised, the share of the vectors that a search of cells looks at, or `breadth` of the graph; where it was, or no
    more is to be looked at, and the storage may have hidden it, `rescored`.
    """

    def __init__(
        self, *, examined: float, target: float, floor: float, every_s: float, raised: Callable[[], object]
    ) -> None:
        """`raised` is called when `effort` has become more."""
        self.examined = examined
        self.rescored = RESCORED
        self.breadth = 1.0
        self.floor = floor
        self._target = target
        self._every_s = every_s
        self._raised = raised
        self._samples: deque[float] = deque(maxlen=WINDOW)
        # Of the same searches the share of what is to be found that was looked at.
        self._reached: deque[float] = deque(maxlen=WINDOW)
        self._is_graph = False
        self._wake = threading.Condition()
        self._search: _Search | None = None
        self._busy = False
        self._next_s = 0.0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="retriever-recall", daemon=True)
        self._thread.start()

    @property
    def effort(self) -> Effort:
        """What searches are to look at."""
        return Effort(self.examined, self.rescored, self.breadth)

    @property
    def recall(self) -> float | None:
        """Mean recall of the last samples; None while there are none."""
        samples = list(self._samples)
        return sum(samples) / len(samples) if samples else None

    @property
    def alert(self) -> str | None:
        """What is wrong, where recall is below the floor."""
        recall = self.recall
        if recall is None or len(self._samples) < ENOUGH or recall >= self.floor:
            return None
        mend = "raise VITRINE_RETRIEVER_EXAMINED_SHARE, or set VITRINE_RETRIEVER_INDEX=exact"
        if self._is_graph:
            mend = "set VITRINE_RETRIEVER_INDEX=ivf, or exact"
        if self._share_reached() >= self.floor:
            mend = "raise VITRINE_RETRIEVER_MEMORY_MB, or set VITRINE_RETRIEVER_STORAGE=float16: vectors are too coarse"
        said = f"recall@{DEPTH} of the last {len(self._samples)} sampled searches is {recall:.3f}"
        return f"{said}, below {self.floor}: {mend}"

    def consider(self, snapshot: Snapshot, query: FloatArray, allowed: BoolArray, found: IntArray) -> None:
        """Takes a search as a sample where one is due; `found` are its positions, best first, DEPTH or all of them."""
        if time.monotonic() < self._next_s or snapshot.dense.kind == "exact":
            return
        with self._wake:
            if self._busy or self._search is not None:
                return
            self._next_s = time.monotonic() + self._every_s
            self._search = _Search(snapshot, query, allowed, found[:DEPTH], len(found))
            self._wake.notify()

    def settle(self) -> None:
        """Waits until what was taken as a sample is measured."""
        with self._wake:
            self._wake.wait_for(lambda: not self._busy and self._search is None)

    def check(self) -> None:
        """Raises Internal while recall is below the floor."""
        if (alert := self.alert) is not None:
            raise Internal(alert)

    def close(self) -> None:
        """Ends the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._thread.join()

    def _run(self) -> None:
        faiss.omp_set_num_threads(1)
        while True:
            with self._wake:
                self._busy = False
                self._wake.notify_all()
                self._wake.wait_for(lambda: self._search is not None or self._closing)
                if self._closing:
                    return
                search, self._search, self._busy = self._search, None, True
            assert search is not None
            try:
                self._measure(search)
            except Exception as error:
                _log.error("recall not measured", error=repr(error))

    def _measure(self, search: _Search) -> None:
        dense = search.snapshot.dense
        if dense.effort != self.effort:
            # It was made before more was to be looked at.
            return
        expected, _ = dense.search_exactly(search.query, search.allowed, DEPTH)
        if not len(expected):
            return
        self._is_graph = dense.kind == "hnsw"
        near = dense.looked_at(search.query, search.allowed, int(np.count_nonzero(search.allowed)), search.limit)
        self._reached.append(1.0 if near is None else float(np.isin(expected, near).mean()))
        self._samples.append(float(np.isin(expected, search.found).mean()))
        recall = self.recall
        assert recall is not None
        RECALL.set(recall)
        if recall < self._target and len(self._samples) >= ENOUGH and self._look_at_more(dense, search.limit):
            _log.info("searches look at more", **self.effort._asdict(), recall=recall)
            # What was sampled before says nothing about the new effort.
            self._samples.clear()
            self._reached.clear()
            self._raised()

    def _look_at_more(self, dense: DenseView, limit: int) -> bool:
        """Raises what is at fault, or else what helps too; False where all that does is at its most."""
        before = self.effort
        if self._share_reached() < self._target:
            if self._is_graph:
                self.breadth = min(self.breadth * _RAISED, MOST_BREADTH)
            else:
                share = dense.wanted(limit) / dense.columns.living
                self.examined = max(self.examined, min(max(self.examined, share) * _RAISED, MOST_EXAMINED))
        if self.effort == before and dense.columns.vectors.exact is not None:
            self.rescored = min(round(max(self.rescored, limit) * _RAISED), MOST_RESCORED)
        return self.effort != before

    def _share_reached(self) -> float:
        """The most that recall could be if nothing was lost among what was looked at."""
        reached = list(self._reached)
        return sum(reached) / max(len(reached), 1)
