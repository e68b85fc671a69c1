"""95 % bootstrap intervals: how far a figure might have been off with other queries of the same kind."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

_RESAMPLES = 2_000
_SEED = 20_240_229
_BOUNDS = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the bounds that hold it in 95 of 100 resamples."""

    value: float
    low: float
    high: float
    count: int


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean over queries, resampled by query (percentile bootstrap, Efron 1979)."""
    sample = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(_SEED).integers(0, len(sample), (_RESAMPLES, len(sample)))
    low, high = np.percentile(sample[drawn].mean(axis=1), _BOUNDS)
    return Interval(float(sample.mean()), float(low), float(high), len(sample))


def auc_interval(scores: Sequence[float], labels: Sequence[bool], queries: Sequence[str]) -> Interval:
    """The area under the ROC curve over all pairs, resampled by query, because the pairs of a query hang together."""
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool)
    rows: dict[str, list[int]] = {}
    for row, query in enumerate(queries):
        rows.setdefault(query, []).append(row)
    groups = [np.asarray(group) for group in rows.values()]
    random = np.random.default_rng(_SEED)
    resampled = []
    for _ in range(_RESAMPLES):
        drawn = np.concatenate([groups[index] for index in random.integers(0, len(groups), len(groups))])
        if 0 < label[drawn].sum() < len(drawn):
            resampled.append(_auc(score[drawn], label[drawn]))
    low, high = np.percentile(resampled, _BOUNDS)
    return Interval(_auc(score, label), float(low), float(high), len(score))


def _auc(scores: np.typing.NDArray[np.float64], labels: np.typing.NDArray[np.bool_]) -> float:
    """Mann-Whitney U over n1 x n0; ties count one half."""
    ranks, positives = rankdata(scores), int(labels.sum())
    above = ranks[labels].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(labels) - positives)))
