"""The orders that the suite gives a judged shop's products: by words, by vector, fused, and ranked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from evaluation.engines import TIMEOUT_S, Advance, Engines
from evaluation.judged_data import Grades, JudgedShop
from evaluation.relevance import CONDENSED_DEPTH, QueryOrders
from gateway.search import RankScores
from services.ranker.engine import MAX_CANDIDATES
from vitrine.deadline import Deadline
from vitrine.errors import Internal
from vitrine.ports import Candidate, InputType, RetrievalQuery, best_bm25_of
from vitrine.product import Product

ORDERS = ("lexical", "dense", "fused", "ranked")


@dataclass(frozen=True, slots=True)
class SearchOrders:
    """Orders by name and query, and the ranker's probability of each judged product by query and id."""

    orders: dict[str, dict[str, QueryOrders]]
    probabilities: dict[str, dict[str, float]]


async def search_orders(engines: Engines, shop: JudgedShop, rank_depth: int, advance: Advance) -> SearchOrders:
    """Orders by name and query, of a shop that the engines hold.

    The full order is what a search finds, 1,000 deep, its first `rank_depth` ranked. The judged order takes each
    judged product's scores from one search as deep as the catalogue, where a product without a common word has BM25 0.
    """
    products = {product.id: product for product in shop.products}
    orders: dict[str, dict[str, QueryOrders]] = {name: {} for name in ORDERS}
    probabilities: dict[str, dict[str, float]] = {}
    for done, (query, grades) in enumerate(shop.grades.items(), 1):
        embeddings = await engines.embedder.embed([query], input_type=InputType.QUERY, deadline=_later())
        if (error := embeddings.items[0].error) is not None:
            raise Internal(f"query {query!r} cannot be embedded: {error}")
        whole = RetrievalQuery(
            text=query,
            vector=embeddings.vectors[0],
            model_digest=embeddings.model_digest,
            depth=CONDENSED_DEPTH,
            product_limit=rank_depth,
        )
        deep = replace(whole, depth=len(products), product_limit=0)
        judged, probabilities[query] = await _judged_orders(engines, deep, products, grades)
        full = await _full_orders(engines, whole, rank_depth)
        for name in ORDERS:
            orders[name][query] = QueryOrders(judged[name], full[name])
        advance("search", done, len(shop.grades))
    return SearchOrders(orders, probabilities)


async def _full_orders(engines: Engines, whole: RetrievalQuery, rank_depth: int) -> dict[str, list[str]]:
    words = replace(whole, vector=None, model_digest="", product_limit=0)
    fused = await _retrieved(engines, whole)
    ordered = await engines.rank_stage.order(
        whole.text, fused, best_bm25=best_bm25_of(fused), asked=rank_depth, deadline=_later()
    )
    _check_ranked(whole.text, len(ordered.ranks), min(rank_depth, len(fused)))
    return {
        "lexical": _ids(await _retrieved(engines, words)),
        "dense": _ids(await _retrieved(engines, replace(whole, text="", product_limit=0))),
        "fused": _ids(fused),
        "ranked": _ids(ordered.candidates),
    }


async def _judged_orders(
    engines: Engines, whole: RetrievalQuery, products: Mapping[str, Product], grades: Grades
) -> tuple[dict[str, list[str]], dict[str, float]]:
    """The judged products' orders, and the ranker's probability of each."""
    found = await _retrieved(engines, whole)
    judged = [replace(one, product=products[one.product_id]) for one in found if one.product_id in grades]
    ranks = await _ranks(engines, whole.text, judged, best_bm25_of(found))
    orders = {
        "lexical": _ids(_by_source(judged, "lexical")),
        "dense": _ids(_by_source(judged, "dense")),
        "fused": _ids(judged),
        "ranked": sorted(ranks, key=lambda product_id: (-ranks[product_id].score, product_id)),
    }
    return orders, {product_id: rank.probability for product_id, rank in ranks.items()}


async def _ranks(engines: Engines, query: str, judged: Sequence[Candidate], best_bm25: float) -> dict[str, RankScores]:
    """What the ranker says of each judged product, in as many calls as its limit needs."""
    ranks: dict[str, RankScores] = {}
    for start in range(0, len(judged), MAX_CANDIDATES):
        head = judged[start : start + MAX_CANDIDATES]
        ordered = await engines.rank_stage.order(query, head, best_bm25=best_bm25, asked=len(head), deadline=_later())
        _check_ranked(query, len(ordered.ranks), len(head))
        ranked = zip(ordered.candidates, ordered.ranks, strict=False)
        ranks |= {one.product_id: rank for one, rank in ranked if rank is not None}
    return ranks


def _check_ranked(query: str, ranked: int, asked: int) -> None:
    if ranked < asked:
        raise Internal(f"only {ranked} of {asked} candidates of {query!r} were ranked; see the log")


async def _retrieved(engines: Engines, query: RetrievalQuery) -> Sequence[Candidate]:
    return (await engines.retriever.retrieve(query, deadline=_later())).candidates


def _by_source(candidates: Sequence[Candidate], source: str) -> list[Candidate]:
    def score(candidate: Candidate) -> float:
        return max((one.score for one in candidate.sources if one.source == source), default=float("-inf"))

    return sorted(candidates, key=lambda one: (-score(one), one.product_id))


def _ids(candidates: Sequence[Candidate]) -> list[str]:
    return [candidate.product_id for candidate in candidates]


def _later() -> Deadline:
    return Deadline.after(TIMEOUT_S)
