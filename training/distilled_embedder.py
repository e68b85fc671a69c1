"""The embedder that ships distilled into fewer layers, and the bundle."""

import random
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.asked_products import kept_products
from training.backbones import BackboneEncoder
from training.bases import Base, load_base
from training.bundles import student_lineage, write_embedder
from training.compressed_body import Body, body_of
from training.compression import take_layers
from training.distil_rows import DistilRows, distil_rows
from training.embedder_distillation import EmbedderDistillation, Row, distil_round, mean_cosine
from training.processes import processes
from training.run_folder import RunFolder
from training.shop_sentences import description_sentences, word_window
from training.whole_folder import check_all_replaceable
from vitrine.bundle import MANIFEST, Bundle, load_bundle

_SENTENCE_TOKENS = 64  # at most
_HELD_SHARE = 10  # one of so many texts is held out, at most


def distil_shipped_embedder(
    data_dir: Path,
    teacher: Path,
    out: Path,
    run_dir: Path,
    settings: EmbedderDistillation,
    float32_out: Path | None = None,
) -> Bundle:
    """Distil the embedder bundle `teacher`, write the int8 bundle to `out`. Resumes what `run_dir` holds.

    `float32_out` takes the same weights before int8. Raises TrainingError, before anything is written, when the bundle
    can't be used, and when the data can't be read.
    """
    check_all_replaceable(MANIFEST, out, float32_out)
    card = load_bundle(teacher, "embedder").manifest
    base = load_base(str(teacher))
    body = body_of(base)
    body.check_holds((*settings.kept, *settings.followed), base.source)
    run = RunFolder(run_dir, "distil-embedder", {"teacher": card.digest, "distillation": asdict(settings)})
    student, figures, learned = _distilled(data_dir, base, body, settings, run)
    lineage = {
        **student_lineage(card, f"{len(settings.kept)} of its layers, vectors and states distilled"),
        "distillation": asdict(settings),
        "distillation_texts": learned,
    }
    trained = student.handed_over(card, lineage, {"follows_teacher": figures})
    name = f"{card.name}-{len(settings.kept)}-layers"
    if processes().is_main_process:
        if float32_out is not None:
            write_embedder(float32_out, trained, name, card.version, base.prompts, int8=False)
        write_embedder(out, trained, name, card.version, base.prompts, int8=True)
    processes().wait_for_everyone()
    return load_bundle(out, "embedder")


def _distilled(
    data_dir: Path, base: Base, body: Body, settings: EmbedderDistillation, run: RunFolder
) -> tuple[Body, dict[str, Any], int]:
    """The student, how near it comes to its teacher before and after, and how many texts it learned from."""
    products = kept_products(data_dir, settings.vespa, settings.made, settings.products_seed, run)
    read = distil_rows(products, body.tokenizer(), settings.drawn, settings.seed)
    texts, chinese = _texts(read, base)
    order = np.random.default_rng(settings.seed).permutation(len(texts))
    count = min(settings.held, len(texts) // _HELD_SHARE)
    held, learned = order[:count], order[count:]
    pruned = replace(body, tensors=take_layers(body.tensors, settings.kept))
    student, teacher = _encoder(pruned), _encoder(body)

    def cosines() -> dict[str, float]:
        languages = {"en": held[~chinese[held]], "zh": held[chinese[held]]}
        compared = {name: [texts[row] for row in rows] for name, rows in languages.items() if len(rows)}
        return {f"{name} cosine": mean_cosine(student, teacher, rows, body.pad_id) for name, rows in compared.items()}

    figures = {"held_out_texts": count, "before": cosines()}
    products_and_queries = [texts[row] for row in learned]
    sentences = _sentences(data_dir, base, settings)
    for number, one in enumerate(settings.rounds):
        rows = [*products_and_queries, *(sentences if one.sentences else ())]
        distil_round(number, student, teacher, rows, body.pad_id, settings, run)
    figures["after"] = cosines()
    run.log(step="agreement", **figures)
    return pruned.trained(student), figures, len(learned) + len(sentences)


def _texts(read: DistilRows, base: Base) -> tuple[list[Row], Any]:
    """All products and queries (n) as the embedder reads them, and whether they are of Chinese products (n,)."""
    texts = [*base.prompted("document", read.embedded), *base.prompted("query", read.queries)]
    return texts, np.concatenate([read.chinese, read.chinese[read.sources]])


def _sentences(data_dir: Path, base: Base, settings: EmbedderDistillation) -> list[Row]:
    """Sentences as the embedder reads products, and a few words in a row of each as it reads queries."""
    rng = random.Random(settings.seed)
    found = description_sentences(data_dir)
    sentences = rng.sample(found, min(settings.sentences, len(found)))
    windows = [word_window(sentence, rng) for sentence in sentences]

    def ids(texts: list[str]) -> list[Row]:
        encoded = base.tokenizer.encode_batch(texts, add_special_tokens=False)
        return [one.ids[:_SENTENCE_TOKENS] for one in encoded]

    return [*base.prompted("document", ids(sentences)), *base.prompted("query", ids(windows))]


def _encoder(body: Body) -> BackboneEncoder:
    encoder = body.module()
    assert isinstance(encoder, BackboneEncoder)  # the bundle is an embedder's
    return encoder
