"""A base pre-trained on a shop's files: texts read, model trained, folder written, gain measured."""

import copy
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path

from training.bases import BASE_FILE, load_base, save_base
from training.embedder_fine_tuning import FineTuning
from training.pretraining import Pretrained, PretrainingSettings, pretrain
from training.pretraining_gain import Gain, measure_gain
from training.processes import processes
from training.run_folder import file_digest
from training.shop_text import product_texts, review_texts
from training.sources.files import SourceFiles
from training.sources.run import start_run
from training.whole_folder import check_replaceable


@dataclass(frozen=True)
class PretrainingPlan:
    """What `pretrain_base` is to do. Judgements among `files` are measured on and never learned from."""

    files: SourceFiles
    reviews: tuple[Path, ...]
    base: str
    revision: str = ""
    settings: PretrainingSettings = field(default_factory=PretrainingSettings)
    measure: int = 1_000  # label-free pairs of the fine-tuning that measures the gain; 0 measures none


def pretrain_base(plan: PretrainingPlan, out: Path, run_dir: Path) -> tuple[Pretrained, Gain | None]:
    """Pre-train, write the base to `out`, measure the gain. Resumes what `run_dir` holds.

    Raises TrainingError when a file or the base can't be used; nothing is written to `out` then.
    """
    base = load_base(plan.base, plan.revision)
    settings = {
        "base": base.digest,
        "reviews": [file_digest(path) for path in plan.reviews],
        "settings": asdict(plan.settings),
        "measure": plan.measure,
    }
    check_replaceable(out, BASE_FILE)
    # All of them once, so that one that can't be read ends the command before there is a run folder.
    deque(review_texts(plan.reviews), maxlen=0)
    run, sources = start_run(run_dir, "pretrain", settings, plan.files)
    before = replace(base, model=copy.deepcopy(base.model)) if plan.measure else None
    texts = chain(product_texts(sources.catalogue.items()), review_texts(plan.reviews))
    result = pretrain(base, texts, plan.settings, run)
    if processes().is_main_process:
        save_base(result.base, out)
    processes().wait_for_everyone()
    if before is None:
        return result, None
    # Labels are kept from it: what pre-training gave shows in what the catalogue alone teaches.
    tuning = FineTuning(labels=0, label_free=plan.measure, lexicon=0, epochs=1, held_out=0.5, seed=plan.settings.seed)
    return result, measure_gain(before, result.base, sources, tuning, run)
