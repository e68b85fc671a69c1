"""Relevance of an order of products, measured as trec_eval does it (through ir-measures): linear gains, log2 discount.

judged: the judged products of a query alone, ordered. full: what was found in the whole catalogue, an unjudged product
counting as grade 0. condensed: the same with unjudged products taken out of the first 1,000 (Sakai 2007), because the
judged pool came from one kind of search and punishes whatever finds others. Recall counts what is relevant: grade >= 2,
or >= 1 where grades are yes or no.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import ir_measures
from ir_measures import R, nDCG

from evaluation.intervals import Interval, mean_interval
from evaluation.judged_data import Grades

CONDENSED_DEPTH = 1_000
METRICS = ("judged", "condensed", "full", "recall_50", "recall_200")

_NDCG = nDCG @ 10


@dataclass(frozen=True, slots=True)
class QueryOrders:
    """Product ids, best first: `judged` holds the judged products only, `full` what was found in the catalogue."""

    judged: Sequence[str]
    full: Sequence[str]


@dataclass(frozen=True, slots=True)
class Relevance:
    """Each metric's values by query, and its mean with a 95 % interval."""

    by_query: dict[str, dict[str, float]]
    means: dict[str, Interval]


def relevance(orders: Mapping[str, QueryOrders], grades: Mapping[str, Grades], relevant_grade: int = 2) -> Relevance:
    """Measures the orders of all queries. Recall is over the queries that have a relevant product."""
    full = {query: order.full for query, order in orders.items()}
    condensed = {
        query: [product_id for product_id in order.full[:CONDENSED_DEPTH] if product_id in grades[query]]
        for query, order in orders.items()
    }
    recallable = {query: judged for query, judged in grades.items() if max(judged.values()) >= relevant_grade}
    by_query = {
        "judged": values_by_query(_NDCG, {query: order.judged for query, order in orders.items()}, grades),
        "condensed": values_by_query(_NDCG, condensed, grades),
        "full": values_by_query(_NDCG, full, grades),
        "recall_50": values_by_query(R(rel=relevant_grade) @ 50, full, recallable),
        "recall_200": values_by_query(R(rel=relevant_grade) @ 200, full, recallable),
    }
    return Relevance(by_query, {name: mean_interval(list(values.values())) for name, values in by_query.items()})


def values_by_query(
    measure: ir_measures.Measure, orders: Mapping[str, Sequence[str]], grades: Mapping[str, Grades]
) -> dict[str, float]:
    # Positions serve as scores: an order has no ties, and trec_eval would break them its own way.
    run = {
        query: {product_id: -float(place) for place, product_id in enumerate(order)} for query, order in orders.items()
    }
    found: Iterable[ir_measures.Metric] = ir_measures.iter_calc([measure], dict(grades), run)
    values = {metric.query_id: float(metric.value) for metric in found}
    return {query: values.get(query, 0.0) for query in grades}
