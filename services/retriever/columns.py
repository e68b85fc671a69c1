"""Columns: the living catalogue as arrays in memory, appended by one writer, seen by readers as of a moment."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.retriever.behaviour_columns import BehaviourColumns
from services.retriever.buffer import Buffer
from services.retriever.conditions import Condition, Values
from services.retriever.field_columns import FieldColumns
from services.retriever.field_sheet import FieldSheet
from services.retriever.filters import FilterPlan
from services.retriever.product_quantizer import ProductQuantizer
from services.retriever.recommender import BehaviourView, Recommender
from services.retriever.vector_store import AS_THEY_COME, Storage, VectorStore, VectorView, quantizer_for
from vitrine.fusion import beginnings_of
from vitrine.recent import Recent
from vitrine.vectors import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

T = TypeVar("T")
# Versions that are copied at a time: the threads that search have their turn between.
_STEP = 2_048
# What a view's filters let through is kept of so many of them: a search asks twice, and most have the same.
_ALLOWED_KEPT = 4


@dataclass(frozen=True, slots=True)
class IdsAt:
    """The ids of versions at some positions, by index into these; each is looked up when it is asked for."""

    ids: Sequence[str]
    every_beginning: NDArray[np.uint64]
    positions: IntArray

    def __getitem__(self, index: int, /) -> str:
        return self.ids[int(self.positions[index])]

    def __iter__(self) -> Iterator[str]:
        return map(self.ids.__getitem__, self.positions.tolist())

    def beginnings(self) -> NDArray[np.uint64]:
        """What `beginnings_of` makes of them."""
        return self.every_beginning[self.positions]


@dataclass(frozen=True, slots=True)
class ColumnsView:
    """Versions by position, in the order of their row keys, as they were at one moment; nothing in it changes.

    `rows` (n,) ascending, `ids` at least n and how they begin, `alive` (n,), `vectors` (n, dim) L2-normalised, `fields`
    of at least n versions; `behaviours` by the digests of the recommenders served.
    """

    rows: IntArray
    ids: Sequence[str]
    beginnings: NDArray[np.uint64]
    alive: BoolArray
    living: int
    vectors: VectorView
    fields: FieldColumns
    behaviours: Mapping[str, BehaviourView]
    folder: Path | None
    _allowed: Recent[Condition, BoolArray] = field(default_factory=lambda: Recent(_ALLOWED_KEPT), init=False)

    @property
    def storage(self) -> Storage:
        """How vectors are kept."""
        return self.vectors.storage

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays in memory, without the texts."""
        behaviours = sum(one.numbers.nbytes + one.coded.nbytes for one in self.behaviours.values())
        fields = sum(buffer.view().nbytes for buffer in self.fields.arrays().values())
        own = self.rows.nbytes + self.beginnings.nbytes + self.alive.nbytes + self.vectors.nbytes
        return own + behaviours + fields

    def allowed(self, plan: FilterPlan) -> BoolArray:
        """(n,) whether each version lives and matches; not to be written to."""
        if (allowed := self._allowed.get(plan.condition)) is None:
            allowed = self.alive & self.fields.matching(plan.condition, len(self.rows))
            self._allowed.put(plan.condition, allowed)
        return allowed

    def positions_of(self, rows: IntArray, near: IntArray | None = None) -> IntArray:
        """The position of each row key; -1 where there is none or the version is dead.

        `near`: where each most likely is, as an earlier view said; to look there takes a tenth of finding it. None:
        where it is if no key was left out since the first.
        """
        if not len(self.rows):
            return np.full(len(rows), -1, np.int64)
        last = len(self.rows) - 1
        positions = np.clip(rows - self.rows[0] if near is None else near, 0, last)
        elsewhere = np.flatnonzero(self.rows[positions] != rows)
        if len(elsewhere):
            positions[elsewhere] = np.minimum(np.searchsorted(self.rows, rows[elsewhere]), last)
        return np.where((self.rows[positions] == rows) & self.alive[positions], positions, -1)

    def ids_at(self, positions: IntArray) -> IdsAt:
        """The ids at these positions."""
        return IdsAt(self.ids, self.beginnings, positions)

    def living_positions(self, ids: Set[str]) -> dict[str, int]:
        """The position of each of those products that live."""
        found = self.fields.with_ids(ids, np.flatnonzero(self.alive)).tolist()
        return {self.ids[position]: position for position in found}

    def earlier_positions(self, ids: Set[str], last_row: int) -> dict[str, int]:
        """The position of each of those products' last dead version whose row key is at most `last_row`."""
        dead = np.flatnonzero(~self.alive[: np.searchsorted(self.rows, last_row, side="right")])
        return {self.ids[position]: position for position in self.fields.with_ids(ids, dead).tolist()}

    def lives(self, rows: IntArray) -> BoolArray:
        """Whether the version of each row key lives."""
        return self.positions_of(rows) >= 0


