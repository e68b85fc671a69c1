"""One evaluation of relevance: the suite's orders on a data set, baselines beside them where asked, as one report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from evaluation.bm25 import bm25_orders
from evaluation.datasets import read_dataset
from evaluation.dense_baseline import Encode, dense_orders, dense_pair_scores
from evaluation.engines import TIMEOUT_S, Advance, Engines, open_engines
from evaluation.intervals import Interval, auc_interval
from evaluation.judged_data import JudgedShop, LabelledPair
from evaluation.pair_scores import pair_scores
from evaluation.published import PUBLISHED
from evaluation.relevance import QueryOrders, relevance
from evaluation.search_orders import search_orders
from vitrine.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What is evaluated: two bundles, and how many candidates the ranker orders."""

    embedder: Path
    ranker: Path
    rank_depth: int


@dataclass(slots=True)
class RelevanceReport:
    """Figures by order ("lexical", "ranked", …) and metric, and the values of each query where the metric has them."""

    dataset: str
    made_of: dict[str, str | int]
    figures: dict[str, dict[str, Interval]] = field(default_factory=dict)
    by_query: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    published: dict[str, dict[str, float]] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Writes the report as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


async def relevance_report(
    dataset: str, data_dir: Path, evaluated: Evaluated, advance: Advance, *, e5: Encode | None = None
) -> RelevanceReport:
    """Evaluates the suite on a data set; with `e5`, the baselines BM25 and e5 too, beside their published figures.

    Raises InvalidArgument when the data cannot be read, FailedPrecondition when a bundle cannot be served.
    """
    data = read_dataset(dataset, data_dir)
    async with open_engines(evaluated.embedder, evaluated.ranker) as engines:
        report = RelevanceReport(dataset, await _made_of(engines, evaluated.rank_depth))
        if isinstance(data, JudgedShop):
            await engines.write(data.products, advance)
            for name, orders in (await search_orders(engines, data, evaluated.rank_depth, advance)).items():
                _add_orders(report, name, orders, data)
        else:
            for name, scores in (await pair_scores(engines, data, advance)).items():
                report.figures[name] = _aucs(data, scores)
    if e5 is not None:
        _add_baselines(report, data, e5, advance)
    return report


async def _made_of(engines: Engines, rank_depth: int) -> dict[str, str | int]:
    deadline = Deadline.after(TIMEOUT_S)
    embedder = await engines.embedder.get_model(deadline=deadline)
    ranker = await engines.ranker.get_model(deadline=deadline)
    return {"embedder": embedder.digest, "ranker": ranker.digest, "rank_depth": rank_depth}


def _add_orders(report: RelevanceReport, name: str, orders: Mapping[str, QueryOrders], shop: JudgedShop) -> None:
    measured = relevance(orders, shop.grades)
    report.figures[name] = measured.means
    report.by_query[name] = measured.by_query


def _add_baselines(
    report: RelevanceReport, data: JudgedShop | list[LabelledPair], e5: Encode, advance: Advance
) -> None:
    report.published = PUBLISHED.get(report.dataset, {})
    if isinstance(data, JudgedShop):
        advance("baseline bm25", 0, 1)
        _add_orders(report, "bm25", bm25_orders(data), data)
        advance("baseline bm25", 1, 1)
        _add_orders(report, "e5", dense_orders(data, e5), data)
    else:
        report.figures["e5"] = _aucs(data, dense_pair_scores(data, e5))


def _aucs(pairs: Sequence[LabelledPair], scores: Sequence[float]) -> dict[str, Interval]:
    figures = {}
    for source in sorted({pair.source for pair in pairs}):
        rows = [row for row, pair in enumerate(pairs) if pair.source == source]
        figures[f"auc {source}"] = auc_interval(
            [scores[row] for row in rows], [pairs[row].relevant for row in rows], [pairs[row].query for row in rows]
        )
    return figures
