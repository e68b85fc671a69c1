"""Fusions of words and vector side by side: the same finds of both sources, put in order by each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation.engines import TIMEOUT_S, Advance, Engines
from evaluation.intervals import Interval, mean_interval
from evaluation.judged_data import JudgedShop
from evaluation.relevance import QueryOrders, Relevance, relevance
from services.retriever.retrieval import POOL
from services.retriever.settings import RetrieverSettings
from vitrine.deadline import Deadline
from vitrine.errors import Internal
from vitrine.fusion import best_first, convex_scores, reciprocal_rank_scores
from vitrine.paired_test import sign_flip_p_value
from vitrine.ports import Candidate, InputType, Retrieval, RetrievalQuery, SourceScore
from vitrine.vectors import FloatArray

LEXICAL, DENSE, RRF, ONE_WEIGHT, ADAPTIVE = "lexical", "dense", "rrf", "one weight", "adaptive"


@dataclass(frozen=True, slots=True)
class Gain:
    """How much more one fusion has than reciprocal ranks, query by query, and the p that it has no more."""

    gain: Interval
    p_value: float


@dataclass(frozen=True, slots=True)
class FusionResult:
    """Figures of each order, and gains over reciprocal ranks by order and metric; how many queries name a thing."""

    dataset: str
    queries: int
    named: int
    figures: Mapping[str, Relevance]
    gains: Mapping[str, Mapping[str, Gain]]


async def compare_fusions(engines: Engines, shop: JudgedShop, advance: Advance) -> FusionResult:
    """Searches the shop, which the engines hold, once for each query; the adaptive order is the retriever's own."""
    settings = RetrieverSettings()
    orders: dict[str, dict[str, QueryOrders]] = {}
    named = 0
    for done, (query, grades) in enumerate(shop.grades.items(), 1):
        found = await _found(engines, query, len(shop.products))
        named += found.reading.dense_weight == settings.named_dense_weight
        for name, order in _orders(found.candidates, settings.dense_weight).items():
            judged = [one.product_id for one in order if one.product_id in grades]
            pooled = [one.product_id for one in order if _in_pool(one, name)]
            orders.setdefault(name, {})[query] = QueryOrders(judged, pooled)
        advance("search", done, len(shop.grades))
    figures = {name: relevance(by_query, shop.grades, shop.relevant_grade) for name, by_query in orders.items()}
    gains = {name: _gains(figures[name], figures[RRF]) for name in (ONE_WEIGHT, ADAPTIVE)}
    return FusionResult(shop.name, len(shop.grades), named, figures, gains)


async def _found(engines: Engines, query: str, depth: int) -> Retrieval:
    """Every product with both scores: from one search as deep as the catalogue."""
    embeddings = await engines.embedder.embed([query], input_type=InputType.QUERY, deadline=Deadline.after(TIMEOUT_S))
    if (error := embeddings.items[0].error) is not None:
        raise Internal(f"query {query!r} cannot be embedded: {error}")
    whole = RetrievalQuery(query, embeddings.vectors[0], embeddings.model_digest, depth=depth, product_limit=0)
    found = await engines.retriever.retrieve(whole, deadline=Deadline.after(TIMEOUT_S))
    mended = found.reading.corrected_query
    if not mended:
        return found
    # As the gateway does: what was mended is embedded anew.
    again = await engines.embedder.embed([mended], input_type=InputType.QUERY, deadline=Deadline.after(TIMEOUT_S))
    return await engines.retriever.retrieve(replace(whole, vector=again.vectors[0]), deadline=Deadline.after(TIMEOUT_S))


def _orders(candidates: Sequence[Candidate], dense_weight: float) -> dict[str, list[Candidate]]:
    lexical = [_source(one, "lexical") for one in candidates]
    dense = [_source(one, "dense") for one in candidates]
    bm25, cosines = (np.array([one.score for one in source], np.float32) for source in (lexical, dense))
    scores: dict[str, FloatArray] = {
        LEXICAL: bm25,
        DENSE: cosines,
        RRF: reciprocal_rank_scores(_pool_ranks(lexical), _pool_ranks(dense)),
        ONE_WEIGHT: convex_scores(cosines, bm25, dense_weight=dense_weight) if bm25.any() else cosines,
    }
    ids = [one.product_id for one in candidates]
    orders = {name: [candidates[index] for index in best_first(values, ids)] for name, values in scores.items()}
    return orders | {ADAPTIVE: list(candidates)}


def _pool_ranks(source: Sequence[SourceScore]) -> NDArray[np.int64]:
    return np.array([one.rank if one.rank <= POOL else 0 for one in source], np.int64)


def _in_pool(candidate: Candidate, order: str) -> bool:
    """Whether a search finds it that is as deep as the retriever's own."""
    sources = (order,) if order in (LEXICAL, DENSE) else (LEXICAL, DENSE)
    return any(0 < _source(candidate, source).rank <= POOL for source in sources)


def _source(candidate: Candidate, name: str) -> SourceScore:
    return next(one for one in candidate.sources if one.source == name)


def _gains(after: Relevance, before: Relevance) -> dict[str, Gain]:
    gains = {}
    for metric, values in after.by_query.items():
        differences = [values[query] - before.by_query[metric][query] for query in values]
        gains[metric] = Gain(mean_interval(differences), sign_flip_p_value(differences))
    return gains
