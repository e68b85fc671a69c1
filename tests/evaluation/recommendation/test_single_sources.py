"""Methods beside the engine."""

import numpy as np
import pytest

from evaluation.recommendation.single_sources import both


def test_two_methods_fused_are_ordered_by_the_sum_of_their_reciprocal_ranks() -> None:
    first = np.array([[0.9, 0.8, 0.1, -np.inf]], np.float32)
    second = np.array([[-np.inf, 2.0, 1.0, -np.inf]], np.float32)
    scores = both(lambda _: first, lambda _: second)([])
    assert scores[0].tolist() == pytest.approx([1 / 61, 1 / 62 + 1 / 61, 1 / 63 + 1 / 62, -np.inf])
