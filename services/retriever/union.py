"""What two sources found, side by side, and fused: arrays only, whatever the index that found them."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import Literal

import numpy as np

from services.retriever.columns import IntArray
from services.retriever.settings import RetrieverSettings
from vitrine.fusion import Ids, agreement, best_first, convex_scores, reciprocal_rank_scores
from vitrine.ports import Source, SourceScore
from vitrine.vectors import FloatArray

Found = tuple[IntArray, FloatArray]


@dataclass(frozen=True, slots=True)
class Union:
    """Candidates of both sources by ascending key: cosine, BM25, and the rank in each list, from 1, 0 where it is not
    there. `with_words`, `with_vector`: what was searched by."""

    keys: IntArray
    ids: Ids
    cosines: FloatArray
    bm25: FloatArray
    dense_ranks: IntArray
    lexical_ranks: IntArray
    with_words: bool
    with_vector: bool

    def sources(self, places: IntArray) -> list[tuple[SourceScore, ...]]:
        """How each source saw the candidates at these places; nothing where a place is -1."""
        if not len(self.keys):
            return [()] * len(places)
        seen: list[list[SourceScore]] = []
        if self.with_vector:
            seen.append(_scores("dense", self.dense_ranks[places], self.cosines[places]))
        if self.with_words:
            seen.append(_scores("lexical", self.lexical_ranks[places], self.bm25[places]))
        each = zip(*seen, strict=True)
        return [of_one if place >= 0 else () for place, of_one in zip(places.tolist(), each, strict=True)]

    def places(self, keys: IntArray) -> IntArray:
        """Where each of the keys stands among the candidates; -1 where it is none."""
        if not len(self.keys):
            return np.full(len(keys), -1, np.int64)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, -1)

    def dense_weight(self, named: bool, settings: RetrieverSettings) -> float:
        """The share of the vector's score: least for a query that names a thing; else the less, the more both agree."""
        if named:
            return settings.named_dense_weight
        apart = settings.dense_weight
        return apart + (settings.agreed_dense_weight - apart) * agreement(self.dense_ranks, self.lexical_ranks)

    def scores(self, fusion: Literal["convex", "rrf"], dense_weight: float) -> FloatArray:
        """The fused scores; those of one source where the other was not searched by or found nothing."""
        if not self.with_vector:
            return self.bm25
        if not self.lexical_ranks.any():
            return self.cosines
        if fusion == "rrf":
            return reciprocal_rank_scores(self.dense_ranks, self.lexical_ranks)
        return convex_scores(self.cosines, self.bm25, dense_weight=dense_weight)


def united(
    lexical: Found | None,
    dense: Found | None,
    *,
    cosines_of: Callable[[IntArray], FloatArray],
    ids_of: Callable[[IntArray], Ids],
) -> Union:
    """The union of both sources' finds: distinct keys, not negative, with BM25 and cosines, each best first.

    None: not searched by. `cosines_of` gives the cosines of keys that the dense search did not find.
    """
    nothing = (np.empty(0, np.int64), np.empty(0, np.float32))
    found, bm25 = lexical or nothing
    near, cosines = dense or nothing
    keys = np.sort(np.concatenate([found, near]))
    keys = keys[np.diff(keys, prepend=-1) != 0]
    at_found, at_near = np.searchsorted(keys, found), np.searchsorted(keys, near)
    dense_ranks, lexical_ranks = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int64)
    all_cosines, all_bm25 = np.zeros(len(keys), np.float32), np.zeros(len(keys), np.float32)
    dense_ranks[at_near] = np.arange(1, len(near) + 1)
    all_cosines[at_near] = cosines
    if dense is not None:
        unseen = dense_ranks == 0
        all_cosines[unseen] = cosines_of(keys[unseen])
    all_bm25[at_found] = bm25
    lexical_ranks[at_found[best_first(bm25, ids_of(found))]] = np.arange(1, len(found) + 1)
    ids, with_words, with_vector = ids_of(keys), lexical is not None, dense is not None
    return Union(keys, ids, all_cosines, all_bm25, dense_ranks, lexical_ranks, with_words, with_vector)


def _scores(source: Source, ranks: IntArray, scores: FloatArray) -> list[SourceScore]:
    each = zip(repeat(source), ranks.tolist(), scores.tolist())
    # What `SourceScore._make` does, in half its time.
    return list(map(tuple.__new__, repeat(SourceScore), each))
