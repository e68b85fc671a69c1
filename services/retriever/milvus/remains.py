"""What died and may still be read: removed from Milvus once nobody reads a revision that it lived in."""

import threading
import time
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.retriever.milvus.collection import Collection
from services.retriever.milvus.connection import Milvus
from services.retriever.milvus.snapshot import MilvusSnapshot


@dataclass(frozen=True, slots=True)
class _Dead:
    """What died at a revision: a version by its row key, or a whole collection by its name."""

    revision: int
    what: int | str
    since_s: float


class Remains:
    """The writer's side; one thread only. Others that follow the same catalogue have `grace_s` to follow it."""

    def __init__(self, milvus: Milvus, grace_s: float, held: Iterable["weakref.ref[MilvusSnapshot]"] = ()) -> None:
        self._milvus = milvus
        self._grace_s = grace_s
        self._snapshots = list(held)
        self._rows: list[_Dead] = []
        self._left: list[_Dead] = []

    @property
    def hidden(self) -> tuple[int, ...]:
        """Row keys of dead versions that may still be there, ascending."""
        return tuple(sorted({int(one.what) for one in self._rows}))

    def died(self, revision: int, rows: Iterable[int]) -> None:
        """Versions died at a revision."""
        now_s = time.monotonic()
        self._rows += [_Dead(revision, row, now_s) for row in rows]

    def left(self, revision: int, name: str) -> None:
        """A collection, with all that died in it, is searched no more from a revision on."""
        self._rows = []
        self._left.append(_Dead(revision, name, time.monotonic()))

    def taken(self, name: str) -> None:
        """A collection is searched again."""
        self._left = [one for one in self._left if one.what != name]

    def read_by(self, snapshot: MilvusSnapshot) -> None:
        """Readers have a new snapshot."""
        self._snapshots.append(weakref.ref(snapshot))

    def oldest_read(self, now: int) -> int:
        """The oldest revision that a reader still holds; `now` where there is none."""
        held = [(ref, snapshot.revision) for ref in self._snapshots if (snapshot := ref()) is not None]
        self._snapshots = [ref for ref, _ in held]
        return min((revision for _, revision in held), default=now)

    def wait_until_unread(self, most_s: float) -> None:
        """Waits until readers hold no snapshot any more, but no longer than so; the writer must be done with it."""
        ends_s = time.monotonic() + most_s
        for ref in self._snapshots:
            _wait_until_gone(ref, max(0.0, ends_s - time.monotonic()))

    def succeeded(self) -> "Remains":
        """Those of views that are made anew: readers and collections stay, rows are found out again."""
        remains = Remains(self._milvus, self._grace_s, self._snapshots)
        remains._left += self._left
        return remains

    def tidy(self, collection: Collection | None, now: int) -> int:
        """Removes what nobody reads any more; the revision up to which nothing dead is left."""
        oldest, settled_s = self.oldest_read(now), time.monotonic() - self._grace_s

        def parted(all_of_them: Sequence[_Dead]) -> tuple[list[_Dead], list[_Dead]]:
            read = [one for one in all_of_them if one.revision > oldest or one.since_s > settled_s]
            kept = set(read)
            return read, [one for one in all_of_them if one not in kept]

        rows, gone = parted(self._rows)
        if collection is not None:
            collection.remove([int(one.what) for one in gone])
        self._rows = rows
        left, gone = parted(self._left)
        for one in gone:
            self._milvus.drop(str(one.what))
        self._left = left
        return min((one.revision - 1 for one in rows), default=now)


def _wait_until_gone(ref: "weakref.ref[MilvusSnapshot]", most_s: float) -> None:
    gone = threading.Event()
    if (snapshot := ref()) is not None:
        # It has to be there as long as it is waited for, and the snapshot must not.
        watched = weakref.ref(snapshot, lambda _: gone.set())
        del snapshot
        gone.wait(most_s)
        del watched
