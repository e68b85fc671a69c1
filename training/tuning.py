"""Searches hyper-parameters with Optuna: Parzen estimator, median pruning, the study in SQLite, resumable."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from training.errors import TrainingError

# Told of (step, value so far); ends the trial there when it is not worth going on.
Report = Callable[[int, float], None]
# Given the values to try and where to report to; returns the final value, more is better.
Objective = Callable[[Mapping[str, float | int], Report], float]


@dataclass(frozen=True)
class Range:
    """One hyper-parameter's range; `log` searches by factor, whole numbers are searched when both ends are whole."""

    low: float | int
    high: float | int
    log: bool = False


@dataclass(frozen=True)
class Tuned:
    """The best values, what they reached, and how much each hyper-parameter mattered (shares that sum to 1)."""

    best: Mapping[str, float | int]
    value: float
    importance: Mapping[str, float]
    trials: int


def tune(
    study_file: Path, name: str, space: Mapping[str, Range], objective: Objective, trials: int, seed: int
) -> Tuned:
    """Maximise the objective until the study has `trials` finished trials, those of earlier runs counted in.

    A trial whose training fails (TrainingError, such as a NaN loss) is kept as failed and the search goes on.
    Raises TrainingError when the study was made for another space, or no trial finished.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study_file.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=name,
        storage=f"sqlite:///{study_file}",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1),
        load_if_exists=True,
    )
    described = {key: [one.low, one.high, one.log] for key, one in space.items()}
    if study.user_attrs.setdefault("space", described) != described:
        raise TrainingError(f"study {name!r} in {study_file} searches another space; give another name")
    study.set_user_attr("space", described)

    def run(trial: optuna.Trial) -> float:
        def report(step: int, value: float) -> None:
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        return objective({key: _suggest(trial, key, one) for key, one in space.items()}, report)

    finished = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    left = trials - len(study.get_trials(deepcopy=False, states=finished))
    if left > 0:
        study.optimize(run, n_trials=left, catch=(TrainingError,))
    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if not complete:
        raise TrainingError(f"study {name!r}: no trial finished; see the log of the last one")
    return Tuned(study.best_params, study.best_value, _importance(study, len(complete)), len(study.trials))


def _suggest(trial: optuna.Trial, name: str, one: Range) -> float | int:
    if isinstance(one.low, int) and isinstance(one.high, int):
        return trial.suggest_int(name, one.low, one.high, log=one.log)
    return trial.suggest_float(name, one.low, one.high, log=one.log)


def _importance(study: optuna.Study, complete: int) -> dict[str, Any]:
    """Shares by fANOVA-like mean decrease in error; even shares while there are too few trials to tell."""
    names = list(study.best_params)
    if complete < 4 or len({trial.value for trial in study.trials if trial.value is not None}) < 2:
        return {name: 1 / len(names) for name in names}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
