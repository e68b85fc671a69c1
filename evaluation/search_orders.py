"""The orders that the suite gives a judged shop's products: by words, by vector, fused, and ranked."""

from collections.abc import Sequence
from dataclasses import replace

from evaluation.engines import TIMEOUT_S, Advance, Engines
from evaluation.judged_data import Grades, JudgedShop
from evaluation.relevance import CONDENSED_DEPTH, QueryOrders
from vitrine.deadline import Deadline
from vitrine.errors import Internal
from vitrine.ports import Candidate, InputType, RetrievalQuery
from vitrine.product import Product

ORDERS = ("lexical", "dense", "fused", "ranked")


async def search_orders(
    engines: Engines, shop: JudgedShop, rank_depth: int, advance: Advance
) -> dict[str, dict[str, QueryOrders]]:
    """Orders by name and query, of a shop that the engines hold.

    The full order is what a search finds, 1,000 deep, its first `rank_depth` ranked. The judged order takes each
    judged product's scores from one search as deep as the catalogue, where a product without a common word has BM25 0.
    """
    products = {product.id: product for product in shop.products}
    orders: dict[str, dict[str, QueryOrders]] = {name: {} for name in ORDERS}
    for done, (query, grades) in enumerate(shop.grades.items(), 1):
        embeddings = await engines.embedder.embed([query], input_type=InputType.QUERY, deadline=_later())
        whole = RetrievalQuery(
            text=query,
            vector=embeddings.vectors[0],
            model_digest=embeddings.model_digest,
            depth=CONDENSED_DEPTH,
            product_limit=rank_depth,
        )
        judged = await _judged_orders(engines, replace(whole, depth=len(products), product_limit=0), products, grades)
        full = await _full_orders(engines, whole, rank_depth)
        for name in ORDERS:
            orders[name][query] = QueryOrders(judged[name], full[name])
        advance("search", done, len(shop.grades))
    return orders


async def _full_orders(engines: Engines, whole: RetrievalQuery, rank_depth: int) -> dict[str, list[str]]:
    words = replace(whole, vector=None, model_digest="", product_limit=0)
    fused = await _retrieved(engines, whole)
    return {
        "lexical": _ids(await _retrieved(engines, words)),
        "dense": _ids(await _retrieved(engines, replace(whole, text="", product_limit=0))),
        "fused": _ids(fused),
        "ranked": _ids(await _ranked(engines, whole.text, fused, rank_depth)),
    }


async def _judged_orders(
    engines: Engines, whole: RetrievalQuery, products: dict[str, Product], grades: Grades
) -> dict[str, list[str]]:
    found = await _retrieved(engines, whole)
    judged = [replace(one, product=products[one.product_id]) for one in found if one.product_id in grades]
    # All others follow, because evidence is relative to the query's best BM25, whoever has it.
    others = [one for one in found if one.product_id not in grades]
    return {
        "lexical": _ids(_by_source(judged, "lexical")),
        "dense": _ids(_by_source(judged, "dense")),
        "fused": _ids(judged),
        "ranked": _ids((await _ranked(engines, whole.text, [*judged, *others], len(judged)))[: len(judged)]),
    }


async def _retrieved(engines: Engines, query: RetrievalQuery) -> Sequence[Candidate]:
    return (await engines.retriever.retrieve(query, deadline=_later())).candidates


async def _ranked(engines: Engines, query: str, candidates: Sequence[Candidate], depth: int) -> list[Candidate]:
    ordered = await engines.rank_stage.order(query, candidates, asked=depth, deadline=_later())
    if len(ordered.ranks) < min(depth, len(candidates)):
        raise Internal(f"only {len(ordered.ranks)} of {depth} candidates of {query!r} were ranked; see the log")
    return list(ordered.candidates)


def _by_source(candidates: Sequence[Candidate], source: str) -> list[Candidate]:
    def score(candidate: Candidate) -> float:
        return max((one.score for one in candidate.sources if one.source == source), default=float("-inf"))

    return sorted(candidates, key=lambda one: (-score(one), one.product_id))


def _ids(candidates: Sequence[Candidate]) -> list[str]:
    return [candidate.product_id for candidate in candidates]


def _later() -> Deadline:
    return Deadline.after(TIMEOUT_S)
