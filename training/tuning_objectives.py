"""What `tune` searches for embedder and ranker, and a trial of each: one fine-tuning, measured on held-out queries."""

import hashlib
import json
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from training.bases import load_base
from training.candidate_mining import MiningSettings
from training.embedder_fine_tuning import FineTuning, fine_tune_embedder
from training.errors import TrainingError
from training.ranker_data import ranker_data
from training.ranker_fine_tuning import RankerTuning, fine_tune_ranker
from training.ranker_teachers import Teacher, TeacherSpec
from training.run_folder import RunFolder
from training.sources.files import SourceFiles, Sources
from training.sources.run import start_run
from training.tuning import Objective, OneOf, Range, Report, Tuned, tune
from vitrine.bundle import load_bundle

What = Literal["embedder", "ranker"]
# Hyper-parameter -> the option of `vitrine train embedder` or `ranker` that sets it, and what is searched by default.
_EMBEDDER: dict[str, tuple[str, Range | OneOf]] = {
    "learning_rate": ("--rate", Range(1e-6, 3e-4, log=True)),
    "weight_decay": ("--weight-decay", Range(1e-4, 0.3, log=True)),
    "temperature": ("--temperature", Range(0.01, 0.2, log=True)),
    "negatives": ("--negatives", Range(0, 6)),
    "after_share": ("--after-share", Range(0.3, 1.0)),
}
_RANKER: dict[str, tuple[str, Range | OneOf]] = {
    "rate": ("--rate", Range(5e-6, 3e-4, log=True)),
    "weight_decay": ("--weight-decay", Range(1e-4, 0.3, log=True)),
    "list_size": ("--list-size", Range(4, 20)),
    "loss": ("--loss", OneOf(("pointwise", "listwise", "both"))),
    "distil_weight": ("--distil-weight", Range(0.0, 2.0)),
}


@dataclass(frozen=True)
class TuningPlan:
    """What `tune_training` is to do. `vary` names hyper-parameters (all when empty), `ranges` gives others' bounds."""

    what: What
    files: SourceFiles
    base: str
    revision: str = ""
    trials: int = 20
    seed: int = 7
    vary: tuple[str, ...] = ()
    ranges: Mapping[str, Range] = field(default_factory=dict)
    embedder_tuning: FineTuning = field(default_factory=FineTuning)
    ranker_tuning: RankerTuning = field(default_factory=RankerTuning)
    embedder: Path = Path("models/embedder")  # whose retrieval a ranker follows
    teachers: tuple[TeacherSpec, ...] = ()
    mining: MiningSettings = field(default_factory=MiningSettings)
    held_out: float = 0.2
    fixed_options: tuple[str, ...] = ()  # of the training command, for what is not searched


