"""The views: columns, words and graph that follow the catalogue by revision. The writer's side; one thread only."""

import weakref
from collections.abc import Sequence

import numpy as np

from services.retriever.catalogue import Catalogue
from services.retriever.columns import Columns
from services.retriever.dense_index import DenseView, PlacedGraph, placed
from services.retriever.graph import Graph
from services.retriever.lexical_index import LexicalIndex
from services.retriever.prepared import Prepared, steps
from services.retriever.recommender import Recommender
from services.retriever.snapshot import Snapshot
from services.retriever.tables import State
from vitrine.errors import FailedPrecondition

# Dead versions that are carried along whatever the size of the catalogue.
_FREE_DEAD = 2_000


class Views:
    """What is searched, in step with one revision of the catalogue."""

    def __init__(self, catalogue: Catalogue, exact_rows: int, recommenders: Sequence[Recommender] = ()) -> None:
        self._catalogue = catalogue
        self._exact_rows = exact_rows
        self._recommenders = recommenders
        self.alerts: dict[str, str] = {}
        self._lexical = LexicalIndex()
        self._living: dict[str, int] = {}
        self._graph: PlacedGraph | None = None
        self._snapshots: list[weakref.ref[Snapshot]] = []
        with catalogue.changes_since(0) as changes:
            assert changes is not None
            self._state = changes.state
            self._columns = self._empty_columns(self._state)
            for added in steps(changes, catalogue):
                self._add(added)

    @property
    def state(self) -> State:
        """Where the catalogue stood when the views last followed it."""
        return self._state

    def living_rows(self, ids: Sequence[str]) -> dict[str, int]:
        """The row keys of those products that live."""
        return {product_id: row for product_id in ids if (row := self._living.get(product_id)) is not None}

    @property
    def living(self) -> int:
        """Products that live."""
        return len(self._living)

    def oldest_revision_read(self) -> int:
        """The oldest revision that a reader may still hold."""
        # Readers let go in threads of their own, which a set of weak references does not survive while it is walked.
        held = [(ref, snapshot.revision) for ref in self._snapshots if (snapshot := ref()) is not None]
        self._snapshots = [ref for ref, _ in held]
        return min((revision for _, revision in held), default=self._state.revision)

    def anew(self) -> "Views":
        """The same made anew from the catalogue; readers may still hold snapshots of these."""
        views = Views(self._catalogue, self._exact_rows, self._recommenders)
        views._snapshots += self._snapshots
        return views

    def follow(self, state: State, dead: Sequence[tuple[int, str]], added: Sequence[tuple[int, Prepared]]) -> None:
        """Takes over what a write did; a version that was added and died within it is in both."""
        if (state.model_digest, state.dim) != (self._state.model_digest, self._state.dim):
            # Only an empty catalogue changes its model, so all that was there is dead.
            self._columns, self._graph = self._empty_columns(state), None
            gone = {row for row, _ in dead}
            dead, added = [], [(row, item) for row, item in added if row not in gone]
            self._lexical.remove(list(gone))
            self._living.clear()
        self._add(added)
        rows = [row for row, _ in dead]
        self._columns.kill(rows)
        self._lexical.remove(rows)
        for row, product_id in dead:
            if self._living.get(product_id) == row:
                del self._living[product_id]
        self._state = state

    def adopt(self, graph: Graph) -> None:
        """Searches with this graph from now on; it must hold vectors of the catalogue's model."""
        self._graph = placed(graph, self._columns.view())

    def publish(self) -> Snapshot:
        """What readers see from now on."""
        columns = self._columns.view()
        dead = len(columns.rows) - columns.living
        if dead > columns.living // 2 + _FREE_DEAD:
            self._columns = self._columns.compacted()
            columns = self._columns.view()
            if self._graph is not None:
                self._graph = placed(self._graph.graph, columns)
        state = self._state
        snapshot = Snapshot(
            revision=state.revision,
            model_digest=state.model_digest,
            dim=state.dim,
            update_time_s=state.update_time_s,
            columns=columns,
            dense=DenseView(columns, self._graph, self._exact_rows),
            lexical=self._lexical.view(),
            alerts=tuple(self.alerts.values()),
            latest=self._living,
        )
        self._snapshots.append(weakref.ref(snapshot))
        return snapshot

    def close(self) -> None:
        """Ends the lexical index's threads."""
        self._lexical.close()

    def _empty_columns(self, state: State) -> Columns:
        """Columns for the catalogue's model, with the behaviour spaces of those recommenders that are for it."""
        self.alerts.pop("recommender", None)
        fitting = []
        for recommender in self._recommenders:
            try:
                recommender.require_model(state.model_digest, state.dim)
            except FailedPrecondition as error:
                # The others may wait for a model that is to come.
                if recommender is self._recommenders[0]:
                    self.alerts["recommender"] = error.message
            else:
                fitting.append(recommender)
        return Columns(state.dim, fitting)

    def _add(self, added: Sequence[tuple[int, Prepared]]) -> None:
        if not added:
            return
        items = [item for _, item in added]
        self._columns.append(
            [row for row, _ in added],
            [item.id for item in items],
            [item.entry.price for item in items],
            [item.entry.facets for item in items],
            np.stack([item.vector for item in items if item.vector is not None]),
        )
        for row, item in added:
            self._lexical.add(row, item.entry)
            self._living[item.id] = row
