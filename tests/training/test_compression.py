"""Smaller encoders stay encoders."""

import numpy as np
import pytest

from tests.training.tiny import bert_tensors
from training.compression import keep_layers, layer_count, narrow_feed_forward, take_layers
from training.encoder import build_bert
from training.errors import TrainingError


def test_kept_layers_are_spaced_and_renumbered() -> None:
    tensors = bert_tensors(20, layers=6)
    smaller = keep_layers(tensors, 3)
    assert layer_count(smaller) == 3
    for new, old in enumerate((1, 3, 5)):
        name = "attention.self.query.weight"
        np.testing.assert_array_equal(smaller[f"encoder.layer.{new}.{name}"], tensors[f"encoder.layer.{old}.{name}"])
    build_bert(smaller, 4, 1)


def test_the_units_that_weigh_most_are_kept() -> None:
    tensors = bert_tensors(20)
    tensors["encoder.layer.0.intermediate.dense.weight"][5] *= 100
    smaller = narrow_feed_forward(tensors, 8)
    assert smaller["encoder.layer.0.output.dense.weight"].shape == (32, 8)
    assert np.abs(smaller["encoder.layer.0.intermediate.dense.weight"]).max() > 10
    build_bert(smaller, 4, 1)


def test_units_are_kept_by_what_they_were_measured_to_weigh() -> None:
    tensors = take_layers(bert_tensors(20, layers=4), (0, 3))
    weights = np.zeros((2, 64), dtype=np.float32)
    weights[0, [3, 9]], weights[1, [0, 63]] = 1, 1
    smaller = narrow_feed_forward(tensors, 2, list(weights))
    whole = bert_tensors(20, layers=4)
    for layer, old, kept in ((0, 0, [3, 9]), (1, 3, [0, 63])):
        name = "intermediate.dense.weight"
        np.testing.assert_array_equal(
            smaller[f"encoder.layer.{layer}.{name}"], whole[f"encoder.layer.{old}.{name}"][kept]
        )


@pytest.mark.parametrize("count", [0, 7])
def test_impossible_sizes_are_refused(count: int) -> None:
    with pytest.raises(TrainingError, match="cannot keep"):
        keep_layers(bert_tensors(20, layers=6), count)
    with pytest.raises(TrainingError, match="cannot keep"):
        narrow_feed_forward(bert_tensors(20), count * 100)