class Columns:
    """The writer's side. One thread only."""

    def __init__(
        self,
        dim: int,
        recommenders: Sequence[Recommender] = (),
        storage: Storage = "float32",
        folder: Path | None = None,
        quantizer: ProductQuantizer | None = None,
    ) -> None:
        """Empty ones; `folder` is where vectors lie that are not held in memory."""
        self._rows = Buffer(np.int64)
        self._vectors = VectorStore(dim, storage, folder, quantizer)
        self._folder = folder
        self._ids: list[str] = []
        self._beginnings = Buffer(np.uint64)
        self._fields = FieldColumns(self._ids)
        self._alive: BoolArray = np.zeros(0, np.bool_)
        self._dead: list[int] = []
        self._behaviour = BehaviourColumns(recommenders)
        self.dim = dim

    def __len__(self) -> int:
        return len(self._ids)

    def append(self, rows: Sequence[int], ids: Sequence[str], values: Sequence[Values], vectors: FloatArray) -> None:
        """Adds living versions whose row keys are larger than all before; `vectors` (n, dim)."""
        self.extend(rows, ids, FieldSheet.of(ids, values), vectors)

    def extend(self, rows: Sequence[int], ids: Sequence[str], fields: FieldSheet, vectors: FloatArray) -> None:
        """The same, of versions whose values are in columns already."""
        self._rows.extend(np.asarray(rows, np.int64))
        self._vectors.extend(vectors)
        self._behaviour.append(ids, vectors)
        self._extend_ids(ids)
        self._fields.append(fields)

    def kill(self, rows: Sequence[int]) -> None:
        """Marks versions dead; readers of earlier views still see them alive."""
        self._dead.extend(np.searchsorted(self._rows.view(), np.asarray(rows, np.int64)).tolist())

    def view(self) -> ColumnsView:
        """What a reader sees from now on."""
        alive = np.ones(len(self._ids), np.bool_)
        alive[: len(self._alive)] = self._alive
        alive[self._dead] = False
        self._alive, self._dead = alive, []
        return ColumnsView(
            rows=self._rows.view(),
            ids=self._ids,
            beginnings=self._beginnings.view(),
            alive=alive,
            living=int(np.count_nonzero(alive)),
            vectors=self._vectors.view(),
            fields=self._fields,
            behaviours=self._behaviour.view(alive),
            folder=self._folder,
        )

    def take(
        self,
        view: ColumnsView,
        positions: IntArray,
        rest: Callable[[], None] = lambda: None,
        laid: NDArray[np.int32] = AS_THEY_COME,
    ) -> None:
        """Adds versions of a view, at ascending positions, as living ones; `rest` is called between pieces of work.

        Into empty columns the vectors of the first (k,) versions may come in an order of their own: `laid`, of their
        new positions.
        """
        if len(laid):
            self._vectors.lay(laid)
        lying = np.concatenate([positions[laid], positions[len(laid) :]])
        self._rows.extend(view.rows[positions])
        for start in range(0, len(positions), _STEP):
            part = positions[start : start + _STEP]
            self._vectors.take(view.vectors, lying[start : start + _STEP])
            self._behaviour.take(view.behaviours, part)
            self._extend_ids([view.ids[position] for position in part.tolist()])
            rest()
        self._fields.take(view.fields, positions, rest)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every array by name as it is now, to be saved; they only grow. Behaviour is made from them."""
        fields = {f"fields:{name}": buffer.view() for name, buffer in self._fields.arrays().items()}
        vectors = {name: buffer.view() for name, buffer in self._vectors.buffers.items()}
        return {"rows": self._rows.view(), **vectors, **fields}

    def texts(self) -> dict[str, Sequence[str]]:
        """Every list of texts by name, to be saved beside the arrays."""
        return {"ids": self._ids, **{f"fields:{name}": words for name, words in self._fields.texts().items()}}

    def restore(self, arrays: Mapping[str, NDArray[Any]], texts: Mapping[str, Sequence[str]], alive: BoolArray) -> None:
        """Fills empty columns with what `arrays` and `texts` gave; the vectors are in `vector_buffers` already."""
        self._rows.extend(arrays["rows"])
        self._vectors.restore(arrays, self.dim)
        self._extend_ids(texts["ids"])
        self._fields.restore(_under("fields:", arrays), _under("fields:", texts))
        self._alive = alive
        vectors = self._vectors.view()
        for start in range(0, len(self._ids) if self._behaviour.recommenders else 0, _STEP):
            stop = min(start + _STEP, len(self._ids))
            self._behaviour.append(self._ids[start:stop], vectors[np.arange(start, stop)])

    def _extend_ids(self, ids: Sequence[str]) -> None:
        self._ids.extend(ids)
        self._beginnings.extend(beginnings_of(ids))

    @property
    def vectors(self) -> VectorView:
        """The vectors as they are now."""
        return self._vectors.view()

    @property
    def vector_buffers(self) -> Mapping[str, Buffer]:
        """Where saved vectors are read into, by the names that `arrays` gives them: too large to be held twice."""
        return self._vectors.buffers


def rebuilt(
    view: ColumnsView,
    positions: IntArray,
    storage: Storage,
    rest: Callable[[], None] = lambda: None,
    laid: NDArray[np.int32] = AS_THEY_COME,
) -> Columns:
    """Columns of their own with those versions of a view, vectors kept as `storage` says; see `Columns.take`."""
    recommenders = [behaviour.recommender for behaviour in view.behaviours.values()]
    quantizer = quantizer_for(storage, view.vectors, positions)
    columns = Columns(view.vectors.dim, recommenders, storage, view.folder, quantizer)
    columns.take(view, positions, rest, laid)
    return columns


def _under(prefix: str, named: Mapping[str, T]) -> dict[str, T]:
    return {name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)}
