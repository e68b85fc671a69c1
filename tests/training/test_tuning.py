"""Studies are kept, resumed and pruned; what mattered is told."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.tuning import Range, Report, tune

_SPACE = {"rate": Range(1e-5, 1e-2, log=True), "layers": Range(1, 6)}


def test_a_study_finds_what_matters_and_resumes(tmp_path: Path) -> None:
    tried: list[Mapping[str, float | int]] = []

    def objective(values: Mapping[str, float | int], report: Report) -> float:
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
    def objective(values: Mapping[str, float | int], report: Report) -> float:
        raise TrainingError("loss is nan")

    with pytest.raises(TrainingError, match="no trial finished"):
        tune(tmp_path / "study.db", "s", _SPACE, objective, trials=2, seed=1)


def test_another_space_is_refused(tmp_path: Path) -> None:
    tune(tmp_path / "study.db", "s", _SPACE, lambda values, report: 1.0, trials=1, seed=1)
    with pytest.raises(TrainingError, match="another space"):
        tune(tmp_path / "study.db", "s", {"rate": Range(0.1, 0.2)}, lambda values, report: 1.0, trials=1, seed=1)
