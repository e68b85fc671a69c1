"""Coded vectors: half a byte for every two numbers, which finds the few worth an exact score in a tenth of the time.

Product quantisation with 4-bit codes whose tables stay in registers: André, Kermarrec, Le Scouarnec, "Cache locality is
not enough" (2015), by FAISS. Vectors are coded in blocks of their own codebooks as they come, those that come at once
in one; what fills no block yet is always proposed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from services.retriever.buffer import Buffer
from vitrine.vectors import FloatArray

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

BLOCK = 16_384
_BITS = 4
# Vectors of a block that its codebook is made from, and rounds of k-means.
_SAMPLE = 2_048
_ROUNDS = 4
# Proposed by each block, at least, for each one wanted, and further ones that blocks share by size: where vectors have
# no structure 98 % of 40 wanted are among them, 96 % of one block of 400,000; of those in clusters all are (measured).
_LEAST, _EACH, _SHARED = 200, 4, 12
# Some of what is called is not in the package's type stubs.
_faiss: Any = faiss


@dataclass(frozen=True, slots=True, eq=False)
class CodedView:
    """(n, d) float32 `vectors` as of one moment, the first of them coded in `blocks`; nothing in it changes."""

    vectors: FloatArray
    blocks: Sequence[Any]

    @classmethod
    def of(cls, vectors: FloatArray) -> "CodedView":
        """(n, d) float32 vectors that do not change, which are not copied: one block, if they are enough for one."""
        return cls(vectors, [_coded(vectors)] if len(vectors) >= BLOCK and vectors.shape[1] else [])

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        coded: int = sum(block.ntotal for block in self.blocks)
        return self.vectors.nbytes + coded * _codes(self.vectors.shape[1]) * _BITS // 8

    def proposed(self, query: FloatArray, usable: BoolArray, wanted: int) -> IntArray:
        """Usable (n,) positions, ascending, which hold those of the largest inner products with the (d,) query."""
        found, first = [], 0
        coded: int = sum(block.ntotal for block in self.blocks)
        for block in self.blocks:
            breadth = max(_LEAST, round((_EACH + _SHARED * block.ntotal / coded) * wanted))
            here = usable[first : first + block.ntotal]
            count = int(np.count_nonzero(here))
            # A filter thins a block, so more of it is proposed until as many are usable.
            wider = breadth * len(here) // max(count, 1)
            if wider < count:
                places = np.sort(block.search(query[None], wider)[1][0])
                places = places[here[places]]
            # A filter may leave mostly what is far from the query, too: then all of it.
            if wider >= count or len(places) < wanted:
                places = np.flatnonzero(here)
            found.append(places + first)
            first += len(here)
        return np.concatenate([*found, np.flatnonzero(usable[first:]) + first])


class CodedVectors:
    """The writer's side. One thread only."""

    def __init__(self, dim: int) -> None:
        self._vectors = Buffer(np.float32, dim)
        self._blocks: list[Any] = []

    def extend(self, vectors: FloatArray) -> None:
        """Appends (n, d) vectors."""
        self._vectors.extend(vectors)

    def view(self) -> CodedView:
        """What a reader sees from now on; what came since the last one, as far as it fills blocks, is coded as one."""
        every = self._vectors.view()
        coded: int = sum(block.ntotal for block in self._blocks)
        if every.shape[1] and (whole := (len(every) - coded) // BLOCK * BLOCK):
            self._blocks.append(_coded(every[coded : coded + whole]))
        return CodedView(every, tuple(self._blocks))


def _codes(dim: int) -> int:
    """Codes of one vector: one for every two numbers."""
    return dim if dim % 2 else dim // 2


def _coded(vectors: FloatArray) -> Any:
    dim = vectors.shape[1]
    block = _faiss.IndexPQFastScan(dim, _codes(dim), _BITS, faiss.METRIC_INNER_PRODUCT)
    means = block.pq.cp
    means.niter, means.min_points_per_centroid, means.max_points_per_centroid = _ROUNDS, 1, _SAMPLE
    block.train(np.ascontiguousarray(vectors[:: len(vectors) // _SAMPLE]))
    block.add(np.ascontiguousarray(vectors))
    return block
