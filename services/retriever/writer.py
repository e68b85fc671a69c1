"""The writer: one thread that makes waiting writes durable together, lets the views follow, and publishes."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import faiss
import structlog

from services.retriever.catalogue import Catalogue, State, Transaction
from services.retriever.graph import Graph
from services.retriever.snapshot import Snapshot
from services.retriever.views import Prepared, Views
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, ResourceExhausted, Unavailable, VitrineError

# Products that one group of writes may hold: bounds the time until the first of them is acknowledged.
GROUP_PRODUCTS = 2_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Written:
    """The revision of a write, and the ids of a delete that were not there."""

    revision: int
    unknown_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Write:
    """Products to write, with their model's digest, or ids to delete; never both."""

    deadline: Deadline
    products: Sequence[Prepared] = ()
    model_digest: str = ""
    deleted_ids: Sequence[str] = ()
    done: "Future[Written]" = field(default_factory=Future)


@dataclass(slots=True)
class _Group:
    """What a group of writes does so far, ahead of the views."""

    state: State
    living: int
    rows: dict[str, int | None] = field(default_factory=dict)
    dead: list[tuple[int, str]] = field(default_factory=list)
    added: list[tuple[int, Prepared]] = field(default_factory=list)


class Writer:
    """Owns the views. `publish` is called in the writer's thread with each new snapshot."""

    def __init__(self, catalogue: Catalogue, views: Views, publish: Callable[[Snapshot], None], *, queue: int) -> None:
        self._catalogue = catalogue
        self._views = views
        self._publish = publish
        self._limit = queue
        self._waiting: deque[Write] = deque()
        self._graph: tuple[Graph | None, str | None] | None = None
        self._wake = threading.Condition()
        self._closing = False
        self.fault: str | None = None
        self._thread = threading.Thread(target=self._run, name="retriever-writer", daemon=True)

    def start(self) -> None:
        """Publishes what is there and begins to write."""
        self._publish(self._views.publish())
        self._thread.start()

    def submit(self, write: Write) -> "Future[Written]":
        """Queues a write; its future is done once it is durable and searchable. Raises ResourceExhausted."""
        with self._wake:
            if self._closing:
                raise Unavailable("the retriever is shutting down")
            if len(self._waiting) >= self._limit:
                raise ResourceExhausted(f"{self._limit} writes wait already; send fewer at once", retry_after_s=1.0)
            self._waiting.append(write)
            self._wake.notify()
        return write.done

    def adopt(self, graph: Graph | None, alert: str | None) -> None:
        """Hands over a graph (None: keep the one there is), and what is wrong with graphs (None: nothing)."""
        with self._wake:
            if graph is None and self._graph is not None:
                # One that the writer has not taken yet is not lost for a later alert.
                graph = self._graph[0]
            self._graph = (graph, alert)
            self._wake.notify()

    def close(self) -> None:
        """Finishes the writes that wait and ends the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._views.close()

    def _run(self) -> None:
        faiss.omp_set_num_threads(1)
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._graph or self._closing)
                writes = self._next_group()
                handed_over, self._graph = self._graph, None
                if not writes and handed_over is None:
                    return
            if handed_over is not None:
                self._adopt(*handed_over)
            if writes:
                self._write(writes)

    def _next_group(self) -> list[Write]:
        group: list[Write] = []
        products = 0
        while self._waiting and (not group or products + len(self._waiting[0].products) <= GROUP_PRODUCTS):
            write = self._waiting.popleft()
            # False: the caller is gone.
            if write.done.set_running_or_notify_cancel():
                group.append(write)
                products += len(write.products)
        return group

    def _adopt(self, graph: Graph | None, alert: str | None) -> None:
        try:
            if graph is not None and graph.model_digest == self._views.state.model_digest:
                self._views.adopt(graph)
            self._views.alerts.pop("graph", None)
            if alert:
                self._views.alerts["graph"] = alert
            self._publish(self._views.publish())
        except Exception as error:
            # Without this the thread would end, and every later write wait until its deadline.
            _log.exception("graph not taken over")
            self.fault = f"the indexes cannot take over a graph: {error!r}; restart the retriever"

    def _write(self, writes: list[Write]) -> None:
        group = _Group(self._views.state, self._views.living)
        answers: list[tuple[Write, Written | VitrineError]] = []
        failed = False
        try:
            if self.fault:
                raise Unavailable(self.fault)
            with self._catalogue.transaction() as transaction:
                for write in writes:
                    try:
                        answers.append((write, self._stage(transaction, group, write)))
                    except VitrineError as error:
                        answers.append((write, error))
                transaction.purge(self._views.oldest_revision_read())
                transaction.set_state(group.state)
        except Exception as error:
            _log.error("write failed", error=repr(error))
            reason = error.message if isinstance(error, VitrineError) else f"the catalogue cannot be written: {error}"
            answers = [(write, Unavailable(reason)) for write in writes]
            failed = True
        self._follow(group, answers, failed)
        for write, answer in answers:
            if isinstance(answer, VitrineError):
                write.done.set_exception(answer)
            else:
                write.done.set_result(answer)

    def _stage(self, transaction: Transaction, group: _Group, write: Write) -> Written:
        """Adds one write to the group. Raises before it has changed anything."""
        write.deadline.check("the write")
        state = group.state
        if write.products:
            state = _with_model(state, group.living, write)
        revision = state.revision + 1
        dead: list[tuple[int, str]] = []
        unknown: set[str] = set()
        added: dict[str, Prepared] = {product.id: product for product in write.products}
        for product_id in dict.fromkeys([*added, *write.deleted_ids]):
            row = group.rows[product_id] if product_id in group.rows else self._views.living_row(product_id)
            if row is not None:
                dead.append((row, product_id))
            elif product_id not in added:
                unknown.add(product_id)
        if not dead and not added:
            return Written(state.revision, frozenset(unknown))
        rows = range(state.next_row, state.next_row + len(added))
        transaction.mark_dead([row for row, _ in dead], revision)
        transaction.add([item.version(row, revision) for row, item in zip(rows, added.values(), strict=True)])
        group.dead += dead
        group.added += zip(rows, added.values(), strict=True)
        group.rows.update({product_id: None for _, product_id in dead})
        group.rows.update(zip(added, rows, strict=True))
        group.living += len(added) - len(dead)
        if not group.living:
            # The last product gone, the next write may bring another model.
            state = replace(state, model_digest="", dim=0)
        group.state = replace(state, revision=revision, next_row=rows.stop, update_time_s=time.time())
        return Written(revision, frozenset(unknown))

    def _follow(self, group: _Group, answers: list[tuple[Write, Written | VitrineError]], failed: bool) -> None:
        """Brings the views to the catalogue's revision; makes them anew where that fails."""
        try:
            if not failed:
                self._views.follow(group.state, group.dead, group.added)
                self._publish(self._views.publish())
            elif not self.fault and self._catalogue.state() != self._views.state:
                # The commit reported an error and was made all the same.
                raise RuntimeError("the catalogue is ahead of its indexes")
        except Exception as error:
            _log.error("indexes made anew", error=repr(error))
            try:
                self._views = self._views.anew()
                alert = f"the indexes were made anew at revision {self._views.state.revision}: {error!r}"
                self._views.alerts["views"] = alert
                self._publish(self._views.publish())
            except Exception as again:
                self.fault = f"the indexes cannot follow the catalogue: {again!r}; restart the retriever"
                answers[:] = [(write, Unavailable(self.fault)) for write, _ in answers]


def _with_model(state: State, living: int, write: Write) -> State:
    dim = len(write.products[0].vector)
    if not living:
        return replace(state, model_digest=write.model_digest, dim=dim)
    if write.model_digest != state.model_digest:
        raise FailedPrecondition(
            f"the vectors are of model {write.model_digest} and the catalogue holds those of {state.model_digest}; "
            "embed with the catalogue's model, or delete every product first",
            reason="MODEL_MISMATCH",
        )
    if dim != state.dim:
        raise FailedPrecondition(
            f"the vectors have {dim} numbers and the catalogue's have {state.dim}", reason="MODEL_MISMATCH"
        )
    return state
