"""Calibration: does a share p of what the ranker gives probability p turn out relevant? With intervals by query."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.intervals import BOUNDS, Interval, query_draws, ratio_interval

_BINS = 10
_LEAST_PAIRS_PER_BIN = 20


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of like probability, from `low` to `high`: their mean prediction, and the share that is relevant."""

    low: float
    high: float
    predicted: float
    observed: Interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """Bins of about equal counts; expected calibration error and Brier score, both 0 at best."""

    bins: tuple[Bin, ...]
    expected_error: Interval
    brier: Interval


def calibration(probabilities: Sequence[float], relevant: Sequence[bool], queries: Sequence[str]) -> Calibration:
    """Measures n pairs, n >= 1; intervals resample the queries, because the pairs of a query hang together.

    Expected calibration error (Naeini et al. 2015): mean over pairs of |predicted - observed| of their bin, here at
    most 10 bins of about equal counts, of at least 20 pairs. Brier (1950): mean of (predicted - outcome)².
    """
    predicted, outcome = np.asarray(probabilities, np.float64), np.asarray(relevant, np.float64)
    names, query = np.unique(np.asarray(queries), return_inverse=True)
    places = min(_BINS, max(1, len(predicted) // _LEAST_PAIRS_PER_BIN))
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, places + 1)))
    _, place = np.unique(np.searchsorted(edges[1:-1], predicted, side="right"), return_inverse=True)

    def sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
        table = np.zeros((len(names), int(place.max()) + 1))
        np.add.at(table, (query, place), values)
        return table

    pairs, hopes, hits = sums(np.ones_like(predicted)), sums(predicted), sums(outcome)
    draws = query_draws(len(names))
    resampled = np.abs(draws @ hopes - draws @ hits).sum(axis=1) / (draws @ pairs).sum(axis=1)
    low, high = np.percentile(resampled, BOUNDS)
    error = float(np.abs((hopes - hits).sum(axis=0)).sum() / len(predicted))
    squares = np.bincount(query, (predicted - outcome) ** 2).astype(np.float64)
    bins = []
    for number in range(pairs.shape[1]):
        within = predicted[place == number]
        observed = ratio_interval(hits[:, number], pairs[:, number], draws)
        bins.append(Bin(float(within.min()), float(within.max()), float(within.mean()), observed))
    return Calibration(
        tuple(bins),
        Interval(error, float(low), float(high), len(predicted)),
        ratio_interval(squares, pairs.sum(axis=1), draws),
    )
