"""Weights of the fields that words are found in, chosen on some queries and measured on others.

Each pair of weights is tried on all queries, fused with the vector as the retriever does. Of five parts of the queries
each is then measured with the weights that are best for the other four, beside reciprocal ranks of the same finds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.engines import TIMEOUT_S, Advance, Engines
from evaluation.fusion import Gain, gains_over
from evaluation.intervals import mean_interval
from evaluation.judged_data import JudgedShop
from evaluation.relevance import METRICS, QueryOrders, Relevance, relevance
from services.retriever.columns import IntArray
from services.retriever.filters import FilterPlan
from services.retriever.lexical_index import LexicalIndex, WordSheet, entry_of
from services.retriever.lexical_view import FieldWeights, LexicalView
from services.retriever.query_reader import read_query
from services.retriever.reading import Reading
from services.retriever.retrieval import POOL, WORDS_POOL
from services.retriever.settings import RetrieverSettings
from services.retriever.union import united
from vitrine.deadline import Deadline
from vitrine.errors import Internal
from vitrine.fusion import best_first, convex_scores
from vitrine.ports import InputType
from vitrine.vectors import FloatArray

TRIED = tuple(
    FieldWeights(other, beside) for other in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0) for beside in (0.0, 0.1, 0.2, 0.3)
)
_PARTS, _SEED = 5, 0


@dataclass(frozen=True, slots=True)
class FieldWeightsResult:
    """Figures of all weights on all queries; those chosen for each part; its figures, and those of reciprocal ranks."""

    dataset: str
    queries: int
    tried: Mapping[FieldWeights, Relevance]
    chosen: Sequence[FieldWeights]
    held_out: Relevance
    rrf: Relevance
    gains: Mapping[str, Gain]


@dataclass(frozen=True, slots=True)
class _Query:
    """A query as it was read, its cosine to each product, and those that are nearest and are judged, none excluded."""

    text: str
    reading: Reading
    cosines: FloatArray
    nearest: IntArray
    judged: IntArray


async def compare_field_weights(
    engines: Engines, shop: JudgedShop, advance: Advance, keep_vectors: Path | None = None
) -> FieldWeightsResult:
    """Searches the shop by words with each pair of weights. The engines' own catalogue is not touched."""
    vectors = await engines.vectors(shop.products, advance, keep_vectors)
    ids = [product.id for product in shop.products]
    index = LexicalIndex()
    index.extend(range(len(ids)), WordSheet.of((product.id, entry_of(product)) for product in shop.products))
    queries = await _read(engines, shop, index.view(), vectors, ids)
    settings = RetrieverSettings()
    tried: dict[FieldWeights, Relevance] = {}
    rrf: dict[FieldWeights, Relevance] = {}
    for done, weights in enumerate(TRIED, 1):
        view = index.view(weights)
        orders = {query.text: _orders(view, query, ids, settings) for query in queries}
        for figures, place in ((tried, 0), (rrf, 1)):
            of_one = {text: both[place] for text, both in orders.items()}
            figures[weights] = relevance(of_one, shop.grades, shop.relevant_grade)
        advance("try weights", done, len(TRIED))
    index.close()
    part_of = dict(zip(shop.grades, _parts(len(queries)), strict=True))
    chosen = chosen_weights(tried, part_of)
    held_out, rrf_held_out = (_of_parts(figures, part_of, chosen) for figures in (tried, rrf))
    gains = gains_over(rrf_held_out, held_out)
    return FieldWeightsResult(shop.name, len(queries), tried, chosen, held_out, rrf_held_out, gains)


async def _read(
    engines: Engines, shop: JudgedShop, view: LexicalView, vectors: FloatArray, ids: Sequence[str]
) -> list[_Query]:
    place_of = {product_id: place for place, product_id in enumerate(ids)}
    readings = {text: read_query(text, view) for text in shop.grades}
    texts = [reading.told(None).model_text or text for text, reading in readings.items()]
    embeddings = await engines.embedder.embed(texts, input_type=InputType.QUERY, deadline=Deadline.after(TIMEOUT_S))
    queries = []
    for (text, reading), item, vector in zip(readings.items(), embeddings.items, embeddings.vectors, strict=True):
        if item.error is not None:
            raise Internal(f"query {text!r} cannot be embedded: {item.error}")
        cosines: FloatArray = vectors @ vector
        judged = np.array([place_of[product_id] for product_id in shop.grades[text]], np.int64)
        nearest, excluded = best_first(cosines, ids), view.holding_any(reading.excluded)
        nearest, judged = (places[~np.isin(places, excluded)] for places in (nearest, judged))
        queries.append(_Query(text, reading, cosines, nearest[:POOL], judged))
    return queries


def _orders(
    view: LexicalView, query: _Query, ids: Sequence[str], settings: RetrieverSettings
) -> tuple[QueryOrders, QueryOrders]:
    """What is found, as the retriever fuses it and by reciprocal ranks; of judged products also what lies deeper."""
    places, bm25 = view.search(query.reading, FilterPlan(), len(ids))
    union = united(
        (places[:WORDS_POOL], bm25[:WORDS_POOL]),
        (query.nearest, query.cosines[query.nearest]),
        cosines_of=lambda keys: query.cosines[keys],
        ids_of=lambda keys: [ids[key] for key in keys.tolist()],
    )
    weight = union.dense_weight(query.reading.named, settings)
    convex, ranks = union.scores("convex", weight), union.scores("rrf", weight)
    whole_bm25, by_ranks = np.zeros(len(ids), np.float32), np.zeros(len(ids), np.float32)
    whole_bm25[places], by_ranks[union.keys] = bm25, ranks
    # Without a word found the vector alone decides, as in the retriever.
    by_score = convex_scores(query.cosines, whole_bm25, dense_weight=weight if len(places) else 1.0)

    def in_order(keys: IntArray, scores: FloatArray) -> list[str]:
        named = [ids[key] for key in keys.tolist()]
        return [named[place] for place in best_first(scores, named).tolist()]

    return (
        QueryOrders(in_order(query.judged, by_score[query.judged]), in_order(union.keys, convex)),
        QueryOrders(in_order(query.judged, by_ranks[query.judged]), in_order(union.keys, ranks)),
    )


def _parts(queries: int) -> list[int]:
    """The part that each query is of."""
    return [int(place) % _PARTS for place in np.random.default_rng(_SEED).permutation(queries)]


def chosen_weights(tried: Mapping[FieldWeights, Relevance], part_of: Mapping[str, int]) -> list[FieldWeights]:
    """For each part of the queries the weights that are best for the others."""
    chosen = []
    for part in range(max(part_of.values()) + 1):
        others = {query for query, its in part_of.items() if its != part}
        goodness = {weights: _goodness(figures, others) for weights, figures in tried.items()}
        chosen.append(max(goodness, key=goodness.__getitem__))
    return chosen


def _goodness(figures: Relevance, queries: set[str]) -> float:
    """The mean of all metrics over some queries."""
    means = [
        np.mean([value for query, value in figures.by_query[metric].items() if query in queries]) for metric in METRICS
    ]
    return float(np.mean(means))


def _of_parts(
    figures: Mapping[FieldWeights, Relevance], part_of: Mapping[str, int], chosen: Sequence[FieldWeights]
) -> Relevance:
    """Each query's figures with the weights that were chosen for its part."""
    by_query = {
        metric: {query: figures[chosen[part_of[query]]].by_query[metric][query] for query in some}
        for metric, some in figures[chosen[0]].by_query.items()
    }
    return Relevance(by_query, {metric: mean_interval(list(values.values())) for metric, values in by_query.items()})
