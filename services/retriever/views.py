"""The views: columns, words and graph that follow the catalogue by revision. The writer's side; one thread only."""

import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from services.retriever.catalogue import Catalogue
from services.retriever.cells import Cells, PlacedCells, placed_cells
from services.retriever.changes import Changes, passed_rows
from services.retriever.columns import Columns, ColumnsView, rebuilt
from services.retriever.dense_index import DenseView, Effort, PlacedGraph, placed
from services.retriever.graph import Graph
from services.retriever.index_plan import IndexPlan
from services.retriever.lexical_files import check_files
from services.retriever.lexical_index import LexicalIndex
from services.retriever.prepared import Prepared, in_sheets, steps
from services.retriever.recommender import Recommender, fitting_of
from services.retriever.saved_views import Capture, Manifest, SavedViews
from services.retriever.snapshot import Snapshot
from services.retriever.suggest.index import SuggestIndex
from services.retriever.tables import State
from services.retriever.vector_store import Storage
from vitrine.errors import FailedPrecondition


class Views:
    """What is searched, in step with one revision of the catalogue."""

    def __init__(
        self,
        catalogue: Catalogue,
        plan: IndexPlan,
        saved: SavedViews,
        recommenders: Sequence[Recommender] = (),
        effort: Callable[[], Effort] | None = None,
        *,
        read_saved: bool = True,
    ) -> None:
        """Reads what was saved and brings it up to date, or makes all anew; `effort` is what searches look at."""
        self._catalogue = catalogue
        self._plan = plan
        self._saved = saved
        self._recommenders = recommenders
        self._effort = effort or (lambda: Effort(plan.examined))
        self.alerts: dict[str, str] = {}
        self._snapshots: list[weakref.ref[Snapshot]] = []
        self._placed: PlacedGraph | PlacedCells | None = None
        self._saved_revision: int | None = None
        self._state: State
        self._columns: Columns
        self._living: dict[str, int]
        self._words: Path
        self._lexical: LexicalIndex
        self._suggest: SuggestIndex
        if not (read_saved and self._read_saved()):
            self._make_anew()

    @property
    def state(self) -> State:
        """Where the catalogue stood when the views last followed it."""
        return self._state

    @property
    def saved(self) -> SavedViews:
        """Where they are saved; made anew, they are saved there too."""
        return self._saved

    def read_from(self, catalogue: Catalogue) -> None:
        """Reads vectors, and is made anew, from another view of the same catalogue from now on."""
        self._catalogue = catalogue

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
        read = min((revision for _, revision in held), default=self._state.revision)
        # What was saved is brought up to date from its revision on.
        return read if self._saved_revision is None else min(read, self._saved_revision)

    def anew(self) -> "Views":
        """The same made anew from the catalogue; readers may still hold snapshots of these."""
        # Its words are written to another folder: those of now are still read.
        views = Views(self._catalogue, self._plan, self._saved, self._recommenders, self._effort, read_saved=False)
        views._snapshots += self._snapshots
        return views

    def follow(self, state: State, dead: Sequence[tuple[int, str]], added: Sequence[tuple[int, Prepared]]) -> None:
        """Takes over what a write did; a version that was added and died within it is in both."""
        if (state.model_digest, state.dim) != (self._state.model_digest, self._state.dim):
            # Only an empty catalogue changes its model, so all that was there is dead.
            self._columns, self._placed = self._empty_columns(state), None
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

    def adopt_graph(self, graph: Graph) -> None:
        """Searches with this graph from now on, unless the model has changed."""
        if graph.model_digest == self._state.model_digest:
            self._placed = placed(graph, self._columns.view())

    def adopt_cells(self, then: ColumnsView, cells: PlacedCells) -> None:
        """Searches these cells of `then` from now on, unless the columns are others by now."""
        if self._columns.view().ids is then.ids:
            self._placed = cells

    def replace_columns(self, then: ColumnsView, columns: Columns, cells: PlacedCells | None) -> None:
        """Takes over columns that were made of the living of `then`, with what has happened since."""
        now, end = self._columns.view(), len(then.rows)
        if now.ids is not then.ids:
            return
        columns.take(now, np.arange(end, len(now.rows)))
        gone = np.concatenate([then.rows[then.alive & ~now.alive[:end]], now.rows[end:][~now.alive[end:]]])
        columns.kill(gone.tolist())
        self._columns = columns
        self._placed = placed(self._placed.graph, columns.view()) if isinstance(self._placed, PlacedGraph) else cells

    def recorded_words(self) -> tuple[LexicalIndex, ColumnsView]:
        """The words' index, which records what changes in it from now on, and the columns of what it holds."""
        self._lexical.record(on=True)
        return self._lexical, self._columns.view()

    def exchange_words(self, then: LexicalIndex, words: LexicalIndex, folder: Path) -> LexicalIndex:
        """Takes over words of the same products and what `then` has recorded since, unless there are others by now.

        Gives back the index that is not used.
        """
        if self._lexical is not then:
            return words
        words.repeat(then)
        # While the other is still there: a full disk would leave none.
        words.view()
        self._words, self._lexical = folder, words
        return then

    def capture(self) -> Capture:
        """What there is to be saved now."""
        columns = self._columns.view()
        whole = {f"suggest:{name}": array for name, array in self._suggest.arrays().items()}
        whole |= {"alive": np.packbits(columns.alive), **columns.vectors.whole()}
        if isinstance(self._placed, PlacedCells):
            whole |= {"centroids": self._placed.cells.centroids, "assigned": self._placed.assigned}
            whole["cells_rows"] = np.array([self._placed.cells.rows])
        return Capture(
            state=self._state,
            columns=self._columns,
            storage=columns.storage,
            words=self._words.name,
            grown=self._columns.arrays(),
            texts={name: (texts, len(texts)) for name, texts in self._columns.texts().items()},
            whole=whole,
        )

    def saved_at(self, revision: int) -> None:
        """Keeps what is needed to bring the views saved at `revision` up to date."""
        self._saved_revision = revision

    def publish(self) -> Snapshot:
        """What readers see from now on."""
        columns = self._columns.view()
        state = self._state
        snapshot = Snapshot(
            catalogue_id=state.catalogue_id,
            revision=state.revision,
            model_digest=state.model_digest,
            dim=state.dim,
            update_time_s=state.update_time_s,
            columns=columns,
            dense=DenseView(columns, self._placed, self._plan.exact_rows, *self._effort()),
            lexical=self._lexical.view(),
            suggest=self._suggest,
            alerts=tuple(self.alerts.values()),
            latest=self._living,
        )
        self._suggest.follow(columns)
        self._snapshots.append(weakref.ref(snapshot))
        return snapshot

    def close(self) -> None:
        """Ends the lexical index's threads."""
        self._lexical.close()
        self._suggest.close()

    def _read_saved(self) -> bool:
        """Reads the saved views and brings them up to date; False where there are none that can be used."""
        try:
            manifest = self._saved.manifest(self._catalogue.state().catalogue_id)
            if manifest is None:
                return False
            with self._catalogue.changes_since(manifest.state.revision) as changes:
                model = (manifest.state.model_digest, manifest.state.dim)
                if changes is None or model != (changes.state.model_digest, changes.state.dim):
                    return False
                self._restore(manifest)
                self._catch_up(changes)
        except (FailedPrecondition, LookupError, ValueError) as error:
            reason = (
                error.message if isinstance(error, FailedPrecondition) else f"they do not hold together ({error!r})"
            )
            self.alerts["saved"] = f"the saved views were refused and made anew: {reason}"
            return False
        return True

    def _restore(self, manifest: Manifest) -> None:
        words = self._saved.folder / manifest.words
        check_files(words)
        columns = self._empty_columns(manifest.state, manifest.storage)
        arrays, texts = self._saved.read(manifest, columns.vector_buffers)
        count = len(arrays["rows"])
        vectors = {buffer.count for buffer in columns.vector_buffers.values()}
        is_whole = vectors == {count} and count == len(texts["ids"]) <= 8 * len(arrays["alive"])
        if not is_whole or len(arrays["laid"]) > count:
            raise FailedPrecondition(f"{self._saved.folder} holds {sorted(vectors)} vectors and {count} row keys")
        columns.restore(arrays, texts, np.unpackbits(arrays["alive"], count=count).astype(np.bool_))
        if "centroids" in arrays:
            cells = Cells(arrays["centroids"], int(arrays["cells_rows"][0]))
            self._placed = placed_cells(cells, arrays["assigned"])
        view = columns.view()
        living = np.flatnonzero(view.alive)
        self._living = dict(zip((view.ids[at] for at in living.tolist()), view.rows[living].tolist(), strict=True))
        suggest = {name.removeprefix("suggest:"): a for name, a in arrays.items() if name.startswith("suggest:")}
        self._suggest = SuggestIndex.restored(suggest)
        self._suggest.follow(view)
        self._columns, self._state = columns, manifest.state
        self._words, self._lexical = words, LexicalIndex(words)
        self._saved.go_on(manifest, columns)
        self._saved_revision = manifest.state.revision

    def _catch_up(self, changes: Changes) -> None:
        # The words may be ahead of what was saved, or of what is dead by now: where others took their place since.
        saved, now = self._state.revision, changes.state.revision
        self._lexical.remove(self._catalogue.read(lambda connection: passed_rows(connection, saved, now)))
        dead = changes.dead
        for added in steps(changes, self._catalogue):
            self._lexical.remove([row for row, _ in added])
            self.follow(changes.state, dead, added)
            dead = ()

    def _make_anew(self) -> None:
        self._words = self._saved.new_words()
        self._lexical = LexicalIndex(self._words)
        self._suggest = SuggestIndex()
        self._living = {}
        self._placed = None
        with self._catalogue.changes_since(0) as changes:
            assert changes is not None
            self._state = changes.state
            self._columns = self._empty_columns(self._state)
            for added in steps(changes, self._catalogue):
                self._add(added)
                count = len(self._columns)
                if self._plan.is_outdated(self._columns.vectors, count):
                    # All of a large catalogue as float32 would take more memory than there may be.
                    storage = self._plan.storage_for(count, self._state.dim)
                    self._columns = rebuilt(self._columns.view(), np.arange(count), storage)

    def _empty_columns(self, state: State, storage: Storage = "float32") -> Columns:
        """Columns for the catalogue's model, with the behaviour spaces of those recommenders that are for it."""
        fitting, fault = fitting_of(self._recommenders, state.model_digest, state.dim)
        self.alerts.pop("recommender", None)
        self.alerts |= {"recommender": fault} if fault else {}
        return Columns(state.dim, fitting, storage, self._saved.folder)

    def _add(self, added: Sequence[tuple[int, Prepared]]) -> None:
        for rows, items, sheet in in_sheets(added):
            ids = [item.id for item in items]
            vectors = np.stack([item.vector for item in items if item.vector is not None])
            self._columns.extend(rows, ids, sheet.fields, vectors)
            self._lexical.extend(rows, sheet.words)
            self._living.update(zip(ids, rows, strict=True))
            self._suggest.add(sheet.segment.placed(np.array(rows, np.int64)))
