"""One evaluation of relevance: the suite's orders on a data set, and baselines beside them where asked."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.bands import product_bands, query_bands
from evaluation.baselines import Encode, baseline_orders, dense_pair_scores
from evaluation.engines import TIMEOUT_S, Advance, Engines, open_engines
from evaluation.intervals import Interval, auc_interval
from evaluation.judged_data import JudgedShop, LabelledPair
from evaluation.pair_scores import pair_scores
from evaluation.published import PUBLISHED
from evaluation.relevance import QueryOrders, relevance
from evaluation.result import LISTED, JudgedQuery, Popularity, RelevanceResult, ScoredPair
from evaluation.search_orders import SearchOrders, search_orders
from vitrine.deadline import Deadline
from vitrine.text import detect_language

_RECALL_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What is evaluated: two bundles, how many candidates the ranker orders, and where product vectors are kept."""

    embedder: Path
    ranker: Path
    rank_depth: int
    keep_vectors: Path | None = None
    baselines: Mapping[str, Encode] = field(default_factory=dict)


async def evaluate_relevance(
    dataset: str, data: JudgedShop | list[LabelledPair], evaluated: Evaluated, advance: Advance
) -> RelevanceResult:
    """Evaluates the suite on a data set; with encoders as baselines, those and BM25 beside their published figures.

    Raises FailedPrecondition when a bundle cannot be served.
    """
    if isinstance(data, JudgedShop):
        return await _shop_result(dataset, data, evaluated, advance)
    return await _pairs_result(dataset, data, evaluated, advance)


async def _shop_result(dataset: str, shop: JudgedShop, evaluated: Evaluated, advance: Advance) -> RelevanceResult:
    async with open_engines(evaluated.embedder, evaluated.ranker) as engines:
        made_of = await _made_of(engines, evaluated.rank_depth)
        await engines.write(shop.products, advance, evaluated.keep_vectors)
        found = await search_orders(engines, shop, evaluated.rank_depth, advance)
    orders = dict(found.orders)
    if evaluated.baselines:
        orders |= baseline_orders(shop, evaluated.baselines)
    bands = query_bands(shop)
    result = RelevanceResult(
        dataset=shop.name,
        data_digest=_digest(_judgements(shop)),
        kind="shop",
        made_of=made_of,
        relevant_grade=shop.relevant_grade,
        pairs=_scored_pairs(shop, found),
        published=PUBLISHED.get(dataset, {}) if evaluated.baselines else {},
        band_rule=bands.rule,
        queries={query: _judged_query(query, bands.band_of[query], shop, found.orders) for query in shop.grades},
        popularity=_popularity(shop, orders),
    )
    for name, by_query in orders.items():
        measured = relevance(by_query, shop.grades, shop.relevant_grade)
        result.figures[name] = measured.means
        result.by_query[name] = measured.by_query
    titles = {product.id: product.title for product in shop.products}
    for query in result.queries.values():
        for listed in (*query.judged.values(), *query.full.values()):
            result.titles |= {product_id: titles[product_id] for product_id in listed}
    return result


async def _pairs_result(
    dataset: str, pairs: Sequence[LabelledPair], evaluated: Evaluated, advance: Advance
) -> RelevanceResult:
    async with open_engines(evaluated.embedder, evaluated.ranker) as engines:
        made_of = await _made_of(engines, evaluated.rank_depth)
        found = await pair_scores(engines, pairs, advance)
    scores = found.scores | {name: dense_pair_scores(pairs, encode) for name, encode in evaluated.baselines.items()}
    return RelevanceResult(
        dataset=dataset,
        data_digest=_digest([pair.query, pair.title, pair.relevant, pair.source] for pair in pairs),
        kind="pairs",
        made_of=made_of,
        relevant_grade=1,
        pairs=[
            ScoredPair(
                pair.query,
                pair.title,
                int(pair.relevant),
                pair.relevant,
                found.probabilities[row],
                pair.source,
                {name: values[row] for name, values in scores.items()},
            )
            for row, pair in enumerate(pairs)
        ],
        figures={name: _aucs(pairs, values) for name, values in scores.items()},
        published=PUBLISHED.get(dataset, {}) if evaluated.baselines else {},
    )


async def _made_of(engines: Engines, rank_depth: int) -> dict[str, str | int]:
    deadline = Deadline.after(TIMEOUT_S)
    embedder = await engines.embedder.get_model(deadline=deadline)
    ranker = await engines.ranker.get_model(deadline=deadline)
    return {"embedder": embedder.digest, "ranker": ranker.digest, "rank_depth": rank_depth}


def _judgements(shop: JudgedShop) -> Iterable[Sequence[object]]:
    yield from ([product.id, product.title] for product in sorted(shop.products, key=lambda product: product.id))
    for query, grades in sorted(shop.grades.items()):
        yield from ([query, product_id, grade] for product_id, grade in sorted(grades.items()))


def _digest(rows: Iterable[Sequence[object]]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row).encode() + b"\n")
    return f"sha256:{digest.hexdigest()}"


def _scored_pairs(shop: JudgedShop, found: SearchOrders) -> list[ScoredPair]:
    return [
        ScoredPair(query, product_id, grade, grade >= shop.relevant_grade, found.probabilities[query][product_id])
        for query, grades in shop.grades.items()
        for product_id, grade in grades.items()
    ]


def _judged_query(
    query: str, band: str, shop: JudgedShop, orders: Mapping[str, Mapping[str, QueryOrders]]
) -> JudgedQuery:
    return JudgedQuery(
        language=detect_language(query),
        band=band,
        grades=shop.grades[query],
        judged={name: list(by_query[query].judged[:LISTED]) for name, by_query in orders.items()},
        full={name: list(by_query[query].full[:LISTED]) for name, by_query in orders.items()},
    )


def _popularity(shop: JudgedShop, orders: Mapping[str, Mapping[str, QueryOrders]]) -> Popularity | None:
    """The share of a query's relevant products of a band that are among the first 50; None without events."""
    bands = product_bands(shop)
    if not bands.band_of:
        return None
    recall: dict[str, dict[str, dict[str, float]]] = {}
    for query, grades in shop.grades.items():
        relevant: dict[str, set[str]] = {}
        for product_id, grade in grades.items():
            if grade >= shop.relevant_grade:
                relevant.setdefault(bands.band_of[product_id], set()).add(product_id)
        for band, ids in relevant.items():
            for name, by_query in orders.items():
                share = len(ids & set(by_query[query].full[:_RECALL_DEPTH])) / len(ids)
                recall.setdefault(band, {}).setdefault(name, {})[query] = share
    return Popularity(bands.rule, recall)


def _aucs(pairs: Sequence[LabelledPair], scores: Sequence[float]) -> dict[str, Interval]:
    figures = {}
    for source in sorted({pair.source for pair in pairs}):
        rows = [row for row, pair in enumerate(pairs) if pair.source == source]
        figures[f"auc {source}"] = auc_interval(
            [scores[row] for row in rows], [pairs[row].relevant for row in rows], [pairs[row].query for row in rows]
        )
    return figures
