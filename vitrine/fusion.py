"""Fusion of what two sources found: a convex combination of scores, or reciprocal ranks.

`docs/search.md` has the figures of each, and the command that measures them.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vitrine.vectors import FloatArray

# Cormack, Clarke and Buettcher (2009): the constant of reciprocal rank fusion.
RRF_K = 60
# Results that an agreement is told by.
_FIRST = 50
# Where one in so many ties, all ids are looked up at once.
_MANY = 8


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


def agreement(dense_ranks: NDArray[np.int64], lexical_ranks: NDArray[np.int64]) -> float:
    """How far two sources find the same first: share of words' first 50 that are the vector's, too, in [0, 1].

    Ranks from 1, 0 where a source did not find it. Where the sources agree, products are called what the query calls
    them, and the finer order by words can be trusted; where they do not, the words are the shopper's alone. Of fewer
    than 200 products the first quarter is looked at, for the vector finds all there are.
    """
    first = min(_FIRST, max(1, int((dense_ranks > 0).sum()) // 4))
    lexical = (lexical_ranks > 0) & (lexical_ranks <= first)
    both = lexical & (dense_ranks > 0) & (dense_ranks <= first)
    return float(both.sum() / max(1, lexical.sum()))


def reciprocal_rank_scores(*ranks: NDArray[np.int64]) -> FloatArray:
    """Sum over the sources of 1 / (60 + rank); ranks from 1, 0 where a source did not find it.

    Monotone: a better rank in one source, all else equal, never lowers the score.
    """
    scores = sum(np.where(rank > 0, 1.0 / (RRF_K + rank), 0.0) for rank in ranks)
    return np.asarray(scores, np.float32)


class Ids(Protocol):
    """Ids by index; one that is not asked for need not be there yet."""

    def __getitem__(self, index: int, /) -> str:
        """The id at an index."""
        ...

    def __iter__(self) -> Iterator[str]:
        """All of them."""
        ...


@runtime_checkable
class BegunIds(Ids, Protocol):
    """Ids of which it is known how they begin."""

    def beginnings(self) -> NDArray[np.uint64]:
        """What `beginnings_of` makes of them."""
        ...


def beginnings_of(ids: Iterable[str]) -> NDArray[np.uint64]:
    """(n,) the first eight bytes of each id as a number, which orders those that differ in them as the ids do."""
    # By code point and by the bytes of UTF-8 the order is the same.
    begun = np.array([product_id[:8].encode("utf-8", "surrogatepass") for product_id in ids], "S8")
    return begun.view(">u8").astype(np.uint64)


def best_first(scores: FloatArray, ids: Ids) -> NDArray[np.int64]:
    """Positions by score, largest first, ties by id; asks for the ids of those that tie alone.

    Of `BegunIds` those alone that begin alike: ids lie anywhere in memory, and a thousand take most of a millisecond.
    """
    order = np.argsort(-scores, kind="stable")
    tied = _alike(scores[order])
    if tied.any() and isinstance(ids, BegunIds):
        beginnings = ids.beginnings()
        order = np.lexsort((beginnings, -scores))
        tied &= _alike(beginnings[order])
    if not tied.any():
        return order
    if _MANY * np.count_nonzero(tied) > len(tied):
        ids = list(ids)
    # A run of ties begins before the first that equals the one before it, and ends behind the last.
    edges = np.diff(np.concatenate(([False], tied, [False])).view(np.int8))
    for start, end in zip(np.flatnonzero(edges > 0).tolist(), np.flatnonzero(edges < 0).tolist(), strict=True):
        order[start : end + 1] = sorted(order[start : end + 1].tolist(), key=ids.__getitem__)
    return order


def _alike(ordered: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each but the first is what the one before it is."""
    alike: NDArray[np.bool_] = ordered[1:] == ordered[:-1]
    return alike
