"""Packed vectors."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vitrine.errors import InvalidArgument
from vitrine.vectors import FloatArray, VectorDtype, l2_normalized, pack_vectors, unpack_vectors

_matrices = npst.arrays(
    np.float32,
    npst.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8),
    elements=st.floats(-1e4, 1e4, width=16),
)


@given(_matrices, st.sampled_from(["float32", "float16"]))
def test_packed_vectors_come_back(vectors: FloatArray, dtype: VectorDtype) -> None:
    data = pack_vectors(vectors, dtype)
    assert len(data) == vectors.size * (4 if dtype == "float32" else 2)
    back = unpack_vectors(data, vectors.shape[1], dtype)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, vectors)


def test_numbers_are_little_endian_and_row_major() -> None:
    assert pack_vectors(np.array([[1.0, 0.0], [0.0, 2.0]], np.float32).T)[:4] == b"\x00\x00\x80\x3f"
    assert pack_vectors(np.array([[1.0, 2.0]], ">f4")) == b"\x00\x00\x80\x3f\x00\x00\x00\x40"


def test_a_thousand_vectors_are_packed_in_one_copy_and_read_in_none() -> None:
    """dynamo#10221, protobuf#12076 (cases 77, 78): number by number, vectors took a third of a call's time."""
    vectors = np.random.default_rng(1).normal(size=(1_000, 1_024)).astype(np.float32)
    tracemalloc.start()
    try:
        data = pack_vectors(vectors)
        packed, most_while_packing = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        back = unpack_vectors(data, 1_024)
        _, most_while_reading = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert np.shares_memory(back, np.frombuffer(data, np.uint8))
    # Room for a byte a number, which says whether that is finite; an object a number would be 24.
    assert most_while_packing < vectors.nbytes + 2 * vectors.size
    assert most_while_reading - packed < 2 * vectors.size


def test_no_vectors_are_no_bytes() -> None:
    assert unpack_vectors(b"", 4).shape == (0, 4)


@pytest.mark.parametrize(
    ("data", "dim", "field"),
    [
        (b"\x00" * 8, 0, "query.dim"),
        (b"\x00" * 8, -1, "query.dim"),
        (b"\x00" * 10, 2, "query.data"),
        (np.array([[np.nan, 1.0]], "<f4").tobytes(), 2, "query.data"),
        (np.array([[np.inf, 1.0]], "<f4").tobytes(), 2, "query.data"),
    ],
)
def test_wrong_bytes_are_refused_by_field(data: bytes, dim: int, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        unpack_vectors(data, dim, field="query")
    assert [v.field for v in caught.value.violations] == [field]


@given(_matrices)
def test_normalized_rows_have_length_one_or_stay_zero(vectors: FloatArray) -> None:
    norms = np.linalg.norm(l2_normalized(vectors), axis=1)
    zero = ~vectors.any(axis=1)
    assert (norms[zero] == 0).all()
    np.testing.assert_allclose(norms[~zero], 1, rtol=1e-5)


def test_tiny_and_huge_rows_normalize_without_nan() -> None:
    """model2vec#368 (case 62): a small norm underflowed and gave NaN."""
    vectors = l2_normalized(np.array([[1e-32, 0], [3e38, 3e38], [0, 0], [1e-45, 0]], np.float32))
    np.testing.assert_allclose(vectors, [[1, 0], [0.5**0.5, 0.5**0.5], [0, 0], [1, 0]], rtol=1e-6)
