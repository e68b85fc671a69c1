"""The losses of a ranker over lists: pointwise, listwise, and distillation from teachers' standardised scores."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from training.final_score import LISTWISE_SHARPNESS

RankerLoss = Literal["pointwise", "listwise", "both"]
Distillation = Literal["kl", "margin-mse"]
_MARGIN = 2.0  # log odds that one deviation of the teachers' scores stands for


def pointwise_loss(scores: Tensor, relevance: Tensor, weights: Tensor) -> Tensor:
    """Weighted binary cross-entropy; all (n,)."""
    losses = nn.functional.binary_cross_entropy_with_logits(scores, relevance, reduction="none")
    mean: Tensor = (weights * losses).sum() / weights.sum()
    return mean


def listwise_loss(scores: Tensor, relevance: Tensor, weights: Tensor, sizes: Sequence[int]) -> Tensor:
    """ListNet (Cao et al. 2007) over each list, its targets weighted, so that inverse propensities count.

    A list without a relevant candidate has nothing to say.
    """
    losses = []
    gains = torch.expm1(LISTWISE_SHARPNESS * relevance) * weights
    for score, gain in zip(torch.split(scores, list(sizes)), torch.split(gains, list(sizes)), strict=True):
        total = gain.sum()
        losses.append(-(gain / total.clamp(min=1e-6) * torch.log_softmax(score, dim=0)).sum())
    return torch.stack(losses).mean()


def distillation_loss(scores: Tensor, teachers: Tensor, sizes: Sequence[int], kind: Distillation) -> Tensor:
    """How far the scores' differences within each list are from the teachers'; both (sum of sizes,).

    "margin-mse": the mean over all pairs of the squared difference of margins, over 2 (Hofstätter et al. 2020).
    "kl": Kullback-Leibler divergence of the softmax distributions over the list (Hinton et al. 2015).
    """
    losses = []
    goals = _MARGIN * teachers
    for score, goal in zip(torch.split(scores, list(sizes)), torch.split(goals, list(sizes)), strict=True):
        if kind == "margin-mse":
            # All pairs' squared differences of margins are twice the variance of score - goal.
            losses.append((score - goal).var(correction=0))
        else:
            target = torch.log_softmax(goal, dim=0)
            losses.append((target.exp() * (target - torch.log_softmax(score, dim=0))).sum())
    return torch.stack(losses).mean()
