"""The last step of the shipped ranker's recipe: six layers distilled into fewer, narrower ones, and the bundle."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.asked_products import kept_products
from training.backbones import BackboneRanker
from training.bases import Base, load_base
from training.bundles import student_lineage, write_ranker
from training.compressed_body import WORDS, Body, body_of
from training.compression import narrow_feed_forward, take_layers
from training.distil_lists import ListMaker
from training.distil_rows import DistilRows, distil_rows
from training.errors import TrainingError
from training.near_products import near_by_vectors, near_by_words
from training.processes import processes
from training.ranker_distillation import DistillationSettings, Nearness, agreement, distil_ranker, unit_weights
from training.run_folder import RunFolder
from training.whole_folder import check_all_replaceable
from vitrine.bundle import MANIFEST, Bundle, load_bundle

VERSION = "1.2.1"
_LISTS_AT_ONCE = 16  # where nothing is learned
_HELD_SHARE = 10  # one of so many queries is held out, at most


def distil_shipped_ranker(
    data_dir: Path,
    teacher: Path,
    embedder: Path,
    out: Path,
    run_dir: Path,
    settings: DistillationSettings,
    float32_out: Path | None = None,
) -> Bundle:
    """Distil the ranker bundle `teacher`, write the int8 bundle to `out`. Resumes what `run_dir` holds.

    The bundle `embedder` tells which products are near a query. `float32_out` takes the same weights before int8.
    Raises TrainingError, before anything is written, when a bundle can't be used, and when the data can't be read.
    """
    check_all_replaceable(MANIFEST, out, float32_out)
    card = load_bundle(teacher, "ranker").manifest
    near_by = load_bundle(embedder, "embedder").manifest.digest
    base, near = load_base(str(teacher)), load_base(str(embedder))
    body = body_of(base)
    calibration = card.calibration
    if calibration is None:
        raise TrainingError(f"{teacher}: bundle.json has no calibration for the student to keep; train it again")
    _check(body, base, near, settings)
    made_of = {"teacher": card.digest, "embedder": near_by, "distillation": asdict(settings)}
    run = RunFolder(run_dir, "distil-ranker", made_of)
    student, figures, learned = _distilled(data_dir, body, near, settings, run)
    lineage = {
        **student_lineage(card, _step(settings)),
        "near_by": near_by,
        "distillation": asdict(settings),
        "distillation_queries": learned,
    }
    trained = student.handed_over(card, lineage, {"follows_teacher": figures})
    if processes().is_main_process:
        if float32_out is not None:
            write_ranker(float32_out, trained, card.name, VERSION, calibration, int8=False)
        write_ranker(out, trained, card.name, VERSION, calibration, int8=True)
    processes().wait_for_everyone()
    return load_bundle(out, "ranker")


def _check(body: Body, teacher: Base, embedder: Base, settings: DistillationSettings) -> None:
    """Refuse, by TrainingError, a teacher that lacks what is kept or followed, and an embedder of other pieces."""
    body.check_holds((*settings.kept, *settings.followed), teacher.source)
    if embedder.tokenizer.get_vocab() != teacher.tokenizer.get_vocab():
        raise TrainingError(
            f"{embedder.source} reads other pieces than {teacher.source}; give the embedder of the same recipe as "
            "--embedder"
        )


def _step(settings: DistillationSettings) -> str:
    steps = sum(one.steps for one in settings.rounds)
    return (
        f"{len(settings.kept)} of its layers, {settings.feed_forward} hidden units of each; logits, order and states "
        f"of the ranker before distilled on lists made from the same data, {steps:,} steps of "
        f"{settings.lists * settings.shape.size:,} pairs"
    )


def _distilled(
    data_dir: Path, body: Body, embedder: Base, settings: DistillationSettings, run: RunFolder
) -> tuple[Body, dict[str, Any], int]:
    """The student, how near it comes to its teacher before and after, and how many queries it learned from."""
    products = kept_products(data_dir, settings.vespa, settings.made, settings.products_seed, run)
    rows = distil_rows(products, body.tokenizer(), settings.drawn, settings.seed)
    if len(rows.ranked) < settings.shape.nearest or len(rows.queries) < _HELD_SHARE:
        raise TrainingError(
            f"{data_dir} gives {len(rows.ranked)} products and {len(rows.queries)} queries, and at least "
            f"{settings.shape.nearest} and {_HELD_SHARE} are needed; give the whole data folder"
        )
    makers = _list_makers(rows, body, embedder, settings, run)
    order = np.random.default_rng(settings.seed).permutation(len(rows.queries))
    count = min(settings.held, len(order) // _HELD_SHARE)
    held, learned = order[:count], order[count:]
    teacher, first = _ranker(body), makers[settings.rounds[0].near]
    rng = np.random.default_rng((settings.seed, 0))
    weighed = first.drawn(learned[: settings.weighed], rng, -(-settings.weighed // _LISTS_AT_ONCE))
    pruned = _pruned(body, unit_weights(teacher, weighed), settings)
    student = _ranker(pruned)
    compared = first.drawn(held, rng, -(-count // _LISTS_AT_ONCE))
    chinese = rows.chinese[rows.sources]
    figures = {"held_out_queries": count, "before": agreement(student, teacher, compared, chinese, settings.shape.size)}
    distil_ranker(student, teacher, makers, learned, settings, run)
    figures["after"] = agreement(student, teacher, compared, chinese, settings.shape.size)
    run.log(step="agreement", **figures)
    return pruned.trained(student), figures, len(learned)


def _list_makers(
    rows: DistilRows, body: Body, embedder: Base, settings: DistillationSettings, run: RunFolder
) -> dict[str, ListMaker]:
    """One for each kind of nearness; what is near is kept in the run folder."""
    count = settings.shape.nearest

    def near(kind: Nearness) -> dict[str, Any]:
        if kind == "words":
            return {"near": near_by_words(rows, body.tensors[WORDS], count)}
        return {"near": near_by_vectors(rows, embedder, count)}

    kinds: Iterable[Nearness] = dict.fromkeys(one.near for one in settings.rounds)
    return {
        kind: ListMaker(
            rows,
            run.arrays(f"near-by-{kind}", lambda kind=kind: near(kind))["near"],  # type: ignore[misc]
            settings.shape,
            body.tokenizer(),
            body.pad_id,
        )
        for kind in kinds
    }


def _pruned(body: Body, weights: list[Any], settings: DistillationSettings) -> Body:
    kept = take_layers(body.tensors, settings.kept)
    narrow = narrow_feed_forward(kept, settings.feed_forward, [weights[layer] for layer in settings.kept])
    return replace(body, tensors=narrow)


def _ranker(body: Body) -> BackboneRanker:
    ranker = body.module()
    assert isinstance(ranker, BackboneRanker)  # the bundle is a ranker's
    return ranker
