"""Fine-tunes a cross-encoder on the evidence that it is served with, and fits its final score and calibration.

The loss is on the final score: the retriever's evidence, weighed once on the training lists, is added to every logit,
so the cross-encoder learns what the evidence misses. Afterwards the weights of logit and evidence are fitted together
on queries that were held out, the calibration too, and both are measured on yet other queries.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from training.backbones import BackboneRanker
from training.bases import Base
from training.cross_encoder import pad_pairs
from training.e5_weights import Floats
from training.final_score import LEAST_LOGIT, CalibrationFit, ScoreWeights, calibration_fit, fit_weights, ndcg_10
from training.optimisation import Precision, Schedule, optimise
from training.pair_scores import PairLayout, pair_logits
from training.ranker_data import RankerData, evidence
from training.ranker_figures import Figures, figures
from training.ranker_loss import Distillation, distillation_loss, listwise_loss, pointwise_loss
from training.ranker_training import platt
from training.run_folder import RunFolder
from training.served_lists import ServedList
from vitrine.bundle import MANIFEST, Calibration, load_bundle

_START_LISTS = 50  # on which the evidence's first weights are fitted


@dataclass(frozen=True)
class RankerTuning:
    """How a ranker is fine-tuned, beside its lists and base."""

    seed: int = 23
    loss: Literal["pointwise", "listwise", "both"] = "both"
    rate: float = 5e-5
    weight_decay: float = 0.01
    epochs: int = 2
    batch_lists: int = 4
    list_size: int = 12  # candidates of a list that one batch takes
    max_tokens: int = 48  # of a pair
    distil: Distillation = "kl"
    distil_weight: float = 0.5
    with_evidence: bool = True  # whether the loss is on the final score; else on the logit alone
    train_words: bool = False  # whether the word embeddings learn as well
    accumulate: int = 1  # batches of each process that one step takes
    precision: Precision = "no"


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned ranker, its final score and what was measured on held-out queries."""

    ranker: BackboneRanker
    calibration: Calibration
    figures: Figures
    fit: CalibrationFit


# Told of (epochs done, nDCG@10 of the final score on the lists that it is fitted on); may end the training.
Report = Callable[[int, float], None]


def fine_tune_ranker(
    data: RankerData, base: Base, settings: RankerTuning, run: RunFolder, report: Report | None = None
) -> FineTuned:
    """Train on `data.learned`, fit score and calibration on `data.fitted`, measure on `data.measured`.

    `base.model` is trained in place. Resumes what `run` holds. Raises TrainingError when the loss is not a number.
    """
    torch.manual_seed(settings.seed)
    ranker = BackboneRanker(base.model, base.head, base.pooling)
    layout = PairLayout(base.tokenizer, base.pad_id, settings.max_tokens)
    before = _logits(ranker, layout, data, data.measured) if base.head else None
    known = _start(ranker, layout, data, settings, bool(base.head))
    if not settings.train_words:
        base.model.get_input_embeddings().weight.requires_grad_(False)

    def loss_of(batch: Sequence[tuple[int, int]]) -> Tensor:
        return _loss(ranker, layout, data, known, batch, settings)

    for epoch in range(settings.epochs):
        schedule = Schedule(
            settings.rate * (settings.epochs - epoch) / settings.epochs,
            weight_decay=settings.weight_decay,
            accumulate=settings.accumulate,
            precision=settings.precision,
        )
        optimise(f"rank-{epoch + 1}", ranker, _batches(data.learned, settings, epoch), loss_of, schedule, run)
        if report is not None:
            report(epoch + 1, _fitted(ranker, layout, data).value)
    final = _fitted(ranker, layout, data)
    after = _logits(ranker, layout, data, data.measured)
    alone = fit_weights(data.stacked(data.fitted), least=(0.0, 0.0))
    scores = {"evidence alone": [alone.of(evidence(data.lists[number])) for number in data.measured]}
    if before is not None:
        scores["base"] = _scores(_base_weights(base), data, data.measured, before)
    scores["logit"] = after
    scores["final"] = _scores(final.weights, data, data.measured, after)
    measured = data.stacked(data.measured)
    fit = calibration_fit(
        np.concatenate(scores["final"]), measured.relevance, measured.weights, final.scale, final.bias
    )
    found = figures(data, scores)
    run.log(step="held-out", **found.described(), ece=round(fit.ece, 4), brier=round(fit.brier, 4))
    return FineTuned(ranker, final.calibration(), found, fit)


@dataclass(frozen=True)
class _Final:
    """The final score as fitted, its calibration, and its nDCG@10 on the lists that it was fitted on."""

    weights: ScoreWeights
    scale: float
    bias: float
    value: float

    def calibration(self) -> Calibration:
        logit, dense, lexical = map(float, self.weights.weights)
        return Calibration(
            scale=self.scale, bias=self.bias, evidence={"logit": logit, "dense": dense, "lexical": lexical}
        )


