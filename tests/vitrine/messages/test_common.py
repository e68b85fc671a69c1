"""Lanes, packed vectors, outcomes and model names over the wire."""

import numpy as np
import pytest

from vitrine.errors import InvalidArgument, ResourceExhausted
from vitrine.messages.common import (
    dtype_from_message,
    lane_from_message,
    lane_to_message,
    model_info_from_message,
    model_info_to_message,
    outcome_from_message,
    outcome_to_message,
    shortfall_from_message,
    shortfall_to_message,
    vectors_from_message,
    vectors_to_message,
)
from vitrine.ports import ItemOutcome, Lane, ModelInfo, Shortfall
from vitrine.v1 import common_pb2
from vitrine.vectors import VectorDtype


def test_lanes_come_back_and_unset_is_live() -> None:
    assert [lane_from_message(lane_to_message(lane)) for lane in Lane] == list(Lane)
    assert lane_from_message(common_pb2.LANE_UNSPECIFIED) is Lane.LIVE
    with pytest.raises(InvalidArgument, match="lane: 7 is not a Lane"):
        lane_from_message(7)


def test_shortfalls_come_back() -> None:
    for shortfall in (None, *Shortfall):
        assert shortfall_from_message(shortfall_to_message(shortfall)) is shortfall


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_vectors_come_back(dtype: VectorDtype) -> None:
    vectors = np.array([[0.5, -1.0, 2.0], [0.25, 0.0, -8.0]], np.float32)
    message = vectors_to_message(vectors, dtype)
    assert dtype_from_message(message.type) == dtype
    np.testing.assert_array_equal(vectors_from_message(message), vectors)


def test_vectors_without_a_type_are_float32() -> None:
    message = common_pb2.PackedVectors(data=np.ones(2, "<f4").tobytes(), dim=2)
    np.testing.assert_array_equal(vectors_from_message(message), [[1, 1]])


def test_wrong_vectors_are_refused_by_field() -> None:
    with pytest.raises(InvalidArgument, match=r"^vector\.type: 9 is not a VectorType"):
        vectors_from_message(common_pb2.PackedVectors(dim=2, type=9), "vector")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match=r"^vector\.dim: is 0"):
        vectors_from_message(common_pb2.PackedVectors(), "vector")


def test_an_outcome_comes_back_with_its_error() -> None:
    done = outcome_to_message(0, ItemOutcome("a"))
    assert not done.HasField("status")
    assert outcome_from_message(done) == ItemOutcome("a")
    failed = outcome_to_message(4, ItemOutcome("b", ResourceExhausted("full", retry_after_s=0.5)))
    assert failed.index == 4
    error = outcome_from_message(failed).error
    assert isinstance(error, ResourceExhausted)
    assert (error.message, error.retry_after_s) == ("full", 0.5)


def test_a_model_name_comes_back() -> None:
    info = ModelInfo("vitrine-embedder", "1", "sha256:00", 384, 512, ("zh", "en"), "onnxruntime")
    assert model_info_from_message(model_info_to_message(info)) == info
