"""A ranker's losses, its final score, calibration and figures."""

import ir_measures
import numpy as np
import pytest
import torch
from ir_measures import nDCG

from training.final_score import Lists, calibration_fit, fit_weights, ndcg_10
from training.ranker_loss import distillation_loss, listwise_loss, pointwise_loss
from training.ranker_training import platt


def test_weight_0_takes_a_pair_out_of_the_pointwise_loss() -> None:
    scores, relevance = torch.tensor([2.0, -1.0, 9.0]), torch.tensor([1.0, 0.0, 0.0])
    whole = pointwise_loss(scores[:2], relevance[:2], torch.ones(2))
    assert pointwise_loss(scores, relevance, torch.tensor([1.0, 1.0, 0.0])) == pytest.approx(float(whole))
    assert pointwise_loss(scores, relevance, torch.ones(3)) > whole


def test_an_inverse_propensity_counts_in_the_listwise_target() -> None:
    relevance = torch.tensor([1.0, 1.0, 0.0])
    scores = torch.tensor([2.0, 0.0, 0.0])
    towards_first = listwise_loss(scores, relevance, torch.tensor([4.0, 1.0, 1.0]), [3])
    towards_second = listwise_loss(scores, relevance, torch.tensor([1.0, 4.0, 1.0]), [3])
    assert towards_first < towards_second


def test_a_list_without_a_relevant_candidate_says_nothing_listwise() -> None:
    scores = torch.tensor([3.0, 0.0], requires_grad=True)
    listwise_loss(scores, torch.zeros(2), torch.ones(2), [2]).backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == [0.0, 0.0]


def test_margin_mse_is_half_the_mean_square_of_all_pairs_margins() -> None:
    scores, teachers = torch.tensor([1.0, -0.5, 0.3, 2.0]), torch.tensor([0.2, -1.0, 0.9, -0.1])
    margins = (scores[:, None] - scores) - 2.0 * (teachers[:, None] - teachers)
    expected = margins.square().mean() / 2
    assert distillation_loss(scores, teachers, [4], "margin-mse") == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("kind", ["kl", "margin-mse"])
def test_distillation_ends_where_all_margins_are_the_teachers(kind: str) -> None:
    teachers = torch.tensor([0.2, -1.0, 0.9, 1.5, -1.5])
    same = distillation_loss(2.0 * teachers + 7.0, teachers, [3, 2], kind)  # type: ignore[arg-type]
    assert abs(float(same)) < 1e-6
    assert distillation_loss(-teachers, teachers, [3, 2], kind) > 0.1  # type: ignore[arg-type]


def _lists(rng: np.random.Generator, informative: int) -> Lists:
    features = rng.normal(size=(400, 3)).astype(np.float32)
    relevance = (features[:, informative] > 0.6).astype(np.float32)
    return Lists(features, relevance, np.ones(400, dtype=np.float32), [20] * 20)


def test_the_final_scores_weight_goes_to_what_tells() -> None:
    fitted = fit_weights(_lists(np.random.default_rng(0), informative=1), least=(1e-3, 0.0, 0.0))
    assert fitted.weights[1] > 10 * max(fitted.weights[0], fitted.weights[2])
    assert fitted.weights[0] >= 1e-3


def test_weighted_calibration_meets_the_weighted_rate() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=4_000).astype(np.float32)
    relevance = (rng.random(4_000) < 1 / (1 + np.exp(-2 * scores + 1))).astype(np.float32)
    weights = np.where(relevance > 0, 3.0, 1.0).astype(np.float32)
    scale, bias = platt(scores, relevance, weights)
    good = calibration_fit(scores, relevance, weights, scale, bias)
    assert good.ece < 0.03
    assert bias == pytest.approx(-1 + np.log(3), abs=0.25)
    bad = calibration_fit(scores, relevance, weights, scale, bias - 3)
    assert bad.ece > 0.2
    assert bad.brier > good.brier


def test_ndcg_is_trec_evals() -> None:
    rng = np.random.default_rng(2)
    grades, scores = rng.integers(0, 4, 30), rng.normal(size=30).astype(np.float32)
    names = [f"d{number:02}" for number in range(30)]
    run = {"q": dict(zip(names, map(float, scores), strict=True))}
    expected = ir_measures.calc_aggregate([nDCG @ 10], {"q": dict(zip(names, map(int, grades), strict=True))}, run)
    assert ndcg_10(scores, grades.astype(np.float32)) == pytest.approx(expected[nDCG @ 10], abs=1e-6)
    assert np.isnan(ndcg_10(scores, np.zeros(30, dtype=np.float32)))