def _fitted(ranker: BackboneRanker, layout: PairLayout, data: RankerData) -> _Final:
    logits = _logits(ranker, layout, data, data.fitted)
    lists = data.stacked(data.fitted, logits)
    weights = fit_weights(lists, least=(LEAST_LOGIT, 0.0, 0.0))
    scale, bias = platt(weights.of(lists.features), lists.relevance, lists.weights)
    orders = _scores(weights, data, data.fitted, logits)
    values = [ndcg_10(order, data.relevance[number]) for order, number in zip(orders, data.fitted, strict=True)]
    return _Final(weights, scale, bias, float(np.nanmean(values)))


def _scores(weights: ScoreWeights, data: RankerData, numbers: Sequence[int], logits: Sequence[Floats]) -> list[Floats]:
    """Final scores (n,) of each list."""
    return [
        weights.of(np.column_stack([logit, evidence(data.lists[number])]))
        for logit, number in zip(logits, numbers, strict=True)
    ]


def _start(
    ranker: BackboneRanker, layout: PairLayout, data: RankerData, settings: RankerTuning, trained: bool
) -> ScoreWeights:
    """Weights of logit, dense and lexical that training starts from; they stay while the logit learns.

    An untrained head's logit counts as it is; a trained one's is first brought to the scale of the loss.
    """
    numbers = data.learned[:_START_LISTS]
    if not settings.with_evidence:
        return ScoreWeights(np.array([1.0, 0.0, 0.0], dtype=np.float32), 0.0)
    if trained:
        lists = data.stacked(numbers, _logits(ranker, layout, data, numbers))
        return fit_weights(lists, least=(0.05, 0.0, 0.0))
    alone = fit_weights(data.stacked(numbers), least=(0.0, 0.0))
    return ScoreWeights(np.concatenate([[1.0], alone.weights]).astype(np.float32), alone.bias)


def _batches(learned: Sequence[int], settings: RankerTuning, epoch: int) -> list[list[tuple[int, int]]]:
    """(list, seed of its draw) by batch; every epoch sees all lists in another order, with other candidates."""
    rng = random.Random(f"{settings.seed} {epoch}")
    order = [(number, rng.getrandbits(32)) for number in rng.sample(learned, len(learned))]
    return [order[at : at + settings.batch_lists] for at in range(0, len(order), settings.batch_lists)]


def _loss(
    ranker: BackboneRanker,
    layout: PairLayout,
    data: RankerData,
    known: ScoreWeights,
    batch: Sequence[tuple[int, int]],
    settings: RankerTuning,
) -> Tensor:
    queries: list[str] = []
    documents: list[str] = []
    parts: list[Floats] = []  # of each list (n, 5): evidence, relevance, weight, teacher
    for number, seed in batch:
        served = data.lists[number]
        chosen = drawn(served, data.relevance[number], settings.list_size, random.Random(seed))
        queries += [served.query] * len(chosen)
        documents += [served.documents[row] for row in chosen]
        columns = (evidence(served), data.relevance[number], np.array(served.weights), data.teachers[number])
        parts.append(np.column_stack(columns)[chosen].astype(np.float32))
    sizes = [len(part) for part in parts]
    device = ranker.out.weight.device
    logits = ranker(*(tensor.to(device) for tensor in pad_pairs(layout.rows(queries, documents), layout.pad_id)))
    columns_of = torch.from_numpy(np.concatenate(parts)).to(device)
    weights = torch.from_numpy(known.weights).to(device)
    scores = logits * weights[0] + (columns_of[:, :2] * weights[1:]).sum(dim=1) + known.bias
    relevance, counts, teachers = columns_of[:, 2], columns_of[:, 3], columns_of[:, 4]
    loss = torch.zeros((), device=device)
    if settings.loss != "listwise":
        loss = loss + pointwise_loss(scores, relevance, counts)
    if settings.loss != "pointwise":
        loss = loss + listwise_loss(scores, relevance, counts, sizes)
    if data.taught and settings.distil_weight:
        loss = loss + settings.distil_weight * distillation_loss(scores, teachers, sizes, settings.distil)
    return loss


def drawn(served: ServedList, relevance: Floats, size: int, rng: random.Random) -> list[int]:
    """Rows of at most `size` candidates to learn from: the most relevant quarter, the others at random."""
    usable = [row for row, weight in enumerate(served.weights) if weight > 0]
    best = sorted(usable, key=lambda row: -relevance[row])
    first, others = best[: size // 4], best[size // 4 :]
    return first + rng.sample(others, min(size - len(first), len(others)))


def _logits(ranker: BackboneRanker, layout: PairLayout, data: RankerData, numbers: Sequence[int]) -> list[Floats]:
    """Logits (n,) of each list."""
    lists = [data.lists[number] for number in numbers]
    return [pair_logits(ranker, layout, [one.query] * len(one), one.documents) for one in lists]


def _base_weights(base: Base) -> ScoreWeights:
    """The final score of the bundle that was started from."""
    folder = Path(base.source)
    calibration = load_bundle(folder, "ranker").manifest.calibration if (folder / MANIFEST).is_file() else None
    evidence_of = calibration.evidence if calibration else {"logit": 1.0}
    values = [evidence_of.get("logit", 1.0), evidence_of.get("dense", 0.0), evidence_of.get("lexical", 0.0)]
    return ScoreWeights(np.array(values, dtype=np.float32), 0.0)
