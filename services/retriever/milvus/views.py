"""The views over Milvus: a collection that follows the catalogue by revision. The writer's side; one thread only."""

import hashlib
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.retriever.catalogue import Catalogue
from services.retriever.changes import Changes
from services.retriever.milvus.collection import VECTOR, Collection, Milvus
from services.retriever.milvus.entity import LAYOUT, behaviour_field, entity_of, left_out
from services.retriever.milvus.progress import read_revision, write_revision
from services.retriever.milvus.saved_words import read_words, save_words
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.prepared import Prepared, steps
from services.retriever.recommender import Recommender, fitting_of
from services.retriever.tables import State
from vitrine.deadline import Deadline
from vitrine.errors import Unavailable

_CATCH_UP_S = 24 * 3_600.0
_ROWS_ASKED = 5_000


@dataclass(frozen=True, slots=True)
class _Dead:
    """What died at a revision and may still be read: a version by its row key, or a whole collection by its name."""

    revision: int
    what: int | str
    since_s: float


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
        grace_s: float = 0.0,
        held: Sequence["weakref.ref[MilvusSnapshot]"] = (),
    ) -> None:
        """Catches up with the catalogue, which for a new collection writes all of it. Raises Unavailable."""
        self._catalogue = catalogue
        self._milvus = milvus
        self._recommenders = recommenders
        self._words_file = words_file
        self._fitting: tuple[Recommender, ...] = ()
        self._grace_s = grace_s
        self._snapshots = list(held)
        self._dead: list[_Dead] = []
        self._left: list[_Dead] = []
        self.alerts: dict[str, str] = {}
        self._state = catalogue.state()
        self._collection = self._opened(self._state)
        self._saved = 0
        if self._collection is not None:
            self._saved = read_revision(self._collection, self._deadline())
            self._catch_up(self._collection)
        self._living = self._counted()
        self._words = read_words(words_file, catalogue)

    @property
    def state(self) -> State:
        """Where the catalogue stood when the views last followed it."""
        return self._state

    @property
    def living(self) -> int:
        """Products that live."""
        return self._living

    def living_rows(self, ids: Sequence[str]) -> dict[str, int]:
        """Row keys of the living versions of those ids that have one."""
        return dict(self._catalogue.rows_at(ids, self._state.revision))

    def oldest_revision_read(self) -> int:
        """The oldest revision that a reader may still hold, or that Milvus has to be brought up from."""
        held = [(ref, snapshot.revision) for ref in self._snapshots if (snapshot := ref()) is not None]
        self._snapshots = [ref for ref, _ in held]
        complete = self._state.revision if self._collection is None else self._saved
        return min((complete, *(revision for _, revision in held)))

    def anew(self) -> "MilvusViews":
        """The same, brought up with the catalogue again; readers may still hold snapshots of these."""
        views = MilvusViews(
            self._catalogue,
            self._milvus,
            self._recommenders,
            self._words_file,
            grace_s=self._grace_s,
            held=self._snapshots,
        )
        views._left += self._left
        self._words.close()
        return views

    def follow(self, state: State, dead: Sequence[tuple[int, str]], added: Sequence[tuple[int, Prepared]]) -> None:
        """Takes over what a write did; a version that was added and died within it is in both. Raises Unavailable."""
        self._words.follow([row for row, _ in dead], added)
        if (state.model_digest, state.dim) != (self._state.model_digest, self._state.dim):
            # Only an empty catalogue changes its model, so all that was there is dead.
            if self._collection is not None:
                self._left.append(_Dead(state.revision, self._collection.name, time.monotonic()))
            gone = {row for row, _ in dead}
            dead, added = [], [(row, item) for row, item in added if row not in gone]
            self._collection, self._dead, self._living = self._opened(state), [], 0
        if self._collection is not None:
            self._put(self._collection, added)
        now_s = time.monotonic()
        self._dead += [_Dead(state.revision, row, now_s) for row, _ in dead]
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
            hidden=tuple(sorted({int(one.what) for one in self._dead})),
            collection=self._collection,
            words=self._words.view(),
            alerts=tuple(self.alerts.values()),
            recommenders=self._fitting,
        )
        self._snapshots.append(weakref.ref(snapshot))
        return snapshot

    def close(self) -> None:
        """Saves the words, and ends what merges them and the connection to Milvus."""
        self._words.close()
        save_words(self._words, self._words_file, self._state)
        self._milvus.close()

    def _opened(self, state: State) -> Collection | None:
        """The collection of a catalogue and model, made where there is none."""
        self._fitting, fault = fitting_of(self._recommenders, state.model_digest, state.dim)
        self.alerts.pop("recommender", None)
        self.alerts |= {"recommender": fault} if fault else {}
        if not state.model_digest:
            return None
        dims = {VECTOR: state.dim, **{behaviour_field(one.digest): one.dim for one in self._fitting}}
        model = hashlib.sha256(f"{LAYOUT} {state.model_digest} {sorted(dims.items())}".encode()).hexdigest()[:12]
        name = f"vitrine_{state.catalogue_id[:16]}_{model}"
        if found := self._milvus.collection(name, dims):
            return found
        try:
            return self._milvus.create(name, dims)
        except Unavailable:
            # Another retriever may have made it in between.
            if found := self._milvus.collection(name, dims):
                return found
            raise

    def _catch_up(self, collection: Collection) -> None:
        """Brings a collection from the revision that it says to where the catalogue stands."""
        if self._saved > self._state.revision:
            # The catalogue was set back, and its row keys name other versions now.
            self._milvus.drop(collection.name)
            collection = self._collection = self._milvus.create(collection.name, collection.dims)
            self._saved = 0
        with self._catalogue.changes_since(self._saved) as changes:
            if changes is not None and self._saved:
                self._state = changes.state
                now_s = time.monotonic()
                self._dead += [_Dead(self._state.revision, row, now_s) for row, _ in changes.dead]
                for added in steps(changes, self._catalogue):
                    self._put(collection, added, missing_only=True)
                return
        with self._catalogue.changes_since(0) as everything:
            assert everything is not None
            self._state = everything.state
            self._fit(collection, everything)

    def _fit(self, collection: Collection, everything: Changes) -> None:
        """Makes a collection hold what lives and nothing else."""
        there = {entity["row"] for entity in collection.each("row > 0", ["row"], self._deadline())}
        for added in steps(everything, self._catalogue):
            self._put(collection, [(row, item) for row, item in added if row not in there])
            there.difference_update(row for row, _ in added)
        now_s = time.monotonic()
        self._dead += [_Dead(self._state.revision, row, now_s) for row in there]

    def _put(
        self, collection: Collection, added: Sequence[tuple[int, Prepared]], *, missing_only: bool = False
    ) -> None:
        if missing_only or self._grace_s:
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
        oldest = min((s.revision for ref in self._snapshots if (s := ref()) is not None), default=self._state.revision)
        settled_s = time.monotonic() - self._grace_s

        def is_read(one: _Dead) -> bool:
            return one.revision > oldest or one.since_s > settled_s

        if self._collection is not None:
            self._collection.remove([int(one.what) for one in self._dead if not is_read(one)])
        self._dead = list(filter(is_read, self._dead))
        for one in self._left:
            if not is_read(one):
                self._milvus.drop(str(one.what))
        self._left = list(filter(is_read, self._left))
        complete = min((one.revision - 1 for one in self._dead), default=self._state.revision)
        if self._collection is not None and complete != self._saved:
            write_revision(self._collection, complete)
            self._saved = complete

    def _counted(self) -> int:
        """Products that live: some of the dead may be removed already, since that is noted afterwards."""
        if self._collection is None:
            return 0
        dead = sorted({int(one.what) for one in self._dead})
        living = self._collection.count("row > 0", self._deadline())
        for start in range(0, len(dead), _ROWS_ASKED):
            living -= self._collection.count(f"row in {dead[start : start + _ROWS_ASKED]}", self._deadline())
        return living

    @staticmethod
    def _deadline() -> Deadline:
        return Deadline.after(_CATCH_UP_S)