def searched(plan: TuningPlan, layers: int) -> dict[str, Range | OneOf]:
    """The space of a plan, for a base of so many layers. Raises TrainingError for a name that can't be varied."""
    known = {name: one for name, (_, one) in _options(plan.what).items()}
    if plan.what == "embedder":
        known["layers_kept"] = Range(max(1, layers // 2), layers)
    for name in (*plan.vary, *plan.ranges):
        if name not in known:
            raise TrainingError(f"{name!r} can't be varied for the {plan.what}; choose from {', '.join(known)}")
    for name, bounds in plan.ranges.items():
        before = known[name]
        if isinstance(before, OneOf):
            raise TrainingError(f"{name!r} takes {', '.join(before.values)} and has no range")
        number = int if isinstance(before.low, int) else float
        known[name] = Range(number(bounds.low), number(bounds.high), before.log)
    return {name: one for name, one in known.items() if not plan.vary or name in plan.vary}


def tune_training(plan: TuningPlan, run_dir: Path) -> tuple[Tuned, str]:
    """Search, and the command that trains with the best values. Resumes the study that `run_dir` holds.

    Raises TrainingError when a source or the base can't be used, or no trial finished.
    """
    base = load_base(plan.base, plan.revision)
    space = searched(plan, int(base.model.config.num_hidden_layers))
    fixed: FineTuning | RankerTuning = plan.embedder_tuning if plan.what == "embedder" else plan.ranker_tuning
    settings: dict[str, Any] = {"what": plan.what, "base": base.digest, "fixed": asdict(fixed), "seed": plan.seed}
    if plan.what == "ranker":
        settings |= {
            "embedder": load_bundle(plan.embedder, "embedder").manifest.digest,
            "mining": asdict(plan.mining),
            "teachers": [asdict(one) for one in plan.teachers],
            "held_out": plan.held_out,
        }
    run, sources = start_run(run_dir, "tune", settings, plan.files)
    make = _embedder_objective if plan.what == "embedder" else _ranker_objective
    tuned = tune(run_dir / "study.db", plan.what, space, make(plan, sources, run), plan.trials, plan.seed)
    run.log(step="tune", value=tuned.value, best=dict(tuned.best), trials=tuned.trials)
    return tuned, best_command(plan, tuned.best)


def best_command(plan: TuningPlan, best: Mapping[str, Any]) -> str:
    """The command line that trains with these values."""
    options = {name: option for name, (option, _) in _options(plan.what).items()} | {"layers_kept": "--layers-kept"}
    files = plan.files
    words = ["vitrine", "train", plan.what, "--base", plan.base]
    for option, paths in (
        ("--products", files.products),
        ("--events", files.events),
        ("--judgements", files.judgements),
    ):
        for path in paths:
            words += [option, str(path)]
    words += ["--mapping", str(files.mapping)] if files.mapping else []
    words += ["--revision", plan.revision] if plan.revision else []
    words += ["--embedder", str(plan.embedder)] if plan.what == "ranker" else []
    words += plan.fixed_options
    for name, value in best.items():
        words += [options[name], f"{value:.4g}" if isinstance(value, float) else str(value)]
    words += ["--out", f"models/tuned-{plan.what}", "--run-dir", f"runs/tuned-{plan.what}"]
    return shlex.join(words)


def _options(what: What) -> dict[str, tuple[str, Range | OneOf]]:
    return _EMBEDDER if what == "embedder" else _RANKER


def _embedder_objective(plan: TuningPlan, sources: Sources, run: RunFolder) -> Objective:
    base = load_base(plan.base, plan.revision)

    def objective(values: Mapping[str, Any], report: Report) -> float:
        tuning = replace(plan.embedder_tuning, **values)
        with _trial(run, base.digest, asdict(tuning)) as trial:
            return fine_tune_embedder(tuning, sources, base, trial, report).value

    return objective


def _ranker_objective(plan: TuningPlan, sources: Sources, run: RunFolder) -> Objective:
    teachers = [Teacher(spec, load_base(spec.source)) for spec in plan.teachers]
    data = ranker_data(sources, plan.files, plan.embedder, teachers, plan.mining, plan.held_out, run)

    def objective(values: Mapping[str, Any], report: Report) -> float:
        tuning = replace(plan.ranker_tuning, **values)
        base = load_base(plan.base, plan.revision)  # it is trained in place
        reported: list[float] = []

        def heard(epochs: int, value: float) -> None:
            reported.append(value)
            report(epochs, value)

        with _trial(run, base.digest, asdict(tuning)) as trial:
            fine_tune_ranker(data, base, tuning, trial, heard)
        # On the lists that final scores are fitted on: those that measure stay unseen until the best is trained.
        return reported[-1]

    return objective


@contextmanager
def _trial(run: RunFolder, base_digest: str, tuning: Mapping[str, Any]) -> Iterator[RunFolder]:
    """A trial's own run folder, named by its values, so that one that was cut off goes on; gone when the trial ends."""
    name = hashlib.sha256(json.dumps(tuning, sort_keys=True).encode()).hexdigest()[:16]
    path = run.path / f"trial-{name}"
    try:
        yield RunFolder(path, "trial", {"base": base_digest, "tuning": dict(tuning)})
    except Exception:  # pruned or failed; a trial that is cut off leaves by another way and keeps its checkpoints
        shutil.rmtree(path)
        raise
    shutil.rmtree(path)
