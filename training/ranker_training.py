"""The ranker's training steps: the embedder's body as a cross-encoder, on label-free lists, listwise and pointwise.

Losses: cross-entropy between the softmax of target and of predicted scores (ListNet, Cao et al. 2007) and binary
cross-entropy on each pair, which keeps logits comparable across queries; then Platt scaling on lists kept aside.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

from training.cross_encoder import CrossEncoder, pad_pairs, pair_row
from training.e5_weights import Floats
from training.encoder import tokenize
from training.optimisation import Schedule, optimise
from training.ranker_lists import RankList
from training.run_folder import RunFolder
from training.student import PAD_ID, Student
from vitrine.bundle import Calibration


@dataclass(frozen=True)
class RankerSettings:
    """What decides the result, beside the lists and the body."""

    seed: int = 23
    rate: float = 6e-5
    batch_lists: int = 4
    max_tokens: int = 44
    target_temperature: float = 0.12
    evidence_temperature: float = 0.084  # a cosine's share of relevance (0.7) times the target's temperature
    pointwise: float = 1.0  # weight of the pointwise loss
    dropout: float = 0.05
    made_lists: int = 350
    icecat_lists: int = 350
    vespa_lists: int = 80
    litemall_lists: int = 60
    reading_rounds: int = 2  # more rounds, on new lists that MiniLM has read
    served_icecat: int = 1_200  # the last round: lists judged on served texts, learned as a correction of the evidence
    served_vespa: int = 250
    served_made: int = 400
    served_temperature: float = 0.093  # as sharp for relevance in which words have a share
    served_logit: float = 0.04  # what the logit and the words weigh beside the cosine in that round
    served_words: float = 0.2
    aside: int = 60  # lists kept for calibration
    logit_weight: float = 0.06
    dense_weight: float = 1.0
    lexical_weight: float = 0.1

    @property
    def evidence(self) -> dict[Literal["logit", "dense", "lexical"], float]:
        """The weights of the final score."""
        return {"logit": self.logit_weight, "dense": self.dense_weight, "lexical": self.lexical_weight}


def fit(
    step: str,
    model: CrossEncoder,
    student: Student,
    lists: Sequence[RankList],
    settings: RankerSettings,
    run: RunFolder,
    evidence: Floats | None = None,
) -> None:
    """Train the model in place on lists of LIST_SIZE candidates at most.

    With `evidence` (n,), weighted, of every candidate in order, the lists' order is learned by the final score as well,
    so that the logit says what the evidence misses and still orders without it.
    """
    pairs = _pair_rows(student, lists, settings)
    starts = np.cumsum([0, *(len(ranked.documents) for ranked in lists)])
    order = list(range(len(lists)))
    random.Random(settings.seed).shuffle(order)
    batches = [order[at : at + settings.batch_lists] for at in range(0, len(order), settings.batch_lists)]

    def loss_of(batch: list[int]) -> Tensor:
        rows = [pair for index in batch for pair in pairs[starts[index] : starts[index + 1]]]
        logits = model(*pad_pairs(rows, PAD_ID))
        sizes = [len(lists[index].documents) for index in batch]
        goals = torch.tensor([score for index in batch for score in lists[index].relevance], device=logits.device)
        orders = [logits]
        if evidence is not None:
            known = torch.from_numpy(np.concatenate([evidence[starts[index] : starts[index + 1]] for index in batch]))
            orders.append((known.to(logits.device) + settings.served_logit * logits) / settings.evidence_temperature)
        return list_loss(orders, logits, goals, sizes, settings.target_temperature, settings.pointwise)

    optimise(step, model, batches, loss_of, Schedule(settings.rate), run)


def list_loss(
    orders: Sequence[Tensor],
    logits: Tensor,
    relevance: Tensor,
    sizes: Sequence[int],
    temperature: float,
    pointwise: float,
) -> Tensor:
    """ListNet of each order over each list plus `pointwise` times binary cross-entropy of logits; (sum of sizes,)."""
    goals = [torch.softmax(goal / temperature, dim=0) for goal in torch.split(relevance, list(sizes))]
    listwise = [
        -(goal * torch.log_softmax(score, dim=0)).sum()
        for order in orders
        for score, goal in zip(torch.split(order, list(sizes)), goals, strict=True)
    ]
    return torch.stack(listwise).mean() + pointwise * nn.functional.binary_cross_entropy_with_logits(logits, relevance)


@torch.inference_mode()
def score_lists(model: CrossEncoder, student: Student, lists: Sequence[RankList], settings: RankerSettings) -> Floats:
    """Logits of every candidate of every list, in order."""
    pairs = _pair_rows(student, lists, settings)
    parts = [model(*pad_pairs(pairs[at : at + 64], PAD_ID)).cpu().numpy() for at in range(0, len(pairs), 64)]
    joined: Floats = np.concatenate(parts)
    return joined


def calibrate(
    lists: Sequence[RankList], logits: Floats, dense: Floats, lexical: Floats, settings: RankerSettings
) -> Calibration:
    """Platt scaling of the final score of all candidates to their target relevance; logits, dense, lexical (n,)."""
    relevance = np.array([score for ranked in lists for score in ranked.relevance], dtype=np.float32)
    evidence = settings.evidence
    score = evidence["logit"] * logits + evidence["dense"] * dense + evidence["lexical"] * lexical
    scale, bias = platt(score, relevance)
    return Calibration(scale=scale, bias=bias, evidence=evidence)


def platt(score: Floats, relevance: Floats, weights: Floats | None = None) -> tuple[float, float]:
    """Slope and bias of sigmoid(slope * score + bias) that fit the relevance best; the slope is positive.

    All (n,); without weights every pair counts the same.
    """

    def loss(values: Floats) -> float:
        margin = np.exp(values[0]) * score + values[1]
        return float(np.average(np.logaddexp(0.0, margin) - relevance * margin, weights=weights))

    found = minimize(loss, np.array([1.0, -1.0]), method="Nelder-Mead")
    return float(np.exp(found.x[0])), float(found.x[1])


def _pair_rows(
    student: Student, lists: Sequence[RankList], settings: RankerSettings
) -> list[tuple[list[int], list[int]]]:
    tokenizer = student.tokenizer()
    queries = tokenize(tokenizer, [ranked.query for ranked in lists], settings.max_tokens)
    products = tokenize(tokenizer, [text for ranked in lists for text in ranked.documents], settings.max_tokens)
    owners = [index for index, ranked in enumerate(lists) for _ in ranked.documents]
    return [
        pair_row(queries[owner], product, settings.max_tokens) for owner, product in zip(owners, products, strict=True)
    ]
