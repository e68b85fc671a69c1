"""A ranker from a shop's files: lists mined, base fine-tuned, bundle written."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.bases import Base, load_base
from training.bundles import MAX_TOKENS, write_ranker
from training.candidate_mining import MiningSettings
from training.ranker_data import ranker_data
from training.ranker_fine_tuning import FineTuned, RankerTuning, fine_tune_ranker
from training.ranker_teachers import TeacherSpec
from training.run_folder import RunFolder
from training.sources.files import SourceFiles, open_sources
from vitrine.bundle import Bundle, load_bundle


@dataclass(frozen=True)
class RankerPlan:
    """What `train_ranker` is to do. `embedder` is the bundle whose retrieval the ranker follows."""

    files: SourceFiles
    base: str
    embedder: Path
    revision: str = ""
    teachers: tuple[TeacherSpec, ...] = ()
    mining: MiningSettings = MiningSettings()
    tuning: RankerTuning = RankerTuning()
    held_out: float = 0.2  # share of queries on which score and calibration are fitted and measured
    int8: bool = True
    name: str = "shop-ranker"
    version: str = "1.0.0"


def train_ranker(plan: RankerPlan, out: Path, run_dir: Path) -> tuple[Bundle, FineTuned]:
    """Mine, fine-tune, measure, write the bundle to `out`. Resumes what `run_dir` holds.

    Raises TrainingError, before anything is written, when a source, base or bundle can't be used.
    """
    base = load_base(plan.base, plan.revision)
    embedder = load_bundle(plan.embedder, "embedder").manifest
    teachers = [(spec, load_base(spec.source).digest) for spec in plan.teachers]
    settings = {
        "files": plan.files.described(),
        "base": base.digest,
        "embedder": embedder.digest,
        "teachers": [[spec.source, spec.language, spec.weight, digest] for spec, digest in teachers],
        "mining": asdict(plan.mining),
        "tuning": asdict(plan.tuning),
        "held_out": plan.held_out,
    }
    run = RunFolder(run_dir, "ranker", settings)
    sources = open_sources(plan.files, run.path)
    for note in sources.notes:
        run.log(step="sources", note=note)
    data = ranker_data(sources, plan.files, plan.embedder, plan.teachers, plan.mining, plan.held_out, run)
    tuned = fine_tune_ranker(data, base, plan.tuning, run)
    lineage = _lineage(plan, base, embedder.digest, len(data.learned))
    bundle = write_ranker(
        out,
        tuned.ranker,
        base.tokenizer,
        name=plan.name,
        version=plan.version,
        calibration=tuned.calibration,
        lineage=lineage,
        metrics={"held_out": tuned.figures.described(), "calibration": tuned.fit.described()},
        int8=plan.int8,
        max_tokens=MAX_TOKENS,
    )
    run.log(step="bundle", digest=bundle.manifest.digest)
    return bundle, tuned


def _lineage(plan: RankerPlan, base: Base, embedder: str, lists: int) -> dict[str, Any]:
    return {
        **base.lineage,
        "steps": [*base.lineage.get("steps", []), "ranker: fine-tuned on mined lists", "calibrated on held-out lists"],
        "evidence_of": embedder,
        "teachers": [asdict(spec) for spec in plan.teachers],
        "mining": asdict(plan.mining),
        "settings": asdict(plan.tuning),
        "lists": lists,
    }
