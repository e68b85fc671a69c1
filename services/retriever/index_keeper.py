"""The index's keeper: in the background it compacts, makes cells or the graph, rewrites words, and saves the views."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import faiss
import numpy as np
import structlog

from services.retriever.catalogue import Catalogue
from services.retriever.cells import PlacedCells, assign, placed_cells, train
from services.retriever.columns import ColumnsView, rebuilt
from services.retriever.dense_index import PlacedGraph
from services.retriever.graph import build_graph, load_graph, save_graph
from services.retriever.index_plan import IndexPlan
from services.retriever.lexical_files import segment_sizes
from services.retriever.lexical_index import LexicalIndex
from services.retriever.saved_views import Capture, SavedViews
from services.retriever.snapshot import Snapshot
from services.retriever.unhurried import Pace
from services.retriever.vector_store import AS_THEY_COME
from services.retriever.views import Views
from services.retriever.words_rewriting import WordsRewriting, begun, is_free
from vitrine import allocator
from vitrine.errors import FailedPrecondition

# Share of the columns that may be dead, and versions that may be whatever the size, before they are compacted.
DEAD_SHARE = 0.2
FREE_DEAD = 2_000
# Cells are made anew when the catalogue has grown by this; versions that may have no cell yet: all are looked at.
GROWN = 2.5
FREE_LOOSE = 1_000
# While many products come and nobody searches, the first cells wait until there are so many times what needs none.
LOADED_FIRST = 4
# How often it is looked, while they wait, whether they still have to: a load that breaks off publishes nothing more.
LOADED_AGAIN_S = 1.0
LOOSE_SHARE = 0.005
# Share of the catalogue whose vectors may lie as they came, and not cell by cell.
SCATTERED_SHARE = 0.3
# Products whose words may lie in any number of segments, share of their versions that may be dead or outside of the
# largest before words are written anew, and how soon after the last time.
FREE_SEGMENTED = 50_000
SEGMENTED_SHARE = 0.5
# Where that left more outside than it may: how much more is worth another time.
LEFT_GROWN = 2.0
REWRITTEN_AGAIN_S = 600.0
# How often it is looked whether they are written.
REWRITING_S = 0.5
# Share of the catalogue that may be missing from a graph before it is renewed.
MISSING_SHARE = 0.1
# Versions that may be unsaved, a share of them, and how long any may be, before the views are saved.
FREE_UNSAVED = 10_000
UNSAVED_SHARE = 0.05
UNSAVED_S = 300.0

# How long searches that began before may still hold what was compacted.
SEARCHED_S = 1.0

# How long the end of the process waits for a job.
STOP_S = 5.0

Change = Callable[[Views], None]
HandOver = Callable[[Change], "Future[None]"]

COMPACTED, DIVIDED, REWRITTEN = "columns compacted", "cells made", "words rewritten"
GRAPH = "vectors.graph"
# Words are served as they were where they cannot be written anew, whatever else goes well meanwhile.
_ALERT, _WORDS_ALERT = "index", "words"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    """Something to do about a snapshot: it makes the change that the writer then applies; None: it was stopped.

    `leaves` what has to be saved after it: nothing, what a stop saves, or what is saved at once since it took long.
    """

    name: str
    run: Callable[[Snapshot], Change | None]
    leaves: Literal["nothing", "some", "much"] = "nothing"


class IndexKeeper:
    """One thread, one job at a time. `hand_over` has the writer apply a change and publish.

    `is_loading` says whether many products come while nobody searches.
    """

    def __init__(
        self,
        folder: Path,
        *,
        catalogue: Catalogue,
        plan: IndexPlan,
        saved: SavedViews,
        threads: int,
        hand_over: HandOver,
        is_loading: Callable[[], bool] = lambda: False,
    ) -> None:
        self._graph_path = folder / GRAPH
        self._catalogue = catalogue
        self._plan = plan
        self._saved = saved
        self._threads = threads
        self._hand_over = hand_over
        self._is_loading = is_loading
        self._wake = threading.Condition()
        self._latest: Snapshot | None = None
        self._seen: Snapshot | None = None
        self._busy = False
        self._stop = threading.Event()
        self._hurried = False
        self._failed_revision: int | None = None
        # Since when what was compacted may be freed, while it is not given back.
        self._freed_s: float | None = None
        # Whether the first cells wait, or vectors to lie cell by cell, or words to be written anew.
        self._waits = False
        self._rewriting: WordsRewriting | None = None
        self._rewritten_s = -REWRITTEN_AGAIN_S
        # Versions outside of the largest segment when words were last written anew.
        self._left_outside = 0
        self._saved_s = time.monotonic()
        self._unsaved: Literal["nothing", "some", "much"] = "nothing"
        self._thread = threading.Thread(target=self._run, name="retriever-index", daemon=True)

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()

    def load_graph(self, views: Views) -> None:
        """Hands the saved graph to views that are not served yet; an alert where it cannot be used."""
        state = views.state
        try:
            graph = load_graph(self._graph_path, catalogue_id=state.catalogue_id, model_digest=state.model_digest)
        except FailedPrecondition as error:
            _log.warning("graph refused", error=error.message)
            views.alerts["index"] = f"the saved vector graph was refused and is made anew: {error.message}"
        else:
            if graph is not None:
                views.adopt_graph(graph)

    def consider(self, snapshot: Snapshot) -> None:
        """Takes note of a new snapshot; what is due about it is begun."""
        with self._wake:
            self._latest = snapshot
            self._wake.notify_all()

    def settle(self, *, with_words: bool = True) -> None:
        """Waits until nothing is due about the newest snapshot, or the last job failed; for words that are written anew
        where `with_words`."""
        with self._wake:
            self._wake.wait_for(lambda: self._is_settled(with_words))

    def _is_settled(self, with_words: bool) -> bool:
        if self._busy or self._seen is not self._latest:
            return False
        is_stuck = self._latest is not None and self._latest.revision == self._failed_revision
        return self._rewriting is None or is_stuck or not with_words

    def hurry(self) -> None:
        """Rests no more within a job: someone waits for it to end."""
        self._hurried = True

    def close(self) -> None:
        """Leaves the job that runs, and saves what is not saved yet; the writer must still run."""
        with self._wake:
            self._stop.set()
            self._wake.notify_all()
        # A generation that could not be taken was never begun to be kept.
        if self._thread.ident is not None:
            self._thread.join(STOP_S)
        if self._rewriting is not None:
            self._rewriting.abandon()
        if self._thread.is_alive():
            # Some jobs cannot be left half way, and a start makes up for what is not saved.
            return
        if self._latest is None:
            return
        if self._latest.revision != self._saved.revision or self._unsaved != "nothing":
            self._try(_Job("save", self._save), self._latest)

    def _run(self) -> None:
        faiss.omp_set_num_threads(self._threads)
        while True:
            with self._wake:
                self._busy = False
                self._wake.notify_all()
                self._wake.wait_for(lambda: self._stop.is_set() or self._latest is not self._seen, self._patience_s)
                if self._stop.is_set():
                    return
                snapshot = self._seen = self._latest
                self._busy = True
            if self._freed_s and time.monotonic() > self._freed_s + SEARCHED_S:
                self._freed_s = None
                allocator.give_back()
            if snapshot is not None and snapshot.revision != self._failed_revision:
                job = self._due(snapshot)
                if job is not None:
                    self._try(job, snapshot)

    @property
    def _patience_s(self) -> float:
        """How long it waits for a new snapshot before it looks again."""
        if self._rewriting is not None:
            return REWRITING_S
        return SEARCHED_S if self._freed_s else LOADED_AGAIN_S if self._waits else UNSAVED_S

    def _try(self, job: _Job, snapshot: Snapshot) -> None:
        started = time.perf_counter()
        key = _WORDS_ALERT if job.name == REWRITTEN else _ALERT
        try:
            change = job.run(snapshot)
            if change is not None:
                self._hand_over(_mended(change, key)).result()
                if job.leaves != "nothing" and self._unsaved != "much":
                    self._unsaved = job.leaves
                if job.name in (COMPACTED, DIVIDED):
                    self._freed_s = time.monotonic()
                _log.info(
                    job.name,
                    seconds=round(time.perf_counter() - started, 3),
                    revision=snapshot.revision,
                    tombstones=len(snapshot.columns.rows) - snapshot.columns.living,
                )
        except Exception as error:
            _log.error(f"{job.name} failed", error=repr(error))
            if key == _ALERT:
                # Tried again after the next write: at once it would fail again, for ever.
                self._failed_revision = snapshot.revision
            alert = f"the index could not be kept ({job.name}): {error!r}"
            # Not its result: where the writer has ended, too, nobody asks for alerts any more.
            wait([self._hand_over(lambda views: views.alerts.update({key: alert}))])

    def _due(self, snapshot: Snapshot) -> _Job | None:
        if self._rewriting is not None and self._rewriting.has_ended:
            return _Job(REWRITTEN, self._take_words, "much")
        columns, living = snapshot.columns, snapshot.columns.living
        dead = len(columns.rows) - living
        kind, placed = self._plan.kind_for(living), snapshot.dense.placed
        # The first cells, and vectors kept for them, of a half of what is being loaded would soon be made anew.
        few = kind == "ivf" and placed is None and living <= self._plan.exact_rows * LOADED_FIRST
        cells = placed if kind == "ivf" and isinstance(placed, PlacedCells) else None
        scattered = cells is not None and cells.tail - len(columns.vectors.laid) > living * SCATTERED_SHARE
        is_loading = self._is_loading()
        segmented = self._is_segmented(snapshot.lexical.segments)
        self._waits = (few or scattered or segmented) and is_loading
        early = few and is_loading
        outdated = not early and self._plan.is_outdated(columns.vectors, living)
        # Before what is dead is copied out of the way, and for the plan's storage: making cells does both.
        if kind == "ivf" and not early and (cells is None or living > cells.cells.rows * GROWN):
            return _Job(DIVIDED, self._divide, "much")
        if dead > living * DEAD_SHARE + FREE_DEAD or outdated or (scattered and not is_loading):
            return _Job(COMPACTED, self._compact, "much" if scattered else "some")
        if cells is not None and len(columns.rows) - cells.tail > max(FREE_LOOSE, living * LOOSE_SHARE):
            return _Job("cells filled", self._fill, "some")
        if kind == "hnsw" and self._graph_is_due(snapshot, placed):
            return _Job("graph built", self._build)
        if segmented and not is_loading and is_free():
            return _Job("words begun", self._begin_words)
        unsaved = abs(snapshot.revision - self._saved.revision) and len(columns.rows) - self._saved.rows
        if (
            self._unsaved == "much"
            or unsaved > max(FREE_UNSAVED, living * UNSAVED_SHARE)
            or (snapshot.revision != self._saved.revision and time.monotonic() - self._saved_s > UNSAVED_S)
        ):
            return _Job("views saved", self._save)
        return None

    def _compact(self, snapshot: Snapshot) -> Change:
        placed = snapshot.dense.placed
        return self._laid_out(snapshot, placed if isinstance(placed, PlacedCells) else None)

    def _divide(self, snapshot: Snapshot) -> Change | None:
        cells = train(snapshot.columns.vectors, snapshot.columns.alive)
        assigned = assign(cells, snapshot.columns.vectors, 0, len(snapshot.columns.rows), self._stop.is_set)
        if assigned is None:
            return None
        placed = placed_cells(cells, assigned)
        # They are searched while vectors are laid by them, which takes minutes at a million.
        self._hand_over(_adopting(snapshot.columns, placed)).result()
        return self._laid_out(snapshot, placed)

    def _laid_out(self, snapshot: Snapshot, placed: PlacedCells | None) -> Change:
        """Columns of the living alone, whose vectors lie cell by cell."""
        columns, cells, laid = snapshot.columns, None, AS_THEY_COME
        storage = self._plan.storage_for(columns.living, snapshot.dim)
        kept = np.flatnonzero(columns.alive)
        if placed is not None:
            cells = placed_cells(placed.cells, placed.assigned[kept[kept < placed.tail]])
            laid = cells.order
        smaller = rebuilt(columns, kept, storage, Pace(self._stop, self._is_hurried).rest, laid)
        return lambda views: views.replace_columns(columns, smaller, cells)

    def _fill(self, snapshot: Snapshot) -> Change | None:
        placed = snapshot.dense.placed
        assert isinstance(placed, PlacedCells)
        stop = len(snapshot.columns.rows)
        assigned = assign(placed.cells, snapshot.columns.vectors, placed.tail, stop, self._stop.is_set)
        if assigned is None:
            return None
        return _adopting(snapshot.columns, placed_cells(placed.cells, np.concatenate([placed.assigned, assigned])))

    def _build(self, snapshot: Snapshot) -> Change | None:
        placed = snapshot.dense.placed
        earlier = placed.graph if isinstance(placed, PlacedGraph) and not _has_died(placed, snapshot) else None
        graph = build_graph(snapshot.columns, snapshot.model_digest, earlier, self._stop.is_set)
        if graph is None:
            return None
        self._hand_over(lambda views: views.adopt_graph(graph)).result()
        save_graph(self._graph_path, graph, catalogue_id=snapshot.catalogue_id)
        return lambda views: None

    def _begin_words(self, snapshot: Snapshot) -> None:
        columns, folder = snapshot.columns, self._saved.new_words()
        self._rewritten_s = time.monotonic()
        self._saved.coming = folder
        self._rewriting = begun(folder, self._catalogue, columns.rows[columns.alive])

    def _take_words(self, snapshot: Snapshot) -> Change | None:
        """Has the words that were written anew searched; first, where much has come meanwhile, that is written, too."""
        rewriting, self._rewriting = self._rewriting, None
        assert rewriting is not None
        is_taken = False
        try:
            if rewriting.goes_on(snapshot.columns):
                self._rewriting = rewriting
                return None
            is_taken = self._exchange(rewriting)
        finally:
            if self._rewriting is None:
                self._saved.coming = None
                if is_taken:
                    rewriting.close()
                else:
                    rewriting.abandon()
        return (lambda views: None) if is_taken else None

    def _exchange(self, rewriting: WordsRewriting) -> bool:
        recorded: list[tuple[LexicalIndex, ColumnsView]] = []
        self._hand_over(lambda views: recorded.append(views.recorded_words())).result()
        if not recorded:
            # Views that are searched no more.
            return False
        [(before, columns)] = recorded
        unused: list[LexicalIndex] = []
        failed: list[Exception] = []

        def exchange(views: Views) -> None:
            try:
                unused.append(views.exchange_words(before, lexical, rewriting.folder))
            except Exception as error:
                # Of nothing that is searched: the writer goes on.
                failed.append(error)

        try:
            lexical = rewriting.opened(before, columns, Pace(self._stop, self._is_hurried).rest)
            self._left_outside = _outside(segment_sizes(rewriting.folder))
            self._hand_over(exchange).result()
        finally:
            before.record(on=False)
        if failed:
            raise failed[0]
        # Not in the writer's thread, for it waits for merges.
        (unused or [lexical])[0].close()
        return unused == [before]

    def _is_hurried(self) -> bool:
        return self._hurried or self._is_loading()

    def _is_segmented(self, segments: Sequence[tuple[int, int]]) -> bool:
        if self._rewriting is not None or time.monotonic() - self._rewritten_s < REWRITTEN_AGAIN_S:
            return False
        written, outside = sum(size for size, _ in segments), _outside(segments)
        return written > FREE_SEGMENTED and outside > max(written * SEGMENTED_SHARE, self._left_outside * LEFT_GROWN)

    def _save(self, snapshot: Snapshot) -> Change | None:
        captured: list[Capture] = []
        self._unsaved = "nothing"
        self._hand_over(lambda views: captured.append(views.capture())).result()
        if not captured:
            # Views that are searched no more.
            return None
        self._saved.save(captured[0])
        self._saved_s = time.monotonic()
        return lambda views: views.saved_at(captured[0].state.revision)

    def _graph_is_due(self, snapshot: Snapshot, placed: PlacedGraph | PlacedCells | None) -> bool:
        if not isinstance(placed, PlacedGraph):
            return True
        missing = int(np.count_nonzero(snapshot.columns.alive[placed.tail :]))
        most = max(self._plan.exact_rows // 4, snapshot.columns.living * MISSING_SHARE)
        return missing > most or _has_died(placed, snapshot)


def _outside(segments: Sequence[tuple[int, int]]) -> int:
    """Versions that do not live in the largest segment."""
    return sum(size for size, _ in segments) - max((size - dead for size, dead in segments), default=0)


def _mended(change: Change, alert: str) -> Change:
    """The change, and this alert no more."""

    def apply(views: Views) -> None:
        change(views)
        views.alerts.pop(alert, None)

    return apply


def _adopting(columns: ColumnsView, placed: PlacedCells) -> Change:
    return lambda views: views.adopt_cells(columns, placed)


def _has_died(placed: PlacedGraph, snapshot: Snapshot) -> bool:
    # Row keys grow, so every living version before the tail is a node.
    alive = np.count_nonzero(snapshot.columns.alive[: placed.tail])
    return 1.0 - float(alive) / len(placed.positions) > DEAD_SHARE
