"""Fusion of what two sources found: a convex combination of scores, or reciprocal ranks.

Measured by `vitrine evaluate relevance`, `--dataset icecat` and `zh-shop` (English and Chinese), under each value of
VITRINE_RETRIEVER_FUSION, the embedder and settings as shipped; nDCG@10 of the judged lists and of all products, R@200:

    convex    icecat 0.908 0.739 0.958    zh-shop 0.987 0.754 0.964
    rrf       icecat 0.860 0.750 0.967    zh-shop 0.987 0.727 0.964
    dense     icecat 0.909 0.576 0.884    zh-shop 0.983 0.642 0.952
    lexical   icecat 0.825 0.773 0.947    zh-shop 0.975 0.644 0.884
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vitrine.vectors import FloatArray

# Cormack, Clarke and Buettcher (2009): the constant of reciprocal rank fusion.
RRF_K = 60


def convex_scores(cosines: FloatArray, bm25: FloatArray, *, dense_weight: float) -> FloatArray:
    """Weighted mean of both sources' scores; (n,) float32 over the union of both lists.

    Bruch, Gai and Ingber (2023), "An analysis of fusion functions for hybrid retrieval". Cosines are known for every
    candidate and taken as they are: scaled to the candidates at hand, a query that nothing answers would look like one
    that is answered. BM25 has no upper end: it is divided by the query's best, and 0 where words did not find it.
    """
    best = float(bm25.max(initial=0.0))
    lexical = bm25 / best if best > 0 else np.zeros_like(bm25)
    scores: FloatArray = (dense_weight * cosines + (1.0 - dense_weight) * lexical).astype(np.float32)
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
