"""The loop that all steps share: accumulation, precision, streams, exact resume, and what ends it."""

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from training.errors import TrainingError
from training.optimisation import Precision, Schedule, optimise
from training.run_folder import RunFolder

_DATA = torch.randn(12, 4, 3, generator=torch.Generator().manual_seed(1))


class _Killed(Exception):
    pass


class _Stream:
    """Batches read one after the other, that remembers where it was asked to start."""

    def __init__(self) -> None:
        self.starts: list[int] = []

    def __len__(self) -> int:
        return len(_DATA)

    def starting_at(self, batch: int) -> Iterator[Tensor]:
        self.starts.append(batch)
        yield from _DATA[batch:]


def _model(dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Dropout(dropout), nn.Linear(8, 1))


def _train(
    folder: Path, batches: Any = _DATA, stop_at: int = -1, dropout: float = 0.0, repeat: int = 1, **schedule: Any
) -> dict[str, Tensor]:
    model = _model(dropout)
    seen = 0

    def loss_of(batch: Tensor) -> Tensor:
        nonlocal seen
        seen += 1
        if seen == stop_at:
            raise _Killed
        parts = batch.to(next(model.parameters()).device).chunk(repeat)
        return torch.stack([(model(part) - part.sum(dim=1, keepdim=True)).square().mean() for part in parts]).mean()

    run = RunFolder(folder, "test", {})
    optimise("fit", model, batches, loss_of, Schedule(0.05, checkpoint_every=3, **schedule), run)
    return {name: values.clone() for name, values in model.state_dict().items()}


def _assert_same(one: dict[str, Tensor], other: dict[str, Tensor], **tolerance: float) -> None:
    for name, values in one.items():
        torch.testing.assert_close(values, other[name], **tolerance)


def test_a_cosine_falls_from_the_first_step_and_the_warm_up_holds_it_down(tmp_path: Path) -> None:
    model = nn.Linear(1, 1, bias=False)
    at: list[float] = []

    def loss_of(_: int) -> Tensor:
        at.append(float(model.weight.detach()))
        return model.weight.sum()  # a gradient of 1: AdamW's step is the rate

    schedule = Schedule(0.01, weight_decay=0.0, warmup=0.25, decay="cosine")
    optimise("fit", model, range(8), loss_of, schedule, RunFolder(tmp_path, "test", {}))
    at.append(float(model.weight.detach()))
    rates = [(one - other) / 0.01 for one, other in pairwise(at)]
    wanted = [min(1, (step + 1) / 2) * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]
    assert rates == pytest.approx(wanted, abs=1e-3)


def test_accumulation_does_what_one_big_batch_does(tmp_path: Path) -> None:
    big = [torch.cat([_DATA[at], _DATA[at + 1]]) for at in range(0, len(_DATA), 2)]
    whole = _train(tmp_path / "big", big, repeat=2)
    _assert_same(_train(tmp_path / "parts", accumulate=2), whole, rtol=1e-5, atol=1e-6)


def test_a_last_step_of_fewer_batches_counts_them_alike(tmp_path: Path) -> None:
    uneven = _train(tmp_path / "a", _DATA[:3], accumulate=2)
    pairs = [torch.cat([_DATA[0], _DATA[1]]), _DATA[2]]
    _assert_same(_train(tmp_path / "b", pairs), uneven, rtol=1e-5, atol=1e-6)


def test_bf16_learns_nearly_the_same(tmp_path: Path) -> None:
    plain, mixed = _train(tmp_path / "no"), _train(tmp_path / "bf16", precision="bf16")
    _assert_same(mixed, plain, rtol=0.2, atol=0.05)
    assert any(not torch.equal(values, plain[name]) for name, values in mixed.items())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_learns_with_float32_weights(tmp_path: Path, precision: Precision) -> None:
    """In fp16 the first steps are left out, until the scale of the loss fits."""
    weights = _train(tmp_path, _DATA.repeat(6, 1, 1), precision=precision)
    assert all(values.dtype == torch.float32 for values in weights.values())
    assert _loss(weights) < 0.5 * _loss(_model().state_dict())


def _loss(weights: dict[str, Tensor]) -> float:
    model = _model()
    model.load_state_dict(weights)
    with torch.inference_mode():
        return float((model(_DATA) - _DATA.sum(dim=2, keepdim=True)).square().mean())


@pytest.mark.parametrize("settings", [{}, {"accumulate": 2}, {"dropout": 0.4}, {"precision": "bf16"}])
def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path, settings: dict[str, Any]) -> None:
    whole = _train(tmp_path / "whole", **settings)
    with pytest.raises(_Killed):
        _train(tmp_path / "killed", stop_at=8, **settings)
    _assert_same(_train(tmp_path / "killed", **settings), whole, rtol=0, atol=0)


def test_a_stream_gives_what_a_list_gives_and_starts_where_the_run_stopped(tmp_path: Path) -> None:
    stream = _Stream()
    with pytest.raises(_Killed):
        _train(tmp_path / "stream", stream, stop_at=8)
    _assert_same(_train(tmp_path / "stream", stream), _train(tmp_path / "list"), rtol=0, atol=0)
    assert stream.starts == [0, 6]


def test_a_finished_step_is_not_trained_again(tmp_path: Path) -> None:
    whole = _train(tmp_path)
    _assert_same(_train(tmp_path, stop_at=1), whole, rtol=0, atol=0)


def test_a_loss_that_is_not_a_number_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    broken = _DATA.clone()
    broken[8] = math.nan
    with pytest.raises(TrainingError, match="fit: loss is nan at batch 8"):
        _train(tmp_path / "one", broken)
    with pytest.raises(TrainingError, match="fit: loss is nan at batches 8 to 9"):
        _train(tmp_path / "two", broken, accumulate=2)
    state = RunFolder(tmp_path / "one", "test", {}).load_checkpoint("fit")
    assert state is not None
    assert state["batch"] == 6
    assert all(values.isfinite().all() for values in state["model"].values())


def test_what_cannot_be_trained_ends_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="fit: there is nothing to train on"):
        _train(tmp_path / "empty", [])
    _train(tmp_path / "other")
    run = RunFolder(tmp_path / "other", "test", {})
    other = nn.Linear(2, 2)
    with pytest.raises(TrainingError, match="is of another model or version") as caught:
        optimise("fit", other, _DATA, lambda batch: other(batch[:, :2]).sum(), Schedule(0.1), run)
    assert "\n" not in str(caught.value)


def test_the_log_tells_of_every_checkpoint(tmp_path: Path) -> None:
    _train(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["batch"], line["of"]) for line in lines] == [(3, 12), (6, 12), (9, 12), (12, 12)]
