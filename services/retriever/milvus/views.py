"""The views over Milvus: a collection that follows the catalogue by revision. The writer's side; one thread only."""

import hashlib
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path

from services.retriever.catalogue import Catalogue
from services.retriever.changes import Changes, living_count, passed_rows
from services.retriever.milvus.collection import VECTOR, Collection
from services.retriever.milvus.connection import Milvus
from services.retriever.milvus.entity import LAYOUT, behaviour_field, entity_of, left_out
from services.retriever.milvus.progress import Progress, read_progress, write_progress
from services.retriever.milvus.remains import Remains
from services.retriever.milvus.saved_words import read_words, save_words
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.prepared import Prepared, steps
from services.retriever.recommender import Recommender, fitting_of
from services.retriever.tables import State
from vitrine.deadline import Deadline
from vitrine.errors import Unavailable

_CATCH_UP_S = 24 * 3_600.0
_ROWS_ASKED = 5_000
# No search takes longer.
_READ_S = 10.0


class MilvusViews:
    """A catalogue's versions in Milvus, in step with one revision.

    New versions are written before readers see the revision that made them, and dead ones removed after nobody reads
    one that they lived in. Both are by row key and may be done twice: what a crash cut off is done again at the start.
    Several retrievers may keep one collection: each writes what it does not find, and waits `grace_s` before it
    removes, so that the others have followed by then.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        milvus: Milvus,
        recommenders: Sequence[Recommender],
        words_file: Path,
        *,
        fills: int = 0,
        grace_s: float = 0.0,
        held: Iterable["weakref.ref[MilvusSnapshot]"] = (),
        remains: Remains | None = None,
    ) -> None:
        """Catches up with the catalogue, which for a new collection writes all of it. Raises Unavailable.

        A collection whose vectors are of fewer `fills` gets them all again. Readers may hold other snapshots of the
        same collection, those in `held`; `remains` of views in whose place these are know of them themselves.
        """
        self._catalogue = catalogue
        self._milvus = milvus
        self._recommenders = recommenders
        self._words_file = words_file
        self._fitting: tuple[Recommender, ...] = ()
        self._fills = fills
        self._grace_s = grace_s
        self._remains = remains or Remains(milvus, grace_s, held)
        self.alerts: dict[str, str] = {}
        self._state = catalogue.state()
        self._model = (self._state.model_digest, self._state.dim)
        self._collection = self._opened(self._state)
        self._saved = 0
        if self._collection is not None:
            self._catch_up(self._collection)
        self._living = catalogue.read(lambda connection: living_count(connection, self._state.revision))
        self._words = read_words(words_file, catalogue)

    @property
    def state(self) -> State:
        """Where the catalogue stood when the views last followed it."""
        return self._state

    @property
    def living(self) -> int:
        """Products that live."""
        return self._living

    def read_from(self, catalogue: Catalogue) -> None:
        """Reads vectors, and is made anew, from another view of the same catalogue from now on."""
        self._catalogue = catalogue

    def living_rows(self, ids: Sequence[str]) -> dict[str, int]:
        """Row keys of the living versions of those ids that have one."""
        return dict(self._catalogue.rows_at(ids, self._state.revision))

    def oldest_revision_read(self) -> int:
        """The oldest revision that a reader may still hold, or that Milvus has to be brought up from."""
        complete = self._state.revision if self._collection is None else self._saved
        return min(complete, self._remains.oldest_read(complete))

    def anew(self) -> "MilvusViews":
        """The same, brought up with the catalogue again; readers may still hold snapshots of these."""
        same = self._catalogue.state().model_digest == self._model[0]
        views = MilvusViews(
            self._catalogue,
            self._milvus,
            self._recommenders,
            self._words_file,
            fills=self._fills if same else 0,
            grace_s=self._grace_s,
            remains=self._remains.succeeded(),
        )
        self._words.close()
        return views

    def follow(self, state: State, dead: Sequence[tuple[int, str]], added: Sequence[tuple[int, Prepared]]) -> None:
        """Takes over what a write did; a version that was added and died within it is in both. Raises Unavailable."""
        self._words.follow([row for row, _ in dead], added)
        # One that was emptied keeps its collection: the same model may come again.
        if state.model_digest and (state.model_digest, state.dim) != self._model:
            gone = {row for row, _ in dead}
            dead, added = [], [(row, item) for row, item in added if row not in gone]
            self._change_model(state, {row for row, _ in added})
        if self._collection is not None:
            self._put(self._collection, added)
        self._remains.died(state.revision, [row for row, _ in dead])
        if self._grace_s:
            # Another retriever may have written some of which this one hears nothing.
            self._remains.died(state.revision, self._passed(self._state.revision, state.revision))
        self._living += len(added) - len(dead)
        self._state = state

    def publish(self) -> MilvusSnapshot:
        """What readers see from now on. Milvus being away is an alert: then what is dead is removed later."""
        try:
            self._tidy()
            self.alerts.pop("milvus", None)
        except Unavailable as error:
            self.alerts["milvus"] = error.message
        state = self._state
        snapshot = MilvusSnapshot(
            revision=state.revision,
            model_digest=state.model_digest,
            dim=state.dim,
            update_time_s=state.update_time_s,
            living=self._living,
            next_row=state.next_row,
            hidden=self._remains.hidden,
            collection=self._collection if state.model_digest else None,
            words=self._words.view(),
            alerts=tuple(self.alerts.values()),
            recommenders=self._fitting,
        )
        self._remains.read_by(snapshot)
        return snapshot

    def close(self) -> None:
        """Saves the words, and ends what merges them."""
        self._words.close()
        save_words(self._words, self._words_file, self._state)

    def remove(self) -> None:
        """Removes the collection of closed views once nobody reads it. Raises Unavailable."""
        if self._collection is not None:
            self._remains.wait_until_unread(_READ_S)
            self._milvus.drop(self._collection.name)

    def _opened(self, state: State) -> Collection | None:
        """The collection of a catalogue and model, made where there is none."""
        self._fitting, fault = fitting_of(self._recommenders, state.model_digest, state.dim)
        self.alerts.pop("recommender", None)
        self.alerts |= {"recommender": fault} if fault else {}
        if not state.model_digest:
            return None
        dims = {VECTOR: state.dim, **{behaviour_field(one.digest): one.dim for one in self._fitting}}
        model = hashlib.sha256(f"{LAYOUT} {state.model_digest} {sorted(dims.items())}".encode()).hexdigest()[:12]
        name = f"{collections_of(state)}{model}"
        if found := self._milvus.collection(name, dims):
            return found
        try:
            return self._milvus.create(name, dims, state.model_digest)
        except Unavailable:
            # Another retriever may have made it in between.
            if found := self._milvus.collection(name, dims):
                return found
            raise

    def _change_model(self, state: State, added: set[int]) -> None:
        """Leaves the collection of an emptied catalogue for that of another model."""
        if self._collection is not None:
            self._remains.left(state.revision, self._collection.name)
        self._model, self._fills = (state.model_digest, state.dim), 0
        self._collection, self._living, self._saved = self._opened(state), 0, 0
        assert self._collection is not None
        self._remains.taken(self._collection.name)
        # It may be there of a time before, with what died since.
        self._remains.died(state.revision, self._rows_there(self._collection, state) - added)

    def _catch_up(self, collection: Collection) -> None:
        """Brings a collection from the revision that it says to where the catalogue stands."""
        self._saved, fills = read_progress(collection, self._deadline())
        if self._saved > self._state.revision:
            # The catalogue was set back, and its row keys name other versions now.
            self._milvus.drop(collection.name)
            collection = self._collection = self._milvus.create(
                collection.name, collection.dims, self._state.model_digest
            )
            self._saved, fills = 0, 0
        is_filled, self._fills = fills >= self._fills, max(fills, self._fills)
        with self._catalogue.changes_since(self._saved) as changes:
            if changes is not None and self._saved and is_filled:
                self._state = changes.state
                self._remains.died(self._state.revision, [row for row, _ in changes.dead])
                self._remains.died(self._state.revision, self._passed(self._saved, self._state.revision))
                for added in steps(changes, self._catalogue):
                    self._put(collection, added, missing_only=True)
                return
        with self._catalogue.changes_since(0) as everything:
            assert everything is not None
            self._state = everything.state
            self._fit(collection, everything, is_filled)
        # Not before: what was cut off is done again.
        self._saved = 0

    def _fit(self, collection: Collection, everything: Changes, is_filled: bool) -> None:
        """Makes a collection hold what lives and nothing else; what is there stays as it is where `is_filled`."""
        there = self._rows_there(collection, everything.state)
        for added in steps(everything, self._catalogue):
            self._put(collection, [(row, item) for row, item in added if not is_filled or row not in there], again=True)
            there.difference_update(row for row, _ in added)
        self._remains.died(self._state.revision, there)

    def _passed(self, after: int, until: int) -> list[int]:
        """Row keys of versions that came and went between two revisions, and may be in the collection."""
        return self._catalogue.read(lambda connection: passed_rows(connection, after, until))

    def _rows_there(self, collection: Collection, state: State) -> set[int]:
        """Row keys that a collection holds; of those that others wrote after this state, none."""
        written = collection.each(f"row > 0 and row < {state.next_row}", ["row"], self._deadline())
        return {entity["row"] for entity in written}

    def _put(
        self,
        collection: Collection,
        added: Sequence[tuple[int, Prepared]],
        *,
        missing_only: bool = False,
        again: bool = False,
    ) -> None:
        if missing_only or (self._grace_s and not again):
            added = self._missing(collection, added)
        entities = []
        for row, item in added:
            assert item.vector is not None
            vectors = {VECTOR: item.vector}
            for one in self._fitting:
                placed = one.vectors_of(one.numbers_of([item.id]), item.vector[None])
                vectors[behaviour_field(one.digest)] = placed[0]
            entities.append(entity_of(row, item.id, item.entry, vectors))
            self.alerts |= {what: f"of {item.id!r} {fault}" for what, fault in left_out(item.entry).items()}
        collection.put(entities)

    def _missing(self, collection: Collection, added: Sequence[tuple[int, Prepared]]) -> list[tuple[int, Prepared]]:
        there: set[int] = set()
        for start in range(0, len(added), _ROWS_ASKED):
            rows = [row for row, _ in added[start : start + _ROWS_ASKED]]
            found = collection.read(f"row in {rows}", ["row"], len(rows), self._deadline())
            there.update(entity["row"] for entity in found)
        return [(row, item) for row, item in added if row not in there]

    def _tidy(self) -> None:
        """Removes what nobody reads any more, and notes how far the collection is complete."""
        complete = self._remains.tidy(self._collection, self._state.revision)
        if self._collection is not None and complete != self._saved:
            write_progress(self._collection, Progress(complete, self._fills))
            self._saved = complete

    @staticmethod
    def _deadline() -> Deadline:
        return Deadline.after(_CATCH_UP_S)


def collections_of(state: State) -> str:
    """How the names of a catalogue's collections begin."""
    return f"vitrine_{state.catalogue_id[:16]}_"
