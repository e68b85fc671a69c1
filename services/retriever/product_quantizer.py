"""The product quantiser: each vector as one byte for every four of its numbers, trained and encoded by FAISS.

Jégou, Douze, Schmid, "Product quantization for nearest neighbor search" (2011): the numbers are cut into parts, and of
each part the nearest of 256 centroids is kept. A query is not cut short: its product with every centroid is looked up.
"""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from vitrine.vectors import FloatArray

# Numbers that one byte stands for.
PART = 4
_CENTROIDS = 256
# Vectors that one centroid is trained from, and rounds of k-means.
_SAMPLE = 64
_ROUNDS = 10
# A quantiser is made anew when the catalogue has grown by this.
GROWN = 2.5
# Some of what is called is not in the package's type stubs.
_faiss: Any = faiss

Codes = NDArray[np.uint8]
IntArray = NDArray[np.int64]
# Codes that are gathered at a time.
_BLOCK = 65_536


class ProductQuantizer:
    """Centroids (parts, 256, 4) float32 of vectors of `dim` numbers, trained when `rows` were there; nothing changes.

    A vector whose numbers are no multiple of four is filled up with zeros.
    """

    def __init__(self, centroids: FloatArray, dim: int, rows: int) -> None:
        self.centroids = centroids
        self.dim = dim
        self.rows = rows
        self._faiss = _faiss.ProductQuantizer(len(centroids) * PART, len(centroids), 8)
        faiss.copy_array_to_vector(np.ascontiguousarray(centroids, np.float32).ravel(), self._faiss.centroids)

    @property
    def nbytes(self) -> int:
        """Bytes in memory: FAISS holds the centroids, too."""
        return 2 * self.centroids.nbytes

    def is_outgrown(self, rows: int) -> bool:
        """Whether so many are there now that another is to be trained."""
        return rows > self.rows * GROWN

    def encode(self, vectors: FloatArray) -> Codes:
        """(n, parts) codes of (n, dim) vectors."""
        codes: Codes = self._faiss.compute_codes(_filled(vectors, len(self.centroids)))
        return codes

    def nearest(self, queries: FloatArray, codes: Codes, rows: IntArray, count: int) -> IntArray:
        """(q, count) places in `rows`, more than `count` rows of the codes: for each of (q, dim) queries those of the
        best products."""
        asked = _filled(queries, len(self.centroids))
        found = np.empty((len(queries), 0), np.int64)
        products = np.empty((len(queries), 0), np.float32)
        for start in range(0, len(rows), _BLOCK):
            at = rows[start : start + _BLOCK]
            near, theirs = self._nearest(asked, codes.take(at, axis=0, mode="clip"), min(count, len(at)))
            found, products = np.concatenate([found, start + near], axis=1), np.concatenate([products, theirs], axis=1)
            if products.shape[1] > count:
                kept = np.argpartition(-products, count - 1, axis=1)[:, :count]
                found, products = np.take_along_axis(found, kept, 1), np.take_along_axis(products, kept, 1)
        return found

    def _nearest(self, asked: FloatArray, codes: Codes, count: int) -> tuple[IntArray, FloatArray]:
        places, products = np.empty((len(asked), count), np.int64), np.empty((len(asked), count), np.float32)
        heap = _faiss.float_minheap_array_t()
        heap.nh, heap.k = places.shape
        heap.ids, heap.val = faiss.swig_ptr(places), faiss.swig_ptr(products)
        self._faiss.search_ip(faiss.swig_ptr(asked), len(asked), faiss.swig_ptr(codes), len(codes), heap, True)
        return places, products


def sample_size(rows: int) -> int:
    """How many of so many vectors `trained` wants to see."""
    return min(rows, _CENTROIDS * _SAMPLE)


def trained(sample: FloatArray, rows: int, seed: int = 1) -> ProductQuantizer:
    """A quantiser from (n, dim) of `rows` vectors, at least 256 of them."""
    dim = sample.shape[1]
    parts = parts_of(dim)
    quantizer = _faiss.ProductQuantizer(parts * PART, parts, 8)
    quantizer.cp.niter = _ROUNDS
    quantizer.cp.seed = seed
    quantizer.cp.min_points_per_centroid = 1
    quantizer.cp.max_points_per_centroid = _SAMPLE
    quantizer.train(_filled(sample, parts))
    centroids = faiss.vector_to_array(quantizer.centroids).reshape(parts, _CENTROIDS, PART)
    return ProductQuantizer(centroids, dim, rows)


def parts_of(dim: int) -> int:
    """Parts, each kept as one byte, of a vector of `dim` numbers."""
    return -(-dim // PART)


def _filled(vectors: FloatArray, parts: int) -> FloatArray:
    missing = parts * PART - vectors.shape[1]
    filled = np.pad(vectors, ((0, 0), (0, missing))) if missing else vectors
    return np.ascontiguousarray(filled, np.float32)
