"""What pre-training is worth downstream: the same short fine-tuning from both starts, measured on held-out queries."""

from dataclasses import dataclass

from training.bases import Base
from training.embedder_fine_tuning import FineTuning, fine_tune_embedder
from training.held_out_figures import Figures
from training.run_folder import RunFolder
from training.sources.files import Sources


@dataclass(frozen=True)
class Gain:
    """Held-out figures by origin, of the embedder fine-tuned from the base before and after pre-training."""

    before: Figures
    after: Figures


def measure_gain(before: Base, after: Base, sources: Sources, tuning: FineTuning, run: RunFolder) -> Gain:
    """Fine-tune both alike and measure both alike. Resumes what `run` holds.

    Raises TrainingError when there is nothing to learn from or to measure on.
    """
    found = {}
    for name, base in (("before", before), ("after", after)):
        inner = RunFolder(run.path / f"measure-{name}", "pretrain-measure", {**run.settings, "base": base.digest})
        found[name] = fine_tune_embedder(tuning, sources, base, inner).after
        run.log(step=f"measure-{name}", **found[name])
    return Gain(**found)
