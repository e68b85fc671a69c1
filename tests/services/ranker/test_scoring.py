"""Scores and probabilities as pure functions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ranker.scoring import probabilities_of, scores_of
from vitrine.bundle import Calibration
from vitrine.ports import Evidence

CALIBRATION = Calibration(scale=2.0, bias=-1.0, evidence={"logit": 0.5, "dense": 3.0, "lexical": 1.0})


def logits(*values: float) -> np.typing.NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def test_score_is_the_weighted_sum() -> None:
    evidence = [Evidence(0.5, 1.0), Evidence(-0.5, 0.0)]
    scores = scores_of(logits(2, 4), evidence, CALIBRATION)
    assert scores.dtype == np.float32
    assert scores.tolist() == [1 + 1.5 + 1, 2 - 1.5]


def test_without_evidence_the_logit_stands_alone() -> None:
    assert scores_of(logits(2, -4), [None, None], CALIBRATION).tolist() == [1.0, -2.0]


def test_weights_that_a_bundle_leaves_out_are_zero() -> None:
    bare = Calibration(scale=1, bias=0, evidence={"logit": 1.0})
    assert scores_of(logits(2), [Evidence(0.9, 0.9)], bare).tolist() == [2.0]


def test_a_candidate_without_evidence_gets_the_others_mean() -> None:
    evidence = [Evidence(0.8, 1.0), None, Evidence(0.4, 0.0)]
    scores = scores_of(logits(0, 0, 0), evidence, CALIBRATION)
    assert scores[1] == pytest.approx((scores[0] + scores[2]) / 2)


@given(st.lists(st.floats(-60, 60, width=32), min_size=2, max_size=50))
def test_probability_grows_with_score_and_stays_inside(values: list[float]) -> None:
    scores = np.sort(np.array(values, dtype=np.float32))
    probabilities = probabilities_of(scores, CALIBRATION)
    assert probabilities.dtype == np.float32
    assert (np.diff(probabilities) >= 0).all()
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_extreme_scores_neither_overflow_nor_leave_the_interval() -> None:
    low, high = probabilities_of(logits(-3e38, 3e38), CALIBRATION)
    assert 0 < low < 1e-30
    assert 0.9999999 < high < 1
