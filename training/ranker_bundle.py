"""A ranker from a shop's files: lists mined, base fine-tuned, bundle written."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from training.bases import Base, load_base
from training.bundles import TrainedBackbone, write_ranker
from training.candidate_mining import MiningSettings
from training.processes import processes
from training.ranker_data import RankerData, ranker_data
from training.ranker_fine_tuning import FineTuned, RankerTuning, fine_tune_ranker
from training.ranker_teachers import Teacher, TeacherSpec
from training.sources.files import SourceFiles
from training.sources.run import start_run
from training.whole_folder import check_replaceable
from vitrine.bundle import MANIFEST, Bundle, load_bundle


@dataclass(frozen=True)
class RankerPlan:
    """What `train_ranker` is to do. `embedder` is the bundle whose retrieval the ranker follows."""

    files: SourceFiles
    base: str
    embedder: Path
    revision: str = ""
    teachers: tuple[TeacherSpec, ...] = ()
    mining: MiningSettings = field(default_factory=MiningSettings)
    tuning: RankerTuning = field(default_factory=RankerTuning)
    held_out: float = 0.2  # share of queries on which score and calibration are fitted and measured
    int8: bool = True
    name: str = "shop-ranker"
    version: str = "1.0.0"


def train_ranker(plan: RankerPlan, out: Path, run_dir: Path) -> tuple[Bundle, FineTuned]:
    """Mine, fine-tune, measure, write the bundle to `out`. Resumes what `run_dir` holds.

    Raises TrainingError, before anything is written, when a source, base or bundle can't be used.
    """
    check_replaceable(out, MANIFEST)
    base = load_base(plan.base, plan.revision)
    embedder = load_bundle(plan.embedder, "embedder").manifest
    teachers = [Teacher(spec, load_base(spec.source)) for spec in plan.teachers]
    settings = {
        "base": base.digest,
        "embedder": embedder.digest,
        "teachers": [[one.spec.language, one.spec.weight, one.base.digest] for one in teachers],
        "mining": asdict(plan.mining),
        "tuning": asdict(plan.tuning),
        "held_out": plan.held_out,
    }
    run, sources = start_run(run_dir, "ranker", settings, plan.files)
    try:
        data = ranker_data(sources, plan.files, plan.embedder, teachers, plan.mining, plan.held_out, run)
    finally:
        sources.close()
    tuned = fine_tune_ranker(data, base, plan.tuning, run)
    if processes().is_main_process:
        write_ranker(
            out,
            _trained(plan, base, embedder.digest, tuned, data),
            plan.name,
            plan.version,
            tuned.calibration,
            plan.int8,
        )
    processes().wait_for_everyone()
    bundle = load_bundle(out, "ranker")
    run.log(step="bundle", digest=bundle.manifest.digest)
    return bundle, tuned


def _trained(plan: RankerPlan, base: Base, embedder: str, tuned: FineTuned, data: RankerData) -> TrainedBackbone:
    lineage = {
        **base.lineage,
        "steps": [*base.lineage.get("steps", []), "ranker: fine-tuned on mined lists", "calibrated on held-out lists"],
        "evidence_of": embedder,
        "teachers": [asdict(spec) for spec in plan.teachers],
        "mining": asdict(plan.mining),
        "settings": asdict(plan.tuning),
        "lists": len(data.learned),
    }
    metrics = {"held_out": tuned.figures.described(), "calibration": tuned.fit.described()}
    return TrainedBackbone(tuned.ranker, base.tokenizer, base.pad_id, lineage, metrics)
