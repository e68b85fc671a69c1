"""An embedder from a shop's files: sources read, base fine-tuned, bundle written."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from training.backbones import BackboneEncoder
from training.bases import load_base
from training.bundles import TrainedBackbone, write_embedder
from training.embedder_fine_tuning import FineTunedEmbedder, FineTuning, Report, fine_tune_embedder
from training.processes import processes
from training.sources.files import SourceFiles
from training.sources.run import start_run
from training.whole_folder import check_replaceable
from vitrine.bundle import MANIFEST, Bundle, load_bundle


@dataclass(frozen=True)
class EmbedderPlan:
    """What `train_embedder` is to do."""

    files: SourceFiles
    base: str
    revision: str = ""
    tuning: FineTuning = field(default_factory=FineTuning)
    int8: bool = True
    name: str = "shop-embedder"
    version: str = "1.0.0"


def train_embedder(
    plan: EmbedderPlan, out: Path, run_dir: Path, report: Report | None = None
) -> tuple[Bundle, FineTunedEmbedder, tuple[str, ...]]:
    """Fine-tune, measure, write the bundle to `out`; the sources' notes come third. Resumes what `run_dir` holds.

    Raises TrainingError when a source or the base can't be used; nothing is written to `out` then.
    """
    check_replaceable(out, MANIFEST)
    base = load_base(plan.base, plan.revision)
    settings = {"base": base.digest, "tuning": asdict(plan.tuning)}
    run, sources = start_run(run_dir, "embedder", settings, plan.files)
    tuned = fine_tune_embedder(plan.tuning, sources, base, run, report)
    if processes().is_main_process:
        prompts = tuned.base.prompts
        write_embedder(out, _trained(tuned), plan.name, plan.version, prompts, plan.int8)
    processes().wait_for_everyone()
    bundle = load_bundle(out, "embedder")
    run.log(step="bundle", digest=bundle.manifest.digest)
    return bundle, tuned, sources.notes


def _trained(tuned: FineTunedEmbedder) -> TrainedBackbone:
    base = tuned.base
    metrics = {"held_out": {"before": tuned.before, "after": tuned.after}}
    encoder = BackboneEncoder(base.model, base.pooling)
    return TrainedBackbone(encoder, base.tokenizer, base.pad_id, base.lineage, metrics)
