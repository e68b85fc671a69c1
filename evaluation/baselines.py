"""The baselines: BM25 and base models searched exactly, and their reciprocal ranks fused. Nothing here is tuned.

They are the check that the harness is right: their figures were published before.
"""

from collections.abc import Callable, Mapping, Sequence

import bm25s
import numpy as np

from evaluation.judged_data import JudgedShop, LabelledPair, baseline_text
from evaluation.relevance import CONDENSED_DEPTH, QueryOrders
from vitrine.fusion import reciprocal_rank_scores
from vitrine.ports import InputType
from vitrine.vectors import FloatArray

# Texts of one kind -> (n, dim) float32, L2-normalised, prompts included.
Encode = Callable[[Sequence[str], InputType], FloatArray]
# (products,) by query.
Scores = dict[str, FloatArray]

BM25 = "bm25"
_STOP_WORDS = "en"


def baseline_orders(shop: JudgedShop, encoders: Mapping[str, Encode]) -> dict[str, dict[str, QueryOrders]]:
    """Orders by name and query: BM25, each encoder, BM25 fused with each, and, of several, all fused."""
    scores = {BM25: bm25_scores(shop)} | {name: dense_scores(shop, encode) for name, encode in encoders.items()}
    fusions: list[tuple[str, ...]] = [(BM25, name) for name in encoders]
    if len(encoders) > 1:
        fusions.append((BM25, *encoders))
    fused = {f"rrf {' '.join(names)}": _fused([scores[name] for name in names]) for names in fusions}
    return {name: _orders(shop, by_query) for name, by_query in (scores | fused).items()}


def bm25_scores(shop: JudgedShop) -> Scores:
    """BM25 (Lucene's variant, k1 1.5, b 0.75) of title and brand, English stop words left out."""
    texts = [baseline_text(product) for product in shop.products]
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index(bm25s.tokenize(texts, stopwords=_STOP_WORDS, show_progress=False), show_progress=False)
    scores = {}
    for query in shop.grades:
        words = bm25s.tokenize(query, stopwords=_STOP_WORDS, return_ids=False, show_progress=False)[0]
        scores[query] = index.get_scores(words) if words else np.zeros(len(texts), dtype=np.float32)
    return scores


def dense_scores(shop: JudgedShop, encode: Encode) -> Scores:
    """Cosine of the query and the product's title and brand."""
    titles = encode([baseline_text(product) for product in shop.products], InputType.DOCUMENT)
    queries = encode(list(shop.grades), InputType.QUERY)
    return {query: titles @ vector for query, vector in zip(shop.grades, queries, strict=True)}


def dense_pair_scores(pairs: Sequence[LabelledPair], encode: Encode) -> list[float]:
    """Cosine of query and title of each pair."""
    queries = encode([pair.query for pair in pairs], InputType.QUERY)
    titles = encode([pair.title for pair in pairs], InputType.DOCUMENT)
    scores: list[float] = np.einsum("nd,nd->n", queries, titles).tolist()
    return scores


def _fused(scores: Sequence[Scores]) -> Scores:
    """Reciprocal ranks over the whole catalogue."""
    return {query: reciprocal_rank_scores(*(_ranks(one[query]) for one in scores)) for query in scores[0]}


def _ranks(scores: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[_best_first(scores)] = np.arange(1, len(scores) + 1)
    return ranks


def _best_first(scores: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.argsort(-scores, kind="stable")


def _orders(shop: JudgedShop, scores: Scores) -> dict[str, QueryOrders]:
    """Equal scores stay in the catalogue's order, so what shares no word with the query comes last, in that order.

    The published BM25 row counts it so (without it condensed nDCG@10 on Icecat is 0.720 instead of 0.728).
    """
    ids = [product.id for product in shop.products]
    row_of = {product_id: row for row, product_id in enumerate(ids)}
    return {
        query: QueryOrders(
            judged=sorted(grades, key=lambda product_id: -scores[query][row_of[product_id]]),
            full=[ids[row] for row in _best_first(scores[query])[:CONDENSED_DEPTH]],
        )
        for query, grades in shop.grades.items()
    }
