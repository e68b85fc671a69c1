"""95 % bootstrap intervals: how far a figure might have been off with other queries of the same kind."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2_000
_SEED = 20_240_229
BOUNDS = (2.5, 97.5)
# Fewer say nothing of how far a figure may be off.
LEAST_FOR_INTERVAL = 5


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
    generator = np.random.default_rng(_SEED)
    # One resample at a time: with tens of thousands of queries all at once would take gigabytes.
    means = [sample[generator.integers(0, len(sample), len(sample))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, BOUNDS)
    return Interval(float(sample.mean()), float(low), float(high), len(sample))


def query_draws(queries: int) -> NDArray[np.int64]:
    """(2,000, queries): how often each query is in each resample."""
    share = np.full(queries, 1 / queries)
    return np.random.default_rng(_SEED).multinomial(queries, share, RESAMPLES)


def ratio_interval(sums: NDArray[np.float64], counts: NDArray[np.float64], draws: NDArray[np.int64]) -> Interval:
    """A mean over pairs from each query's sum and count, both (queries,); a resample without pairs is left out."""
    counted = draws @ counts
    resampled = (draws @ sums)[counted > 0] / counted[counted > 0]
    low, high = np.percentile(resampled, BOUNDS)
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high), int(counts.sum()))


def auc_interval(scores: Sequence[float], labels: Sequence[bool], queries: Sequence[str]) -> Interval:
    """The area under the ROC curve over all pairs (Mann-Whitney U over n1 x n0, ties one half).

    Resampled by query, because the pairs of a query hang together; a resample without both labels is left out.
    """
    resampled, value = _resampled_auc(scores, labels, queries)
    low, high = np.nanpercentile(resampled, BOUNDS)
    return Interval(value, float(low), float(high), len(scores))


def auc_difference_interval(
    before: Sequence[float], after: Sequence[float], labels: Sequence[bool], queries: Sequence[str]
) -> tuple[Interval, float]:
    """How much a second scoring of the same pairs gains in AUC, and the two-sided p that it gains nothing.

    Both are resampled with the same queries; p is twice the share of resamples on the other side of 0 (Efron 1979).
    """
    first, first_value = _resampled_auc(before, labels, queries)
    second, second_value = _resampled_auc(after, labels, queries)
    gains = (second - first)[~np.isnan(first)]
    low, high = np.percentile(gains, BOUNDS)
    beyond = min(int((gains <= 0).sum()), int((gains >= 0).sum()))
    p_value = min(1.0, 2 * (1 + beyond) / (1 + len(gains)))
    return Interval(second_value - first_value, float(low), float(high), len(labels)), p_value


def _resampled_auc(
    scores: Sequence[float], labels: Sequence[bool], queries: Sequence[str]
) -> tuple[NDArray[np.float64], float]:
    """The AUC of each resample of the queries, NaN where a label is missing, and that of all pairs."""
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool)
    names, query = np.unique(np.asarray(queries), return_inverse=True)
    belongs = np.eye(len(names))[query]
    positives, negatives = score[label][:, None], score[~label][None, :]
    wins = (positives > negatives) + 0.5 * (positives == negatives)
    # Won comparisons between the positives of one query and the negatives of another: all that a resample can change.
    won = belongs[label].T @ wins @ belongs[~label]
    drawn = query_draws(len(names))
    compared = (drawn @ belongs[label].sum(axis=0)) * (drawn @ belongs[~label].sum(axis=0))
    resampled = np.full(len(drawn), np.nan)
    both = compared > 0
    resampled[both] = ((drawn @ won) * drawn).sum(axis=1)[both] / compared[both]
    return resampled, float(wins.mean())
