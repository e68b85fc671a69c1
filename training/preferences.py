"""What labels say about an order, and the two smallest models that learn from it, each held near the label-free one.

Loss: pairwise logistic within each query, weighted by the difference of the grades (RankNet, Burges et al. 2005). A
label-free score comes in; ridge holds what is learned near it, so that few labels change little.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

_SHARPNESS = (2.0, 200.0)  # scores differ by hundredths within a query, logits by ones
_JITTER = 1e-6  # of the kernel's mean diagonal: two products with one text are the same point


@dataclass(frozen=True)
class Preferences:
    """Rows that people graded higher than others of the same query, how much higher, and the query's number: (p,)."""

    better: Rows
    worse: Rows
    weight: Array
    query: Rows

    def __len__(self) -> int:
        return len(self.better)

    def losses(self, scores: Array, sharpness: float) -> Array:
        """Weighted logistic loss of each preference under scores (n,)."""
        losses: Array = self.weight * np.logaddexp(0.0, -sharpness * (scores[self.better] - scores[self.worse]))
        return losses

    def slope(self, scores: Array, sharpness: float) -> Array:
        """Gradient of the summed losses by score, (n,)."""
        pull = self.weight * sharpness * expit(-sharpness * (scores[self.better] - scores[self.worse]))
        count = len(scores)
        gradient = np.bincount(self.worse, pull, count) - np.bincount(self.better, pull, count)
        return gradient.astype(np.float64)


def preferences(queries: Sequence[str], grades: Array) -> Preferences:
    """All preferences among rows of the same query."""
    numbers = np.unique(np.asarray(queries, dtype=str), return_inverse=True)[1]
    better, worse = np.nonzero((numbers[:, None] == numbers[None, :]) & (grades[:, None] > grades[None, :]))
    return Preferences(better, worse, grades[better] - grades[worse], numbers[better])


def sharpness_of(scores: Array, told: Preferences) -> float:
    """How strongly score differences should count, so that a fit has nothing to gain by mere scale."""
    low, high = np.log(_SHARPNESS)
    found = minimize_scalar(lambda log: told.losses(scores, np.exp(log)).sum(), bounds=(low, high), method="bounded")
    return float(np.exp(found.x))


def fit_weights(evidence: Array, prior: Array, told: Preferences, sharpness: float, strength: float) -> Array:
    """Weights (k,) of evidence (n, k), none negative, held near `prior` where evidence varies most."""
    spread = np.maximum(np.abs(evidence[told.better] - evidence[told.worse]).mean(axis=0), 1e-6)

    def loss(weights: Array) -> tuple[float, Array]:
        scores = evidence @ weights
        away = (weights - prior) * spread * sharpness
        value = told.losses(scores, sharpness).sum() + 0.5 * strength * np.square(away).sum()
        return float(value), evidence.T @ told.slope(scores, sharpness) + strength * away * spread * sharpness

    found = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(prior))
    weights: Array = found.x
    return weights


def fit_offset(scores: Array, kernel: Array, told: Preferences, sharpness: float, strength: float) -> Array:
    """Dual weights (n,) of what is added to the scores: another row's offset is its kernel with these n rows @ dual.

    By the representer theorem (Schoelkopf et al. 2001) this is the ridge solution in the kernel's whole feature space.
    """
    count = len(scores)
    factor = np.linalg.cholesky(kernel + np.eye(count) * (_JITTER * float(np.trace(kernel)) / count))

    def loss(weights: Array) -> tuple[float, Array]:
        moved = scores + factor @ weights
        value = told.losses(moved, sharpness).sum() + 0.5 * strength * sharpness**2 * weights @ weights
        return float(value), factor.T @ told.slope(moved, sharpness) + strength * sharpness**2 * weights

    found = minimize(loss, np.zeros(count), jac=True, method="L-BFGS-B", options={"maxiter": 60})
    dual: Array = np.linalg.solve(factor.T, found.x)
    return dual


def fit_platt(scores: Array, relevance: Array, prior: tuple[float, float], strength: float) -> tuple[float, float]:
    """Slope and bias of sigmoid(slope * score + bias) that fit relevance in [0, 1], held near the prior's.

    Platt (1999); the slope is positive and held by its logarithm. `strength` counts as so many pairs that say so.
    """
    start = np.array([np.log(prior[0]), prior[1]])

    def loss(values: Array) -> tuple[float, Array]:
        slope, away = np.exp(values[0]), values - start
        margin = slope * scores + values[1]
        wrong = expit(margin) - relevance
        value = (np.logaddexp(0.0, margin) - relevance * margin).sum() + 0.5 * strength * np.square(away).sum()
        return float(value), np.array([slope * (wrong @ scores), wrong.sum()]) + strength * away

    found = minimize(loss, start, jac=True, method="L-BFGS-B")
    return float(np.exp(found.x[0])), float(found.x[1])
