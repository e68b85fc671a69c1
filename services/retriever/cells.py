"""Cells: the vectors' space divided around centroids (an inverted file, IVF), so that a search looks at the nearest.

A cell is a list of positions, whose vectors come to lie together when the columns are next rebuilt. Spherical k-means;
Jégou, Douze, Schmid, "Product quantization for nearest neighbor search" (2011) describes the inverted file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import faiss
import numpy as np
import simsimd
from numpy.typing import NDArray

from services.retriever.vector_store import VectorView
from vitrine.vectors import FloatArray

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

# Cells for n vectors: this times the root of n. More make a search look at less and take longer to make (measured).
_CELLS = 4.0
MAX_CELLS = 65_536
# Vectors of the sample that one centroid is made from, and rounds of k-means.
_SAMPLE = 32
_ROUNDS = 5
_ASSIGN_CHUNK = 4_096
# Where the nearest cells held too few allowed positions: how much more than seems needed is looked into next, so that
# it is once more in most cases, and how many times what was, at most.
_SPARE = 1.05
_MOST_FURTHER = 2.0
# Some of what is called is not in the package's type stubs.
_faiss: Any = faiss
_simsimd: Any = simsimd


@dataclass(frozen=True)
class Cells:
    """Centroids (c, dim) float32, L2-normalised, made when `rows` vectors were there; nothing changes."""

    centroids: FloatArray
    rows: int

    def nearest(self, vectors: FloatArray) -> NDArray[np.uint16]:
        """The cell of each of (n, dim) vectors."""
        nearest: NDArray[np.uint16] = np.argmax(vectors @ self.centroids.T, axis=1).astype(np.uint16)
        return nearest

    def ranked(self, query: FloatArray) -> IntArray:
        """(c,) the cells, that whose centroid is nearest to a (dim,) query first."""
        products: NDArray[np.float64] = np.asarray(_simsimd.cdist(query.astype(np.float16)[None], self._halves, "dot"))
        return np.argsort(-products.reshape(-1))

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.centroids.nbytes + self._halves.nbytes

    @cached_property
    def _halves(self) -> NDArray[np.float16]:
        # Every search reads all of them: which cell is the nearest by a thousandth is nothing to it.
        return self.centroids.astype(np.float16)


@dataclass(frozen=True, slots=True)
class PlacedCells:
    """Cells and what lies in them: `assigned` (tail,) the cell of each position before `tail`; newer ones have none.

    `order` (tail,) int32 holds the positions cell by cell, cell c from `starts[c]` to `starts[c + 1]`.
    """

    cells: Cells
    assigned: NDArray[np.uint16]
    order: NDArray[np.int32]
    starts: IntArray

    @property
    def tail(self) -> int:
        """The first position without a cell."""
        return len(self.assigned)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.cells.nbytes + self.assigned.nbytes + self.order.nbytes

    def examined(self, query: FloatArray, allowed: BoolArray, count: int, wanted: int) -> IntArray:
        """At least `wanted` of the `count` allowed positions, those of the nearest cells, and all without a cell.

        A filter thins the cells, so more of them are looked into until as many are found: recall does not fall.
        """
        ranked = self.cells.ranked(query)
        reach = np.cumsum(self.starts[ranked + 1] - self.starts[ranked])
        found = [np.flatnonzero(allowed[self.tail :]) + self.tail]
        total, first = 0, 0
        goal = wanted * len(allowed) / max(count, 1)
        while total < wanted and first < len(ranked):
            # One cell at least: the last of those before may reach as far by itself, and hold few that are allowed.
            last = min(max(int(np.searchsorted(reach, goal)), first) + 1, len(ranked))
            near = self._positions(ranked[first:last])
            near = near[allowed[near]]
            found.append(near)
            total += len(near)
            first = last
            # As far as what was found so far says how many are allowed here: often little is missing.
            goal *= min(_SPARE * wanted / max(total, 1), _MOST_FURTHER)
        return np.concatenate(found)

    def _positions(self, cells: IntArray) -> IntArray:
        begins, ends = self.starts[cells].tolist(), self.starts[cells + 1].tolist()
        pieces = [self.order[begin:end] for begin, end in zip(begins, ends, strict=True)]
        return np.concatenate(pieces).astype(np.int64)


def train(vectors: VectorView, alive: BoolArray, seed: int = 1) -> Cells:
    """Cells for the living of these vectors, from a sample of them."""
    living = np.flatnonzero(alive)
    count = int(min(_CELLS * np.sqrt(len(living)), MAX_CELLS, len(living)))
    sample = np.random.default_rng(seed).choice(living, min(len(living), count * _SAMPLE), replace=False)
    kmeans = _faiss.Kmeans(
        vectors.dim,
        count,
        niter=_ROUNDS,
        spherical=True,
        seed=seed,
        min_points_per_centroid=1,
        max_points_per_centroid=_SAMPLE,
    )
    kmeans.train(vectors[np.sort(sample)])
    return Cells(np.ascontiguousarray(kmeans.centroids), len(living))


def assign(
    cells: Cells, vectors: VectorView, start: int, stop: int, stopped: Callable[[], bool]
) -> NDArray[np.uint16] | None:
    """The cell of each position from `start` to `stop`; None when `stopped` said so before the end."""
    assigned = np.empty(stop - start, np.uint16)
    for first in range(start, stop, _ASSIGN_CHUNK):
        if stopped():
            return None
        last = min(first + _ASSIGN_CHUNK, stop)
        assigned[first - start : last - start] = cells.nearest(vectors[np.arange(first, last)])
    return assigned


def placed_cells(cells: Cells, assigned: NDArray[np.uint16]) -> PlacedCells:
    """The cells with the positions that lie in each."""
    order = np.argsort(assigned, kind="stable").astype(np.int32)
    sizes = np.bincount(assigned, minlength=len(cells.centroids))
    return PlacedCells(cells, assigned, order, np.concatenate([[0], np.cumsum(sizes)]))
