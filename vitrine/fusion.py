"""Fusion of what two sources found: reciprocal ranks, or a convex combination of scores.

Measured on Icecat (judged list, condensed, full nDCG@10, R@200), words over all fields with multilingual-e5-small:
words 0.823 0.825 0.773 0.947, vectors 0.829 0.818 0.512 0.796, reciprocal ranks 0.842 0.840 0.709 0.965, convex with
dense_weight 0.3 0.832 0.831 0.756 0.946. Full punishes whatever words did not find, for words made the judged pool.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vitrine.vectors import FloatArray

# Cormack, Clarke and Buettcher (2009): the constant of reciprocal rank fusion.
RRF_K = 60


def convex_scores(cosines: FloatArray, bm25: FloatArray, *, dense_weight: float) -> FloatArray:
    """Weighted mean of both sources' scores, each brought to [0, 1]; (n,) float32 over the union of both lists.

    Bruch, Gai and Ingber (2023), "An analysis of fusion functions for hybrid retrieval". Cosines are known for every
    candidate and scaled min-max over them; BM25 is divided by the query's best, and 0 where words did not find it.
    """
    low, high = float(cosines.min(initial=1.0)), float(cosines.max(initial=-1.0))
    dense = (cosines - low) / (high - low) if high > low else np.zeros_like(cosines)
    best = float(bm25.max(initial=0.0))
    lexical = bm25 / best if best > 0 else np.zeros_like(bm25)
    scores: FloatArray = (dense_weight * dense + (1.0 - dense_weight) * lexical).astype(np.float32)
    return scores


def reciprocal_rank_scores(*ranks: NDArray[np.int64]) -> FloatArray:
    """Sum over the sources of 1 / (60 + rank); ranks from 1, 0 where a source did not find it.

    Monotone: a better rank in one source, all else equal, never lowers the score.
    """
    scores = sum(np.where(rank > 0, 1.0 / (RRF_K + rank), 0.0) for rank in ranks)
    return np.asarray(scores, np.float32)


def best_first(scores: FloatArray, ids: Sequence[str]) -> NDArray[np.int64]:
    """Positions by score, largest first, ties by id."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    edges = np.flatnonzero(np.diff(ordered, prepend=np.nan, append=np.nan))
    for start in np.flatnonzero(np.diff(edges) > 1).tolist():
        tied = slice(edges[start], edges[start + 1])
        order[tied] = sorted(order[tied].tolist(), key=ids.__getitem__)
    return order
