"""What scoring only as many candidates as the page needs costs in quality, and saves: against all of them scored."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import ir_measures
from ir_measures import nDCG

from evaluation.engines import TIMEOUT_S, Advance, open_engines
from evaluation.judged_data import JudgedShop
from evaluation.relevance import values_by_query
from vitrine.deadline import Deadline
from vitrine.errors import Internal
from vitrine.ports import InputType, RetrievalQuery

SHOWN = 10
METRICS: tuple[ir_measures.Measure, ...] = (nDCG @ 10, nDCG @ 20)


@dataclass(frozen=True, slots=True)
class SettledRanking:
    """Means over the queries; nDCG by metric, settled and whole, and the largest losses and gains of a query."""

    queries: int
    settled_pairs: float
    whole_pairs: float
    missed: float
    ndcg: dict[str, tuple[float, float]]
    differences: dict[str, tuple[float, float]]


async def settled_ranking(
    shop: JudgedShop, embedder: Path, ranker: Path, depth: int, keep_vectors: Path | None, advance: Advance
) -> SettledRanking:
    """Searches each judged query twice, for a page of ten and with all `depth` candidates scored."""
    settled: dict[str, list[str]] = {}
    whole: dict[str, list[str]] = {}
    pairs: list[tuple[int, int]] = []
    async with open_engines(embedder, ranker) as engines:
        await engines.write(shop.products, advance, keep_vectors)
        for done, query in enumerate(shop.grades, 1):
            found = await engines.embedder.embed([query], input_type=InputType.QUERY, deadline=_later())
            if (error := found.items[0].error) is not None:
                raise Internal(f"query {query!r} cannot be embedded: {error}")
            words = RetrievalQuery(query, found.vectors[0], found.model_digest, product_limit=depth)
            retrieval = await engines.retriever.retrieve(words, deadline=_later())
            order = partial(
                engines.rank_stage.order, query, retrieval.candidates, best_bm25=retrieval.best_bm25, asked=depth
            )
            # The page first: afterwards all logits are kept.
            page = await order(deadline=_later(), shown=SHOWN)
            every = await order(deadline=_later())
            settled[query] = [one.product_id for one in page.candidates]
            whole[query] = [one.product_id for one in every.candidates]
            pairs.append((len(page.ranks), len(every.ranks)))
            advance("search", done, len(shop.grades))
    ndcg, differences = {}, {}
    for metric in METRICS:
        own, others = (values_by_query(metric, orders, shop.grades) for orders in (settled, whole))
        ndcg[str(metric)] = fmean(own.values()), fmean(others.values())
        apart = [own[query] - others[query] for query in shop.grades]
        differences[str(metric)] = min(apart), max(apart)
    return SettledRanking(
        queries=len(pairs),
        settled_pairs=fmean(own for own, _ in pairs),
        whole_pairs=fmean(all_of_them for _, all_of_them in pairs),
        missed=fmean(len(set(whole[query][:SHOWN]) - set(settled[query][:SHOWN])) for query in whole),
        ndcg=ndcg,
        differences=differences,
    )


def _later() -> Deadline:
    return Deadline.after(TIMEOUT_S)
