"""Searches hyper-parameters with Optuna: Parzen estimator, median pruning, the study in SQLite, resumable."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna

from training.errors import TrainingError

_CUT_OFF = "cut off"

Value = float | int | str
# Told of (step, value so far); ends the trial there when it is not worth going on.
Report = Callable[[int, float], None]
# Given the values to try and where to report to; returns the final value, more is better.
Objective = Callable[[Mapping[str, Any], Report], float]


@dataclass(frozen=True)
class Range:
    """One hyper-parameter's range; `log` searches by factor, whole numbers are searched when both ends are whole."""

    low: float | int
    high: float | int
    log: bool = False


@dataclass(frozen=True)
class OneOf:
    """A hyper-parameter that takes one of these values."""

    values: tuple[str, ...]


Space = Mapping[str, Range | OneOf]


@dataclass(frozen=True)
class Tuned:
    """The best values, what they reached, and how much each hyper-parameter mattered (shares that sum to 1).

    `trials` are all, `pruned` those that ended early, `failed` those whose training failed or was cut off.
    """

    best: Mapping[str, Any]
    value: float
    importance: Mapping[str, float]
    trials: int
    pruned: int
    failed: int


def tune(study_file: Path, name: str, space: Space, objective: Objective, trials: int, seed: int) -> Tuned:
    """Maximise the objective until the study has `trials` finished trials, those of earlier runs counted in.

    A trial that was cut off is tried again first. One whose training fails (TrainingError, such as a NaN loss) is kept
    as failed and the search goes on. One process works on a study at a time.
    Raises TrainingError when the study was made for another space, or no trial finished.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study_file.parent.mkdir(parents=True, exist_ok=True)
    try:
        study = optuna.create_study(
            study_name=name,
            storage=f"sqlite:///{study_file}",
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1),
            load_if_exists=True,
        )
    except Exception as error:  # SQLAlchemy's and Optuna's own errors have no common class
        raise TrainingError(f"{study_file} is not an Optuna study: {str(error).splitlines()[0]}") from error
    described = {key: list(asdict(one).values()) for key, one in space.items()}
    # As JSON gives it back: a tuple comes back as a list.
    described = json.loads(json.dumps(described))
    if study.user_attrs.get("space", described) != described:
        raise TrainingError(f"study {name!r} in {study_file} searches another space; give another name")
    study.set_user_attr("space", described)
    _try_again(study, space)
    # Resumed with the same seed alone, the sampler would draw its first values again.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))

    def run(trial: optuna.Trial) -> float:
        def report(step: int, value: float) -> None:
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            return objective({key: _suggest(trial, key, one) for key, one in space.items()}, report)
        except KeyboardInterrupt:
            trial.set_user_attr(_CUT_OFF, True)
            raise

    def count(*states: optuna.trial.TrialState) -> int:
        return len(study.get_trials(deepcopy=False, states=states))

    state = optuna.trial.TrialState
    if (left := trials - count(state.COMPLETE, state.PRUNED)) > 0:
        study.optimize(run, n_trials=left, catch=(TrainingError,))
    complete, pruned, failed = (count(one) for one in (state.COMPLETE, state.PRUNED, state.FAIL))
    if not complete:
        raise TrainingError(f"study {name!r}: no trial finished; see the log of the last one")
    importance = _importance(study, complete)
    return Tuned(study.best_params, study.best_value, importance, complete + pruned + failed, pruned, failed)


def _try_again(study: optuna.Study, space: Space) -> None:
    """Queue the trials that were cut off, by a kill or Ctrl-C, and were not tried again since."""
    trials = study.get_trials()
    for one in trials:
        killed = one.state == optuna.trial.TrialState.RUNNING
        if killed:
            study.tell(one.number, state=optuna.trial.TrialState.FAIL)
        later = (other.params or other.system_attrs.get("fixed_params") for other in trials[one.number + 1 :])
        if (killed or _CUT_OFF in one.user_attrs) and set(one.params) == set(space) and one.params not in later:
            study.enqueue_trial(one.params)


def _suggest(trial: optuna.Trial, name: str, one: Range | OneOf) -> Value:
    if isinstance(one, OneOf):
        return str(trial.suggest_categorical(name, one.values))
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
