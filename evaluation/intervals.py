"""95 % bootstrap intervals: how far a figure might have been off with other queries of the same kind."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
    """The area under the ROC curve over all pairs (Mann-Whitney U over n1 x n0, ties one half).

    Resampled by query, because the pairs of a query hang together; a resample without both labels is left out.
    """
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool)
    names, query = np.unique(np.asarray(queries), return_inverse=True)
    belongs = np.eye(len(names))[query]
    positives, negatives = score[label][:, None], score[~label][None, :]
    wins = (positives > negatives) + 0.5 * (positives == negatives)
    # Won comparisons between the positives of one query and the negatives of another: all that a resample can change.
    won = belongs[label].T @ wins @ belongs[~label]
    positive_counts, negative_counts = belongs[label].sum(axis=0), belongs[~label].sum(axis=0)
    drawn = np.random.default_rng(_SEED).multinomial(len(names), np.full(len(names), 1 / len(names)), _RESAMPLES)
    compared = (drawn @ positive_counts) * (drawn @ negative_counts)
    resampled = ((drawn @ won) * drawn).sum(axis=1)[compared > 0] / compared[compared > 0]
    low, high = np.percentile(resampled, _BOUNDS)
    return Interval(float(wins.mean()), float(low), float(high), len(score))
