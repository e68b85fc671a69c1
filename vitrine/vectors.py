"""Vectors as they travel: packed little-endian bytes, one field for n x dim."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vitrine.errors import invalid

FloatArray = NDArray[np.float32]
VectorDtype = Literal["float32", "float16"]

_PACKED: dict[VectorDtype, np.dtype[Any]] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2")}


def pack_vectors(vectors: FloatArray, dtype: VectorDtype = "float32") -> bytes:
    """(n, dim) float32 to n x dim numbers of `dtype`, little-endian, row-major; one copy."""
    return np.ascontiguousarray(vectors, dtype=_PACKED[dtype]).tobytes()


def unpack_vectors(data: bytes, dim: int, dtype: VectorDtype = "float32", *, field: str = "vectors") -> FloatArray:
    """The (n, dim) float32 array in `data`; without a copy for float32.

    Raises InvalidArgument naming `field` when the length does not fit or a number is not finite.
    """
    packed = _PACKED[dtype]
    if dim < 1:
        raise invalid(f"{field}.dim", f"is {dim}; give the width of a vector")
    if len(data) % (dim * packed.itemsize):
        raise invalid(f"{field}.data", f"has {len(data)} bytes, not a multiple of {dim} x {packed.itemsize}")
    vectors = np.frombuffer(data, dtype=packed).reshape(-1, dim).astype(np.float32, copy=False)
    if not np.isfinite(vectors).all():
        raise invalid(f"{field}.data", "holds NaN or infinity; send finite numbers")
    return vectors


def l2_normalized(vectors: FloatArray) -> FloatArray:
    """(n, dim) float32 with rows of length 1; an all-zero row stays zero, never NaN."""
    wide = vectors.astype(np.float64)
    norms = np.linalg.norm(wide, axis=-1, keepdims=True)
    unit: FloatArray = (wide / np.where(norms > 0, norms, 1.0)).astype(np.float32)
    return unit
