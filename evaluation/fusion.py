"""Fusions of words and vector side by side: the same finds of both sources, put in order by each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation.engines import TIMEOUT_S, Advance, Engines
from evaluation.intervals import Interval, mean_interval
from evaluation.judged_data import Grades, JudgedShop
from evaluation.relevance import QueryOrders, Relevance, relevance
from services.retriever.retrieval import POOL, WORDS_POOL
from services.retriever.settings import RetrieverSettings
from vitrine.deadline import Deadline
from vitrine.errors import Internal
from vitrine.fusion import best_first, convex_scores, reciprocal_rank_scores
from vitrine.paired_test import sign_flip_p_value
from vitrine.ports import Candidate, InputType, ProductFilter, Retrieval, RetrievalQuery, SourceScore
from vitrine.vectors import FloatArray

# Of each source: so deep that nothing of the retriever's own pool is cut.
_DEPTH = 4 * POOL
# The best share of the vector's score that is the same for all queries, measured on both sets.
_ONE_WEIGHT = 0.75
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
    """Searches the shop, which the engines hold, once for each query, and fuses what it finds in each way."""
    settings = RetrieverSettings()
    orders: dict[str, dict[str, QueryOrders]] = {}
    named = 0
    for done, (query, grades) in enumerate(shop.grades.items(), 1):
        found = await _found(engines, query, grades)
        weight = found.reading.dense_weight
        assert weight is not None, "it was searched by words and vector, and fused by scores"
        named += weight == settings.named_dense_weight
        for name, order in _orders(found.candidates, weight).items():
            judged = [one.product_id for one in order if one.product_id in grades]
            pooled = [one.product_id for one in order if _in_pool(one, name)]
            orders.setdefault(name, {})[query] = QueryOrders(judged, pooled)
        advance("search", done, len(shop.grades))
    figures = {name: relevance(by_query, shop.grades, shop.relevant_grade) for name, by_query in orders.items()}
    gains = {name: gains_over(figures[RRF], figures[name]) for name in (ONE_WEIGHT, ADAPTIVE)}
    return FusionResult(shop.name, len(shop.grades), named, figures, gains)


async def _found(engines: Engines, query: str, grades: Grades) -> Retrieval:
    """What words and vector find, deeper than a search goes, and the scores of judged products beyond that."""
    whole = await _by_words_and_vector(engines, query, RetrievalQuery(query, depth=_DEPTH, product_limit=0))
    seen = {one.product_id for one in whole.candidates}
    rest = ProductFilter(product_ids=tuple(product_id for product_id in grades if product_id not in seen))
    if not rest.product_ids:
        return whole
    alone = RetrievalQuery(query, depth=len(rest.product_ids), product_limit=0, filter=rest)
    others = (await _by_words_and_vector(engines, query, alone)).candidates
    unranked = (replace(one, sources=tuple(source._replace(rank=0) for source in one.sources)) for one in others)
    return replace(whole, candidates=(*whole.candidates, *unranked))


async def _by_words_and_vector(engines: Engines, query: str, asked: RetrievalQuery) -> Retrieval:
    found = await _with_vector(engines, query, asked)
    # As the gateway does: what a query was read as is what is embedded.
    model_text = found.reading.model_text
    return await _with_vector(engines, model_text, asked) if model_text else found


async def _with_vector(engines: Engines, text: str, asked: RetrievalQuery) -> Retrieval:
    embeddings = await engines.embedder.embed([text], input_type=InputType.QUERY, deadline=Deadline.after(TIMEOUT_S))
    if (error := embeddings.items[0].error) is not None:
        raise Internal(f"query {text!r} cannot be embedded: {error}")
    query = replace(asked, vector=embeddings.vectors[0], model_digest=embeddings.model_digest)
    return await engines.retriever.retrieve(query, deadline=Deadline.after(TIMEOUT_S))


def _orders(candidates: Sequence[Candidate], weight: float) -> dict[str, list[Candidate]]:
    lexical = [_source(one, "lexical") for one in candidates]
    dense = [_source(one, "dense") for one in candidates]
    bm25, cosines = (np.array([one.score for one in source], np.float32) for source in (lexical, dense))
    # Without a word found the vector alone decides, as in the retriever.
    one_weight, weight = (_ONE_WEIGHT, weight) if bm25.any() else (1.0, 1.0)
    scores: dict[str, FloatArray] = {
        LEXICAL: bm25,
        DENSE: cosines,
        RRF: reciprocal_rank_scores(_pool_ranks(lexical, WORDS_POOL), _pool_ranks(dense, POOL)),
        ONE_WEIGHT: convex_scores(cosines, bm25, dense_weight=one_weight),
        ADAPTIVE: convex_scores(cosines, bm25, dense_weight=weight),
    }
    ids = [one.product_id for one in candidates]
    return {name: [candidates[index] for index in best_first(values, ids)] for name, values in scores.items()}


def _pool_ranks(source: Sequence[SourceScore], pool: int) -> NDArray[np.int64]:
    return np.array([one.rank if one.rank <= pool else 0 for one in source], np.int64)


def _in_pool(candidate: Candidate, order: str) -> bool:
    """Whether a search finds it that is as deep as the retriever's own."""
    pools = {LEXICAL: WORDS_POOL, DENSE: POOL}
    sources = (order,) if order in pools else pools
    return any(0 < _source(candidate, source).rank <= pools[source] for source in sources)


def _source(candidate: Candidate, name: str) -> SourceScore:
    return next(one for one in candidate.sources if one.source == name)


def gains_over(before: Relevance, after: Relevance) -> dict[str, Gain]:
    """The gains by metric of one order over another of the same queries."""
    gains = {}
    for metric, values in after.by_query.items():
        differences = [values[query] - before.by_query[metric][query] for query in values]
        gains[metric] = Gain(mean_interval(differences), sign_flip_p_value(differences))
    return gains
