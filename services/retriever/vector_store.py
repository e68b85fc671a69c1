"""The vector store: a catalogue's vectors once in memory, as float32, float16 or int8, and their inner products.

int8 keeps each vector's numbers as multiples of its own largest one / 127 (symmetric scalar quantisation, a scale for
each vector): a cosine errs by about 0.001, and what is shown first is scored again from the catalogue's float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import faiss
import numpy as np
import simsimd
from numpy.typing import NDArray

from services.retriever.buffer import Buffer
from vitrine.vectors import FloatArray

Storage = Literal["float32", "float16", "int8"]
ITEM_BYTES: dict[Storage, int] = {"float32": 4, "float16": 2, "int8": 1}

# Rows that are gathered at a time: they stay in the processor's cache between gathering and multiplying.
_BLOCK = 2_048
_LEVELS = 127.0
_IntArray = NDArray[np.int64]
# Some of what is called is not in the package's type stubs.
_faiss: Any = faiss
_simsimd: Any = simsimd


def inner_products(query: FloatArray, vectors: FloatArray, positions: _IntArray) -> FloatArray:
    """(len(positions),) float32: the query's product with those rows of (n, dim) `vectors`; FAISS, in this thread."""
    scores = np.empty(len(positions), np.float32)
    _faiss.fvec_inner_products_by_idx(
        faiss.swig_ptr(scores),
        faiss.swig_ptr(np.ascontiguousarray(query)),
        faiss.swig_ptr(vectors),
        faiss.swig_ptr(np.ascontiguousarray(positions, np.int64)),
        vectors.shape[1],
        1,
        len(positions),
    )
    return scores


@dataclass(frozen=True, slots=True)
class VectorView:
    """The vectors as of one moment: `codes` (n, dim) in the storage's type; `scales` (n,) float32 with int8."""

    codes: NDArray[Any]
    scales: FloatArray | None

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, positions: Any) -> FloatArray:
        """float32 vectors of an array of positions, (k, dim), or of one position, (dim,)."""
        decoded: FloatArray = self.codes[positions].astype(np.float32)
        if self.scales is not None:
            decoded *= np.asarray(self.scales[positions])[..., None]
        return decoded

    @property
    def dim(self) -> int:
        """Numbers of one vector."""
        return int(self.codes.shape[1])

    @property
    def storage(self) -> Storage:
        """How they are kept."""
        return cast(Storage, self.codes.dtype.name)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.codes.nbytes + (0 if self.scales is None else self.scales.nbytes)

    @property
    def rescored(self) -> bool:
        """Whether scores err so much that the first results are worth scoring again."""
        return self.scales is not None

    def scores(self, queries: FloatArray, positions: _IntArray) -> FloatArray:
        """(q, len(positions)) float32: inner products of (q, dim) queries with the vectors at those positions.

        Each product is made by the same steps whatever else is asked for, so equal vectors tie.
        """
        scores = np.empty((len(queries), len(positions)), np.float32)
        asked = self._asked(queries)
        for start in range(0, len(positions), _BLOCK):
            part = slice(start, start + _BLOCK)
            at = positions[part]
            if self.codes.dtype == np.float32:
                for query, row in zip(queries, scores, strict=True):
                    row[part] = inner_products(query, self.codes, at)
                continue
            products = self._products(asked, at)
            if self.scales is None:
                scores[:, part] = products
            else:
                # The query in two parts, a coarse one and what that left out, so that it adds no error of its own.
                steps = np.abs(queries).max(axis=1, keepdims=True) / _LEVELS
                fine = products[len(queries) :] / (2 * _LEVELS)
                scores[:, part] = (products[: len(queries)] + fine) * steps * self.scales[at]
        return scores

    def _asked(self, queries: FloatArray) -> NDArray[Any]:
        if self.codes.dtype != np.int8:
            return queries.astype(self.codes.dtype)
        steps = np.abs(queries).max(axis=1, keepdims=True) / _LEVELS
        steps[steps == 0] = 1.0
        coarse = np.round(queries / steps)
        fine = np.round((queries / steps - coarse) * 2 * _LEVELS)
        return np.concatenate([coarse, fine]).astype(np.int8)

    def _products(self, asked: NDArray[Any], at: _IntArray) -> NDArray[np.float64]:
        first, last = int(at.min()), int(at.max())
        # Where most of a stretch is wanted, all of it is multiplied where it lies.
        whole = last - first < 2 * len(at)
        rows = self.codes[first : last + 1] if whole else self.codes.take(at, axis=0, mode="clip")
        products: NDArray[np.float64] = np.asarray(_simsimd.cdist(asked, rows, "dot")).reshape(len(asked), len(rows))
        return products[:, at - first] if whole else products


class VectorStore:
    """The writer's side. One thread only."""

    def __init__(self, dim: int, storage: Storage) -> None:
        self.storage = storage
        self.codes = Buffer(np.dtype(storage), dim)
        self.scales = Buffer(np.float32) if storage == "int8" else None

    def extend(self, vectors: FloatArray) -> None:
        """Appends (n, dim) float32 vectors."""
        if self.scales is None:
            self.codes.extend(vectors)
            return
        steps = np.abs(vectors).max(axis=1, keepdims=True) / _LEVELS
        steps[steps == 0] = 1.0
        self.codes.extend(np.round(vectors / steps))
        self.scales.extend(steps[:, 0])

    def take(self, view: VectorView, positions: _IntArray) -> None:
        """Appends those vectors of a view, of whatever storage."""
        for start in range(0, len(positions), _BLOCK):
            at = positions[start : start + _BLOCK]
            if view.codes.dtype != self.codes.view().dtype:
                self.extend(view[at])
                continue
            self.codes.extend(view.codes[at])
            if self.scales is not None and view.scales is not None:
                self.scales.extend(view.scales[at])

    @property
    def buffers(self) -> Mapping[str, Buffer]:
        """The arrays by name, for saving and reading back."""
        return {"codes": self.codes} | ({} if self.scales is None else {"scales": self.scales})

    def view(self) -> VectorView:
        """What a reader sees from now on."""
        return VectorView(self.codes.view(), None if self.scales is None else self.scales.view())
