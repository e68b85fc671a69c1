"""Studies are kept, resumed and pruned; what mattered is told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from training.errors import TrainingError
from training.tuning import OneOf, Range, Report, tune

_SPACE: dict[str, Range | OneOf] = {"rate": Range(1e-5, 1e-2, log=True), "layers": Range(1, 6)}


def test_a_study_finds_what_matters_and_resumes(tmp_path: Path) -> None:
    tried: list[Mapping[str, Any]] = []

    def objective(values: Mapping[str, Any], report: Report) -> float:
        tried.append(values)
        for step in range(3):
            report(step, -abs(values["layers"] - 4))
        return -abs(values["layers"] - 4)

    tune(tmp_path / "study.db", "s", _SPACE, objective, trials=6, seed=1)
    assert len(tried) == 6
    tuned = tune(tmp_path / "study.db", "s", _SPACE, objective, trials=14, seed=1)
    assert len(tried) == 14
    assert tuned.best["layers"] == 4
    assert tuned.importance["layers"] > tuned.importance["rate"]
    assert tune(tmp_path / "study.db", "s", _SPACE, objective, trials=14, seed=1).value == tuned.value
    assert len(tried) == 14


def test_failed_trials_do_not_end_the_search(tmp_path: Path) -> None:
    def objective(values: Mapping[str, Any], report: Report) -> float:
        raise TrainingError("loss is nan")

    with pytest.raises(TrainingError, match="no trial finished"):
        tune(tmp_path / "study.db", "s", _SPACE, objective, trials=2, seed=1)


def test_choices_are_searched_and_unpromising_trials_end_early(tmp_path: Path) -> None:
    begun: list[object] = []
    ended: list[object] = []

    def objective(values: Mapping[str, Any], report: Report) -> float:
        begun.append(values["loss"])
        value = -float(len(begun))
        report(1, value)
        ended.append(values["loss"])
        return value

    tuned = tune(tmp_path / "study.db", "s", {"loss": OneOf(("pointwise", "both"))}, objective, trials=6, seed=2)
    assert set(begun) == {"pointwise", "both"}
    assert tuned.best == {"loss": begun[0]}
    # From the fourth on each is below the median of those before.
    assert (tuned.trials, tuned.pruned, len(ended)) == (6, 3, 3)


def test_a_trial_that_was_cut_off_is_tried_again(tmp_path: Path) -> None:
    tried: list[object] = []

    def cut_off(values: Mapping[str, object], report: Report) -> float:
        tried.append(dict(values))
        raise KeyboardInterrupt

    def objective(values: Mapping[str, object], report: Report) -> float:
        tried.append(dict(values))
        return 1.0

    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path / "study.db", "s", _SPACE, cut_off, trials=2, seed=1)
    tune(tmp_path / "study.db", "s", _SPACE, objective, trials=2, seed=1)
    assert tried[1] == tried[0]
    assert tried[2] != tried[0]
    tune(tmp_path / "study.db", "s", _SPACE, objective, trials=3, seed=1)
    assert tried.count(tried[0]) == 2


def test_a_file_that_is_no_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"something else entirely" * 50)
    with pytest.raises(TrainingError, match="is not an Optuna study"):
        tune(tmp_path / "study.db", "s", _SPACE, lambda values, report: 1.0, trials=1, seed=1)


def test_another_space_is_refused(tmp_path: Path) -> None:
    tune(tmp_path / "study.db", "s", _SPACE, lambda values, report: 1.0, trials=1, seed=1)
    with pytest.raises(TrainingError, match="another space"):
        tune(tmp_path / "study.db", "s", {"rate": Range(0.1, 0.2)}, lambda values, report: 1.0, trials=1, seed=1)
