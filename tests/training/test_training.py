"""Losses and the run folder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training.embedder_training import average, info_nce
from training.errors import TrainingError
from training.optimisation import Schedule, length_batches, optimise
from training.ranker_training import list_loss, platt
from training.run_folder import RunFolder
from training.teachers import ShopText, fit_mixture, han_share


def test_info_nce_is_least_when_queries_meet_their_products() -> None:
    vectors = torch.eye(4)
    right = info_nce(vectors[:2], vectors, ["a", "b"], 0.05)
    wrong = info_nce(vectors[:2], vectors[[1, 0, 2, 3]], ["a", "b"], 0.05)
    assert right < 1e-3 < wrong


def test_info_nce_leaves_its_own_group_out() -> None:
    queries = torch.eye(4)[:2]
    products = torch.eye(4)[[0, 0, 2, 3]]  # both products answer the first query
    assert info_nce(queries[:1].expand(2, 4), products, ["a", "a"], 0.05) < 1e-3
    assert info_nce(queries[:1].expand(2, 4), products, ["a", "b"], 0.05) > 0.5


def test_list_loss_is_least_in_the_right_order() -> None:
    goals = torch.tensor([1.0, 0.5, 0.0, 1.0, 0.0])
    good, bad = torch.tensor([4.0, 0.0, -4.0, 4.0, -4.0]), torch.tensor([-4.0, 0.0, 4.0, -4.0, 4.0])
    right = list_loss([good], good, goals, [3, 2], 0.1, 1.0)
    wrong = list_loss([bad], bad, goals, [3, 2], 0.1, 1.0)
    assert right < wrong


def test_every_order_counts_and_the_pointwise_loss_is_the_logits() -> None:
    goals = torch.tensor([1.0, 0.0])
    logits = torch.tensor([-1.0, 1.0])
    final = logits + torch.tensor([9.0, -9.0])  # evidence that outweighs the logits
    alone, weighed = (float(list_loss([final], logits, goals, [2], 0.1, weight)) for weight in (0.0, 1.0))
    assert weighed - alone == pytest.approx(float(nn.functional.binary_cross_entropy_with_logits(logits, goals)))
    both = float(list_loss([final, logits], logits, goals, [2], 0.1, 0.0))
    assert alone < both < float(list_loss([logits], logits, goals, [2], 0.1, 0.0))


def test_platt_recovers_slope_and_bias() -> None:
    score = np.linspace(-3, 3, 200, dtype=np.float32)
    slope, bias = platt(score, 1 / (1 + np.exp(-(2.0 * score - 0.5))))
    assert slope == pytest.approx(2.0, abs=0.05)
    assert bias == pytest.approx(-0.5, abs=0.05)


def test_average_lies_between() -> None:
    mixed = average({"w": torch.zeros(2)}, {"w": torch.ones(2)}, 0.25)
    assert mixed["w"].tolist() == [0.25, 0.25]


def test_mixture_carries_chinese_into_the_english_space() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(80, 12)).astype(np.float32)
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    turn = np.linalg.qr(rng.normal(size=(12, 12)))[0].astype(np.float32)
    e5 = truth @ turn.T + 2.0
    e5 /= np.linalg.norm(e5, axis=1, keepdims=True)
    texts = [ShopText("phone" if row < 60 else "手机", False) for row in range(80)]
    vectors = fit_mixture(texts, e5, truth, minilm_weight=0.7).vectors(texts, e5, truth)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert (vectors * truth).sum(axis=1)[60:].mean() > 0.8


def test_han_share() -> None:
    assert han_share("hp 手机") == 0.5
    assert han_share("17") == 0.0


def _train(run: RunFolder) -> None:
    model = nn.Linear(3, 1)
    batches = torch.randn(20, 4, 3, generator=torch.Generator().manual_seed(1)).unbind()

    def loss_of(batch: torch.Tensor) -> torch.Tensor:
        return model(batch.to(model.weight.device)).square().mean()

    optimise("fit", model, batches, loss_of, Schedule(0.05), run)


def test_a_checkpoint_cut_short_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path, "test", {})
    _train(run)
    path = tmp_path / "fit.checkpoint"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TrainingError, match="cut short"):
        _train(run)


def test_a_step_result_cut_short_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path, "test", {})
    made = run.arrays("step", lambda: {"x": np.ones(100, dtype=np.float32)})
    assert run.arrays("step", dict)["x"].tolist() == made["x"].tolist()
    path = tmp_path / "step.npz"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(TrainingError, match=r"step\.npz"):
        run.arrays("step", dict)


def test_a_run_folder_of_other_settings_is_refused(tmp_path: Path) -> None:
    RunFolder(tmp_path, "embedder", {"base": "a"})
    with pytest.raises(TrainingError, match="made with base = 'a', not 'b'"):
        RunFolder(tmp_path, "embedder", {"base": "b"})


def test_length_batches_hold_every_row_once_within_the_budget() -> None:
    lengths = [3, 40, 7, 7, 12, 40, 3, 5]
    batches = length_batches(lengths, 80, torch.Generator().manual_seed(0))
    assert sorted(row for batch in batches for row in batch) == list(range(8))
    assert all(len(batch) * max(lengths[row] for row in batch) <= 80 for batch in batches)
