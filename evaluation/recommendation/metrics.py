"""Metrics of ranked lists: (n, k) product numbers, best first, -1 where a list is shorter."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.recommendation.interactions import Integers

Values = NDArray[np.float64]
_PAIRS = 20_000
_SEED = 0


def hits(lists: Integers, relevant: Sequence[Integers]) -> NDArray[np.bool_]:
    """(n, k): which places hold a relevant product."""
    return np.stack([np.isin(row, own) for row, own in zip(lists, relevant, strict=True)])


def recall(found: NDArray[np.bool_], relevant: Sequence[Integers], k: int) -> Values:
    """(n,) the share of a question's relevant products that are among the first k."""
    sizes = np.array([len(own) for own in relevant], np.float64)
    shares: Values = found[:, :k].sum(axis=1) / sizes
    return shares


def ndcg(found: NDArray[np.bool_], relevant: Sequence[Integers], k: int) -> Values:
    """(n,) binary gains over log2(1 + rank), beside the best that k places allow (Järvelin and Kekäläinen 2002)."""
    discounts = 1 / np.log2(np.arange(k) + 2)
    sizes = np.array([min(len(own), k) for own in relevant])
    gains: Values = (found[:, :k] * discounts[: found.shape[1]]).sum(axis=1) / np.cumsum(discounts)[sizes - 1]
    return gains


def coverage(lists: Integers, products: int) -> float:
    """The share of all products that is in anyone's list."""
    shown = np.unique(lists)
    return np.count_nonzero(shown >= 0) / products


def overlap(lists: Integers) -> float:
    """Mean Jaccard similarity of the lists of two users, over 20,000 random pairs; 1: all see the same."""
    if len(lists) < 2:
        return 1.0
    generator = np.random.default_rng(_SEED)
    first = generator.integers(0, len(lists), _PAIRS)
    # Another user, each as likely.
    second = (first + generator.integers(1, len(lists), _PAIRS)) % len(lists)
    one, other = np.sort(lists[first], axis=1), lists[second]
    shared = ((one[:, :, None] == other[:, None, :]) & (one[:, :, None] >= 0)).sum(axis=(1, 2))
    sizes = (lists >= 0).sum(axis=1)
    union = sizes[first] + sizes[second] - shared
    return float(np.mean(shared / np.maximum(union, 1)))
