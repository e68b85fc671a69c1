"""Calibration on cases that can be worked out by hand."""

import numpy as np
import pytest

from evaluation.calibration import calibration


def test_by_hand() -> None:
    """20 pairs at 0.2 of which 8 are relevant, and 20 at 0.9, of which 15 are."""
    probabilities = [0.2] * 20 + [0.9] * 20
    relevant = [row < 8 for row in range(20)] + [row < 15 for row in range(20)]
    measured = calibration(probabilities, relevant, [str(row % 10) for row in range(40)])
    assert [(one.predicted, one.observed.value, one.observed.count) for one in measured.bins] == [
        (pytest.approx(0.2), pytest.approx(0.4), 20),
        (pytest.approx(0.9), pytest.approx(0.75), 20),
    ]
    assert measured.expected_error.value == pytest.approx(0.5 * 0.2 + 0.5 * 0.15)
    brier = (8 * 0.8**2 + 12 * 0.2**2 + 15 * 0.1**2 + 5 * 0.9**2) / 40
    assert measured.brier.value == pytest.approx(brier)
    assert measured.brier.low < brier < measured.brier.high


def test_a_calibrated_ranker_has_little_error_and_an_overconfident_one_has_much() -> None:
    random = np.random.default_rng(3)
    truth = random.random(4_000)
    relevant = (random.random(4_000) < truth).tolist()
    queries = [str(row % 200) for row in range(4_000)]
    good = calibration(truth.tolist(), relevant, queries)
    assert len(good.bins) == 10
    assert good.expected_error.value < 0.03
    assert all(one.observed.low - 0.02 <= one.predicted <= one.observed.high + 0.02 for one in good.bins)
    assert good.brier.value == pytest.approx(1 / 6, abs=0.01)
    bold = calibration((truth > 0.5).astype(float).tolist(), relevant, queries)
    assert bold.expected_error.value == pytest.approx(0.25, abs=0.03)


def test_few_pairs_of_one_query_are_one_bin_without_doubt() -> None:
    measured = calibration([0.3, 0.5], [True, False], ["q", "q"])
    assert len(measured.bins) == 1
    assert (measured.bins[0].predicted, measured.bins[0].observed.value) == (pytest.approx(0.4), 0.5)
    assert measured.brier.low == measured.brier.high == pytest.approx((0.49 + 0.25) / 2)


def test_equal_probabilities_share_a_bin() -> None:
    measured = calibration([0.5] * 100, [row % 2 == 0 for row in range(100)], [str(row) for row in range(100)])
    assert len(measured.bins) == 1
    assert measured.expected_error.value == 0.0


def test_intervals_resample_queries() -> None:
    """Pairs repeated within their query say nothing new."""
    random = np.random.default_rng(4)
    probabilities = random.random(60).tolist()
    relevant = [bool(random.random() < p) for p in probabilities]
    queries = [str(row) for row in range(60)]
    once = calibration(probabilities, relevant, queries).brier
    often = calibration(probabilities * 5, relevant * 5, queries * 5).brier
    assert (often.value, often.low, often.high) == pytest.approx((once.value, once.low, once.high))
