"""The graph's keeper: builds it in the background when the catalogue has outgrown exact search, saves and loads it."""

import threading
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import structlog

from services.retriever.dense_index import PlacedGraph
from services.retriever.graph import Graph, build_graph, load_graph, save_graph
from services.retriever.snapshot import Snapshot
from vitrine.errors import FailedPrecondition

# Share of a graph that may be dead, and share of the catalogue that may be missing from it, before it is renewed.
DEAD_SHARE = 0.3
MISSING_SHARE = 0.1

HandOver = Callable[[Graph | None, str | None], None]

_log = structlog.get_logger(__name__)


class GraphKeeper:
    """Keeps one graph for the catalogue `catalogue_id`; `hand_over` takes each new one, or what went wrong."""

    def __init__(self, folder: Path, *, catalogue_id: str, exact_rows: int, threads: int, hand_over: HandOver) -> None:
        self._path = folder / "vectors.graph"
        self._catalogue_id = catalogue_id
        self._exact_rows = exact_rows
        self._threads = threads
        self._hand_over = hand_over
        self._stop = threading.Event()
        self._busy = False
        self._failed_revision: int | None = None
        self._building: threading.Thread | None = None

    def load(self, model_digest: str) -> tuple[Graph | None, str | None]:
        """The saved graph, and an alert where there is one that cannot be used: it is built anew then."""
        try:
            return load_graph(self._path, catalogue_id=self._catalogue_id, model_digest=model_digest), None
        except FailedPrecondition as error:
            _log.warning("graph refused", error=error.message)
            return None, f"the saved vector graph was refused and is made anew: {error.message}"

    def consider(self, snapshot: Snapshot) -> None:
        """Starts a build where one is due; called with each snapshot, by one thread."""
        if self._stop.is_set() or self._busy or snapshot.revision == self._failed_revision:
            return
        if is_due(snapshot, self._exact_rows):
            self._busy = True
            self._building = threading.Thread(target=self._build, args=(snapshot,), name="retriever-graph", daemon=True)
            self._building.start()

    def close(self) -> None:
        """Leaves a build that runs, and waits until it has stopped."""
        self._stop.set()
        if self._building is not None:
            self._building.join()

    def _build(self, snapshot: Snapshot) -> None:
        faiss.omp_set_num_threads(self._threads)
        alert: str | None = None
        try:
            earlier = _worth_growing(snapshot.dense.placed, snapshot)
            graph = build_graph(snapshot.columns, snapshot.model_digest, earlier, self._stop.is_set)
            if graph is None:
                return
            self._hand_over(graph, None)
            save_graph(self._path, graph, catalogue_id=self._catalogue_id)
            _log.info("graph built", nodes=len(graph.rows), revision=snapshot.revision)
        except Exception as error:
            _log.error("graph not built", error=repr(error))
            alert = f"the vector graph could not be built or saved: {error!r}"
            # Tried again after the next write: at once it would fail again, for ever.
            self._failed_revision = snapshot.revision
        self._busy = False
        # Has the writer publish once more: what was written meanwhile may make the next graph due.
        self._hand_over(None, alert)


def is_due(snapshot: Snapshot, exact_rows: int) -> bool:
    """Whether a graph is missing, or has fallen so far behind that searches feel it."""
    living = snapshot.columns.living
    if living <= exact_rows:
        return False
    if snapshot.dense.placed is None:
        return True
    missing = int(np.count_nonzero(snapshot.columns.alive[snapshot.dense.placed.tail :]))
    if missing > max(exact_rows // 4, living * MISSING_SHARE):
        return True
    return _dead_share(snapshot.dense.placed, snapshot) > DEAD_SHARE


def _dead_share(placed: PlacedGraph, snapshot: Snapshot) -> float:
    # Row keys grow, so every living version before the tail is a node.
    alive = np.count_nonzero(snapshot.columns.alive[: placed.tail])
    return 1.0 - float(alive) / len(placed.positions)


def _worth_growing(placed: PlacedGraph | None, snapshot: Snapshot) -> Graph | None:
    if placed is None or _dead_share(placed, snapshot) > DEAD_SHARE:
        return None
    return placed.graph
