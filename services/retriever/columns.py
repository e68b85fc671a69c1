"""Columns: the living catalogue as arrays in memory, appended by one writer, seen by readers as of a moment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.retriever.buffer import Buffer
from services.retriever.filters import FilterPlan
from services.retriever.recommender import BehaviourView, Recommender
from services.retriever.vector_store import Storage, VectorStore, VectorView
from vitrine.vectors import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ColumnsView:
    """Versions by position, in the order of their row keys, as they were at one moment; nothing in it changes.

    `rows` (n,) ascending, `ids` at least n, `alive` (n,), `prices` (n,) with NaN for none, `vectors` (n, dim)
    L2-normalised; facet `facet_codes[i]` belongs to the version at `facet_owners[i]`; `behaviour` where a recommender
    is served.
    """

    rows: IntArray
    ids: Sequence[str]
    alive: BoolArray
    living: int
    prices: NDArray[np.float64]
    vectors: VectorView
    facet_owners: IntArray
    facet_codes: NDArray[np.int32]
    vocabulary: dict[str, int]
    behaviour: BehaviourView | None

    def allowed(self, plan: FilterPlan) -> BoolArray:
        """(n,) whether each version lives and matches."""
        allowed = self.alive
        for group in plan.groups:
            codes = [code for code in map(self.vocabulary.get, group) if code is not None]
            hits = np.isin(self.facet_codes, codes) if len(codes) != 1 else self.facet_codes == codes[0]
            matching = np.zeros(len(self.rows), np.bool_)
            matching[self.facet_owners[hits]] = True
            allowed = allowed & matching
        if codes := [code for code in map(self.vocabulary.get, plan.excluded) if code is not None]:
            allowed = allowed.copy()
            allowed[self.facet_owners[np.isin(self.facet_codes, codes)]] = False
        # A missing price is NaN, which compares false.
        if plan.min_price is not None:
            allowed = allowed & (self.prices >= plan.min_price)
        if plan.max_price is not None:
            allowed = allowed & (self.prices <= plan.max_price)
        return allowed

    def positions_of(self, rows: IntArray) -> IntArray:
        """The position of each row key; -1 where there is none or the version is dead."""
        if not len(self.rows):
            return np.full(len(rows), -1, np.int64)
        positions = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.where((self.rows[positions] == rows) & self.alive[positions], positions, -1)


class Columns:
    """The writer's side. One thread only."""

    def __init__(self, dim: int, recommender: Recommender | None = None, storage: Storage = "float32") -> None:
        self._rows = Buffer(np.int64)
        self._prices = Buffer(np.float64)
        self._vectors = VectorStore(dim, storage)
        self._facet_owners = Buffer(np.int64)
        self._facet_codes = Buffer(np.int32)
        self._ids: list[str] = []
        self._vocabulary: dict[str, int] = {}
        self._alive: BoolArray = np.zeros(0, np.bool_)
        self._dead: list[int] = []
        self._numbers = Buffer(np.int32)
        self._behaviour = Buffer(np.float32, recommender.dim if recommender else 0)
        self._recommender = recommender
        self.dim = dim

    def __len__(self) -> int:
        return len(self._ids)

    def append(
        self,
        rows: Sequence[int],
        ids: Sequence[str],
        prices: Sequence[float | None],
        facets: Sequence[Sequence[str]],
        vectors: FloatArray,
    ) -> None:
        """Adds living versions whose row keys are larger than all before; `vectors` (n, dim)."""
        first = len(self._ids)
        self._rows.extend(np.asarray(rows, np.int64))
        self._prices.extend(np.array([np.nan if price is None else price for price in prices], np.float64))
        self._vectors.extend(vectors)
        if self._recommender is not None:
            numbers = self._recommender.numbers_of(ids)
            self._numbers.extend(numbers)
            self._behaviour.extend(self._recommender.vectors_of(numbers, vectors))
        owners = [first + index for index, names in enumerate(facets) for _ in names]
        codes = [self._vocabulary.setdefault(name, len(self._vocabulary)) for names in facets for name in names]
        self._facet_owners.extend(np.array(owners, np.int64))
        self._facet_codes.extend(np.array(codes, np.int32))
        self._ids.extend(ids)

    def kill(self, rows: Sequence[int]) -> None:
        """Marks versions dead; readers of earlier views still see them alive."""
        self._dead.extend(np.searchsorted(self._rows.view(), np.asarray(rows, np.int64)).tolist())

    def view(self) -> ColumnsView:
        """What a reader sees from now on."""
        alive = np.ones(len(self._ids), np.bool_)
        alive[: len(self._alive)] = self._alive
        alive[self._dead] = False
        self._alive, self._dead = alive, []
        behaviour: BehaviourView | None = None
        if self._recommender is not None:
            behaviour = BehaviourView(self._recommender, self._numbers.view(), self._behaviour.view(), alive)
        return ColumnsView(
            rows=self._rows.view(),
            ids=self._ids,
            alive=alive,
            living=int(np.count_nonzero(alive)),
            prices=self._prices.view(),
            vectors=self._vectors.view(),
            facet_owners=self._facet_owners.view(),
            facet_codes=self._facet_codes.view(),
            vocabulary=self._vocabulary,
            behaviour=behaviour,
        )

    def compacted(self) -> "Columns":
        """The same without its dead versions, in arrays of its own."""
        view = self.view()
        kept = np.flatnonzero(view.alive)
        smaller = Columns(self.dim, self._recommender, self._vectors.storage)
        smaller._rows.extend(view.rows[kept])
        smaller._prices.extend(view.prices[kept])
        smaller._vectors.take(view.vectors, kept)
        if view.behaviour is not None:
            smaller._numbers.extend(view.behaviour.numbers[kept])
            smaller._behaviour.extend(view.behaviour.vectors[kept])
        kept_facets = view.alive[view.facet_owners]
        smaller._facet_owners.extend(np.searchsorted(kept, view.facet_owners[kept_facets]))
        smaller._facet_codes.extend(view.facet_codes[kept_facets])
        smaller._ids = [view.ids[position] for position in kept.tolist()]
        smaller._vocabulary = self._vocabulary
        return smaller
