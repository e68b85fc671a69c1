"""Intervals hold their figure, narrow with more queries, and come out the same each time."""

import numpy as np
import pytest

from evaluation.intervals import auc_interval, mean_interval


def test_mean() -> None:
    values = np.random.default_rng(1).random(80).tolist()
    interval = mean_interval(values)
    assert interval.value == pytest.approx(sum(values) / 80)
    assert interval.low < interval.value < interval.high
    # The normal approximation of the same bounds.
    half = 1.96 * float(np.std(values)) / 80**0.5
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.15)
    assert interval == mean_interval(values)
    wide = mean_interval(values[:10])
    assert wide.high - wide.low > interval.high - interval.low


def test_equal_values_leave_no_doubt() -> None:
    interval = mean_interval([0.5] * 10)
    assert (interval.low, interval.value, interval.high, interval.count) == (0.5, 0.5, 0.5, 10)


def test_auc_by_hand() -> None:
    queries = [str(n) for n in range(4)]
    assert auc_interval([4, 3, 2, 1], [True, True, False, False], queries).value == 1.0
    assert auc_interval([4, 2, 3, 1], [True, True, False, False], queries).value == 0.75
    assert auc_interval([1, 1, 1, 1], [True, True, False, False], queries).value == 0.5
    assert auc_interval([1, 2, 3, 4], [True, True, False, False], queries).value == 0.0


def test_auc_is_resampled_by_query() -> None:
    """Ten pairs that share their query say as much as one: the interval must not get narrower by repeating them."""
    random = np.random.default_rng(2)
    labels = [bool(n % 2) for n in range(40)]
    scores = [float(label + random.normal()) for label in labels]
    queries = [str(n) for n in range(40)]
    once = auc_interval(scores, labels, queries)
    repeated = auc_interval(scores * 10, labels * 10, queries * 10)
    assert repeated.value == pytest.approx(once.value)
    assert repeated.high - repeated.low == pytest.approx(once.high - once.low, abs=0.02)
    assert once.low < once.value < once.high
