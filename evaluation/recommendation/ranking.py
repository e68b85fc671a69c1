"""The first products of many questions by any method that scores the whole catalogue."""

from collections.abc import Callable, Sequence

import numpy as np

from evaluation.recommendation.data import Task
from training.e5_weights import Floats
from training.recommendation.histories import History
from training.recommendation.interactions import Integers

_BLOCK_CELLS = 4_000_000

# Scores (n, products) of histories; -inf or NaN where a method does not find the product.
Scores = Callable[[Sequence[History]], Floats]


def ranked_by(scores: Scores, task: Task, count: int, products: int) -> Integers:
    """(n, count) products, best first, without what the task leaves out; -1 where no more are found.

    Equal scores are ordered by product number.
    """
    found = np.full((len(task), count), -1, np.int64)
    size = max(1, _BLOCK_CELLS // max(1, products))
    for start in range(0, len(task), size):
        block = slice(start, start + size)
        values = np.array(scores(task.histories[block]), np.float32)
        values[np.isnan(values)] = -np.inf
        for row, out in enumerate(task.left_out[block]):
            values[row, out] = -np.inf
        for row, own in enumerate(values):
            best = _first(own, count)
            found[start + row, : len(best)] = best
    return found


def _first(values: Floats, count: int) -> Integers:
    if len(values) > count:
        least = np.partition(values, -count)[-count]
        places = np.flatnonzero(values >= least)
    else:
        places = np.arange(len(values))
    places = places[np.isfinite(values[places])]
    order = np.argsort(-values[places], kind="stable")[:count]
    best: Integers = places[order].astype(np.int64)
    return best
