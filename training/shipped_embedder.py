"""The recipe of the shipped embedder, whole: one call, resumable, from declared inputs and seeds."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from training.base_models import BaseFiles, packaged_bases
from training.bundles import Trained, write_embedder
from training.distil_texts import distil_texts, served_texts
from training.distilled_embedder import distil_shipped_embedder
from training.e5_weights import Floats
from training.embedder_distillation import EmbedderDistillation
from training.embedder_training import (
    PROMPTS,
    EmbedderSettings,
    average,
    contrast,
    contrast_pairs,
    distil,
    second_round,
    served_round,
    teacher_targets,
)
from training.encoder import Encoder, build_bert
from training.run_folder import RunFolder
from training.shop_files import read_vocabulary_texts
from training.student import EPS, HEADS, PAD_ID, Student, make_student
from training.teachers import ShopText
from training.whole_folder import check_all_replaceable
from vitrine.bundle import MANIFEST, Bundle
from vitrine.text import normalize_text

VERSION = "1.1.1"
_DATA = ("icecat products", "vespa products", "litemall", "online retail descriptions", "made bilingual products")
_STEPS = (
    "trim",
    "transplant",
    "distil",
    "distil Chinese again",
    "distil served texts",
    "contrast",
    "average",
)


def train_shipped_embedder(
    data_dir: Path, out: Path, run_dir: Path, settings: EmbedderSettings, float32_out: Path | None = None
) -> Bundle:
    """Transplant, distil, contrast, average; write the int8 bundle to `out`. Resumes what `run_dir` holds.

    `float32_out` takes the same weights before int8, to be compared with it or fine-tuned.
    """
    check_all_replaceable(MANIFEST, out, float32_out)
    run = RunFolder(run_dir, "shipped-embedder", asdict(settings))
    student, encoder, _, _ = embedder_encoder(data_dir, run, settings)
    tensors = {name.removeprefix("bert."): values.numpy() for name, values in encoder.state_dict().items()}
    lineage = shipped_lineage(_STEPS, asdict(settings))
    trained = Trained(tensors, HEADS, EPS, student.tokenizer_json, lineage, {})
    if float32_out is not None:
        write_embedder(float32_out, trained, "vitrine-embedder", VERSION, PROMPTS, int8=False)
    return write_embedder(out, trained, "vitrine-embedder", VERSION, PROMPTS, int8=True)


def train_four_layer_embedder(
    data_dir: Path,
    out: Path,
    run_dir: Path,
    settings: EmbedderSettings,
    distillation: EmbedderDistillation,
    teacher: Path | None = None,
    float32_out: Path | None = None,
) -> Bundle:
    """Distil the six-layer bundle `teacher`, or that of the recipe, which is made first; the rest as above."""
    check_all_replaceable(MANIFEST, out, float32_out)
    if teacher is None:
        teacher = train_shipped_embedder(data_dir, run_dir / "six-layers", run_dir, settings).folder
    return distil_shipped_embedder(data_dir, teacher, out, run_dir / "distillation", distillation, float32_out)


def embedder_encoder(
    data_dir: Path, run: RunFolder, settings: EmbedderSettings
) -> tuple[Student, Encoder, list[ShopText], Floats]:
    """The embedder's encoder, every step done, with the texts and target vectors (n, d) of its distillation."""
    student, encoder, texts, targets = distilled(data_dir, run, settings)
    again = second_round(texts, settings)
    distil("distil-chinese", encoder, student, [texts[row] for row in again], targets[again], settings, run)
    served = served_documents(data_dir, settings)
    words, goals = served_round(packaged_bases(), served, texts, targets, settings, run)
    distil("distil-served", encoder, student, words, goals, settings, run, settings.served_tokens)
    before = {name: values.clone() for name, values in encoder.state_dict().items()}
    contrast(encoder, student, contrast_pairs(data_dir, settings), settings, run)
    encoder.load_state_dict(average(before, encoder.state_dict(), settings.after_share))
    return student, encoder, texts, targets


def served_documents(data_dir: Path, settings: EmbedderSettings) -> list[ShopText]:
    """The English shops' products that the round on served texts learns."""
    return served_texts(data_dir, settings.served_icecat, settings.served_vespa, settings.seed)


def distilled(
    data_dir: Path, run: RunFolder, settings: EmbedderSettings
) -> tuple[Student, Encoder, list[ShopText], Floats]:
    """The student after distillation, with the texts and target vectors (n, d) that it learned; all resumable."""
    torch.manual_seed(settings.seed)
    bases: BaseFiles = packaged_bases()
    student = make_student(bases, map(normalize_text, read_vocabulary_texts(data_dir)), run)
    rows = run.json("texts", lambda: [[t.text, t.is_query] for t in distil_texts(data_dir, settings.seed)])
    texts = [ShopText(text, is_query) for text, is_query in rows]
    targets = teacher_targets(bases, texts, settings, run)
    encoder = Encoder(build_bert(student.tensors, HEADS, PAD_ID, EPS))
    distil("distil", encoder, student, texts, targets, settings, run)
    return student, encoder, texts, targets


def shipped_lineage(steps: tuple[str, ...], settings: dict[str, Any]) -> dict[str, Any]:
    """What the card says of how a shipped bundle was made; the writer adds int8."""
    return {
        "base": "all-MiniLM-L6-v2 body under multilingual-e5-small's trimmed vocabulary",
        "steps": list(steps),
        "settings": settings,
        "data": [
            "icecat products",
            "vespa products",
            "litemall",
            "online retail descriptions",
            "made bilingual products",
        ],
    }
