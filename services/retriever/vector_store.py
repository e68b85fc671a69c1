"""The vector store: a catalogue's vectors once in memory, as float32, float16, int8 or pq, and their inner products.

int8 keeps each vector's numbers as multiples of its own largest one / 127 (symmetric scalar quantisation, a scale for
each vector): a cosine errs by about 0.001. pq keeps the codes of a product quantiser: a cosine errs by about 0.02.
Both have every vector as float16 in a mapped file beside them, by which what is found first is scored again.

What is searched together may lie together: the first vectors in an order of their own, the cells', and those that came
since as they came. Ten thousand that are scattered over a million take four times as long as those of a few stretches.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import faiss
import numpy as np
import simsimd
from numpy.typing import NDArray

from services.retriever.buffer import Buffer, MappedBuffer
from services.retriever.product_quantizer import PART, ProductQuantizer, parts_of, sample_size, trained
from vitrine.vectors import FloatArray

Storage = Literal["float32", "float16", "int8", "pq"]
ITEM_BYTES: dict[Storage, float] = {"float32": 4, "float16": 2, "int8": 1, "pq": 1 / PART}

# Rows that are multiplied at a time where they lie; of those that are gathered first so many, which the processor's
# cache keeps in between.
_BLOCK, _GATHERED = 2_048, 512
# Rows of a stretch, at least on average, and the largest step within one.
_STRETCH, _GAP = 32, 8
_LEVELS = 127.0
# What each float16 is as float32, by its bits: looking up takes half the time of converting.
_WIDENED: FloatArray = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
_IntArray = NDArray[np.int64]
AS_THEY_COME = np.empty(0, np.int32)
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
    """The vectors as of one moment: `codes` (n, dim) in the storage's type; `scales` (n,) float32 with int8.

    With pq `codes` are (n, parts) uint8, made by `quantizer`. `exact` is what the storage errs about, from a `file`.
    All arrays are in the order in which vectors lie: `laid` (k,) int32 says at which row each of the first k does, and
    all others lie at their position. Every method is asked for positions.
    """

    codes: NDArray[Any]
    scales: FloatArray | None = None
    quantizer: ProductQuantizer | None = None
    exact: "VectorView | None" = None
    file: MappedBuffer | None = None
    laid: NDArray[np.int32] = field(default_factory=lambda: AS_THEY_COME)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, positions: Any) -> FloatArray:
        """float32 vectors of an array of positions or a slice, (k, dim), or of one position, (dim,), the exact ones."""
        if isinstance(positions, slice):
            positions = np.arange(*positions.indices(len(self)))
        read = (self.exact or self).codes[self._rows(np.asarray(positions, np.int64))]
        if read.dtype == np.float16:
            return np.asarray(_WIDENED.take(read.view(np.uint16), mode="clip"))
        return np.asarray(read, np.float32)

    @property
    def dim(self) -> int:
        """Numbers of one vector."""
        return int((self.exact or self).codes.shape[1])

    @property
    def storage(self) -> Storage:
        """How they are kept."""
        return cast(Storage, self.codes.dtype.name) if self.quantizer is None else "pq"

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        beside = sum(0 if one is None else one.nbytes for one in (self.scales, self.quantizer))
        return self.codes.nbytes + self.laid.nbytes + beside

    def whole(self) -> dict[str, NDArray[Any]]:
        """What is to be saved beside the arrays that grow."""
        whole: dict[str, NDArray[Any]] = {"laid": self.laid}
        if self.quantizer is not None:
            whole |= {"codebook": self.quantizer.centroids, "codebook_rows": np.array([self.quantizer.rows])}
        return whole

    def exact_scores(self, query: FloatArray, positions: _IntArray) -> FloatArray:
        """(len(positions),) float32: what `scores` gives for a (dim,) query, by the exact vectors."""
        exact, rows = self.exact or self, self._rows(positions)
        with nullcontext() if exact.file is None else exact.file.reading(rows):
            scores: FloatArray = exact._scores(query[None], rows)[0]
        return scores

    def proposed(self, queries: FloatArray, positions: _IntArray, count: int) -> list[_IntArray]:
        """For each of (q, dim) queries the `count` positions, or more, that are best as far as the storage tells."""
        if count >= len(positions):
            return [positions] * len(queries)
        if self.quantizer is not None:
            return list(positions[self.quantizer.nearest(queries, self.codes, self._rows(positions), count)])
        every = self.scores(queries, positions)
        # All that tie with the last one are among them.
        return [positions[kept] for kept in every >= np.partition(every, -count, axis=1)[:, -count, None]]

    def scores(self, queries: FloatArray, positions: _IntArray) -> FloatArray:
        """(q, len(positions)) float32: inner products of (q, dim) queries with the vectors at those positions.

        Each product is made by the same steps whatever else is asked for, so equal vectors tie. Not of pq, which
        only proposes.
        """
        rows = self._rows(positions)
        if len(self.laid) and 2 * len(rows) > len(self):
            # Of most it is sooner to score all as they lie.
            return self._scores(queries, np.arange(len(self)))[:, rows]
        return self._scores(queries, rows)

    def _rows(self, positions: _IntArray) -> _IntArray:
        """Where the vectors at these positions lie."""
        if not len(self.laid):
            return positions
        return np.where(positions < len(self.laid), self.laid.take(positions, mode="clip"), positions)

    def _scores(self, queries: FloatArray, rows: _IntArray) -> FloatArray:
        scores = np.empty((len(queries), len(rows)), np.float32)
        asked = self._asked(queries)
        for start in range(0, len(rows), _BLOCK):
            part = slice(start, start + _BLOCK)
            at = rows[part]
            if self.codes.dtype == np.float32:
                for query, theirs in zip(queries, scores, strict=True):
                    theirs[part] = inner_products(query, self.codes, at)
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
        steps = np.diff(at)
        cuts = np.flatnonzero((steps < 1) | (steps > _GAP)) + 1
        begins, ends = np.concatenate([[0], cuts]), np.concatenate([cuts, [len(at)]])
        firsts, lasts = at[begins], at[ends - 1]
        if len(begins) * _STRETCH <= len(at) and int((lasts + 1 - firsts).sum()) < 2 * len(at):
            # Where most of a stretch is wanted, all of it is multiplied where it lies.
            stretches = zip(begins.tolist(), ends.tolist(), firsts.tolist(), lasts.tolist(), strict=True)
            found = [_products(asked, self.codes[f : t + 1])[:, at[b:e] - f] for b, e, f, t in stretches]
        else:
            pieces = [at[start : start + _GATHERED] for start in range(0, len(at), _GATHERED)]
            found = [_products(asked, self.codes.take(piece, axis=0, mode="clip")) for piece in pieces]
        return np.concatenate(found, axis=1)


def _products(queries: NDArray[Any], rows: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(_simsimd.cdist(queries, rows, "dot")).reshape(len(queries), len(rows))


class VectorStore:
    """The writer's side. One thread only.

    `folder` is where the exact vectors lie that the storage errs about. pq has a quantiser, or is filled from what was
    saved and given it by `restore`.
    """

    def __init__(
        self, dim: int, storage: Storage, folder: Path | None = None, quantizer: ProductQuantizer | None = None
    ) -> None:
        self.storage = storage
        self.quantizer = quantizer
        self.codes = Buffer(np.uint8, parts_of(dim)) if storage == "pq" else Buffer(np.dtype(storage), dim)
        self.scales = Buffer(np.float32) if storage == "int8" else None
        self.exact = MappedBuffer(np.float16, dim, folder=folder) if storage in ("int8", "pq") else None
        self._laid = AS_THEY_COME

    def lay(self, order: NDArray[np.int32]) -> None:
        """Before any vector is there: those at the first positions come in this `order` of positions, (k,)."""
        self._laid = np.empty(len(order), np.int32)
        self._laid[order] = np.arange(len(order), dtype=np.int32)

    def extend(self, vectors: FloatArray) -> None:
        """Appends (n, dim) float32 vectors."""
        if self.exact is not None:
            self.exact.extend(vectors)
        if self.quantizer is not None:
            self.codes.extend(self.quantizer.encode(vectors))
            return
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
            if view.storage != self.storage or view.quantizer is not self.quantizer:
                self.extend(view[at])
                continue
            at = view._rows(at)
            self.codes.extend(view.codes[at])
            if self.exact is not None and view.exact is not None and view.exact.file is not None:
                with view.exact.file.reading(at):
                    self.exact.extend(view.exact.codes[at])
            if self.scales is not None and view.scales is not None:
                self.scales.extend(view.scales[at])

    @property
    def buffers(self) -> Mapping[str, Buffer]:
        """The arrays by name, for saving and reading back."""
        beside = {"scales": self.scales, "exact": self.exact}
        return {"codes": self.codes} | {name: one for name, one in beside.items() if one is not None}

    def restore(self, arrays: Mapping[str, NDArray[Any]], dim: int) -> None:
        """Takes over what `VectorView.whole` gave; `buffers` are filled already."""
        self._laid = arrays["laid"]
        if self.storage == "pq":
            self.quantizer = ProductQuantizer(arrays["codebook"], dim, int(arrays["codebook_rows"][0]))

    def view(self) -> VectorView:
        """What a reader sees from now on."""
        scales = None if self.scales is None else self.scales.view()
        exact = None if self.exact is None else VectorView(self.exact.view(), file=self.exact)
        return VectorView(self.codes.view(), scales, self.quantizer, exact, laid=self._laid)


def quantizer_for(storage: Storage, view: VectorView, positions: _IntArray) -> ProductQuantizer | None:
    """What vectors of a view, at those positions, are to be encoded by: what the view's are, while it fits them."""
    if storage != "pq":
        return None
    if view.quantizer is not None and not view.quantizer.is_outgrown(len(positions)):
        return view.quantizer
    sample = np.random.default_rng(1).choice(positions, sample_size(len(positions)), replace=False)
    return trained(view[np.sort(sample)], len(positions))
