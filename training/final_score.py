"""The final score of a ranker: weights of logit and evidence, its probability, and how well it orders.

score = logit weight * logit + dense weight * dense + lexical weight * lexical, as services/ranker/scoring.py adds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from training.e5_weights import Floats

LEAST_LOGIT = 1e-3  # a ranker is served only with a positive weight of its logit
LISTWISE_SHARPNESS = 4.0  # of listwise targets: relevance 1 counts exp(4) - 1 = 54 times, 0.5 counts 6.4 times
_RIDGE = 1e-3
_BINS = 10


@dataclass(frozen=True)
class Lists:
    """Candidates of several lists one after the other: features (n, k), relevance and weights (n,), sizes per list."""

    features: Floats
    relevance: Floats
    weights: Floats
    sizes: Sequence[int]


@dataclass(frozen=True)
class ScoreWeights:
    """Weights (k,) by feature, none below 0, and a bias: the score is then about the log odds of relevance."""

    weights: Floats
    bias: float

    def of(self, features: Floats) -> Floats:
        """Scores (n,) without the bias, which orders nothing."""
        scores: Floats = (features @ self.weights).astype(np.float32)
        return scores


def listwise_gains(relevance: Floats) -> Floats:
    """What relevance in [0, 1] counts in a listwise target; 0 counts nothing."""
    gains: Floats = np.expm1(LISTWISE_SHARPNESS * relevance)
    return gains


def fit_weights(lists: Lists, least: Sequence[float]) -> ScoreWeights:
    """The weights of least listwise and pointwise loss, each at least as `least` says.

    Losses as in training: ListNet (Cao et al. 2007) and binary cross-entropy, both weighted.
    """
    starts = np.cumsum([0, *lists.sizes[:-1]])
    gains = listwise_gains(lists.relevance) * lists.weights
    totals = np.add.reduceat(gains, starts)
    shares = gains / np.repeat(np.where(totals > 0, totals, 1.0), lists.sizes)
    count = max(1, int((totals > 0).sum()))
    scale = np.maximum(lists.features.std(axis=0), 1e-6)

    def loss(values: Floats) -> float:
        scores = lists.features @ values[:-1]
        top = np.repeat(np.maximum.reduceat(scores, starts), lists.sizes)
        logsum = np.log(np.add.reduceat(np.exp(scores - top), starts))
        listwise = -(shares * (scores - top - np.repeat(logsum, lists.sizes))).sum() / count
        odds = scores + values[-1]
        pointwise = (lists.weights * (np.logaddexp(0.0, odds) - lists.relevance * odds)).sum() / lists.weights.sum()
        return float(listwise + pointwise + _RIDGE * np.square(values[:-1] * scale).sum())

    start = np.array([max(low, 1.0 / size) for low, size in zip(least, scale, strict=True)] + [-1.0])
    found = minimize(loss, start, method="L-BFGS-B", bounds=[*((low, None) for low in least), (None, None)])
    return ScoreWeights(found.x[:-1].astype(np.float32), float(found.x[-1]))


@dataclass(frozen=True)
class CalibrationFit:
    """How well probabilities meet relevance: expected calibration error and Brier score, 0 is perfect."""

    ece: float
    brier: float
    pairs: int

    def described(self) -> dict[str, float | int]:
        """For the bundle's card."""
        return {"ece": round(self.ece, 4), "brier": round(self.brier, 4), "pairs": self.pairs}


def calibration_fit(scores: Floats, relevance: Floats, weights: Floats, scale: float, bias: float) -> CalibrationFit:
    """Quality of sigmoid(scale * score + bias): ECE over ten bins of equal width (Guo et al. 2017) and Brier (1950)."""
    probabilities = expit(scale * scores.astype(np.float64) + bias)
    bins = np.minimum((probabilities * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, weights * (probabilities - relevance), minlength=_BINS)
    ece = float(np.abs(gaps).sum() / weights.sum())
    brier = float((weights * np.square(probabilities - relevance)).sum() / weights.sum())
    return CalibrationFit(ece, brier, len(scores))


def ndcg_10(scores: Floats, relevance: Floats) -> float:
    """nDCG@10 of one list with linear gains, ties in the order given; NaN when nothing is relevant."""
    top = min(10, len(scores))
    discounts = 1.0 / np.log2(np.arange(2, 2 + top))
    best = float((np.sort(relevance)[::-1][:top] * discounts).sum())
    gained = float((relevance[np.argsort(-scores, kind="stable")][:top] * discounts).sum())
    return gained / best if best > 0 else float("nan")
