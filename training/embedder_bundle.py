"""An embedder from a shop's files: sources read, base fine-tuned, bundle written."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from training.bases import load_base
from training.bundles import Trained, write_embedder
from training.embedder_fine_tuning import FineTunedEmbedder, FineTuning, Report, fine_tune_embedder
from training.errors import TrainingError
from training.processes import processes
from training.run_folder import RunFolder
from training.sources.files import SourceFiles, Sources, open_sources
from vitrine.bundle import Bundle, load_bundle


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
    base = load_base(plan.base, plan.revision)
    settings = {"files": plan.files.described(), "base": base.digest, "tuning": asdict(plan.tuning)}
    run = RunFolder(run_dir, "embedder", settings)
    sources = _opened(plan.files, run)
    for note in sources.notes:
        run.log(step="sources", note=note)
    tuned = fine_tune_embedder(plan.tuning, sources, base, run, report)
    if processes().is_main_process:
        prompts = tuned.base.prompts
        write_embedder(out, _trained(tuned), plan.name, plan.version, prompts, plan.int8)
    processes().wait_for_everyone()
    bundle = load_bundle(out, "embedder")
    run.log(step="bundle", digest=bundle.manifest.digest)
    return bundle, tuned, sources.notes


def _opened(files: SourceFiles, run: RunFolder) -> Sources:
    """The sources, read by the main process while the others wait."""
    if processes().is_main_process:
        open_sources(files, run.path)
    processes().wait_for_everyone()
    return open_sources(files, run.path)


def _trained(tuned: FineTunedEmbedder) -> Trained:
    base, config = tuned.base, tuned.base.model.config
    if config.model_type != "bert":
        raise TrainingError(f"base {base.source}: an embedder's bundle of a {config.model_type} cannot be written yet")
    tensors = {name: values.detach().numpy() for name, values in base.model.state_dict().items()}
    metrics = {"held_out": {"before": tuned.before, "after": tuned.after}}
    return Trained(
        tensors, config.num_attention_heads, config.layer_norm_eps, base.tokenizer.to_str(), base.lineage, metrics
    )
