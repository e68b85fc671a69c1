"""Parts of the judged queries: per language, and head, torso and tail; each figure again with its interval."""

from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.bands import BANDS
from evaluation.intervals import Interval, auc_interval, mean_interval
from evaluation.result import RelevanceResult
from vitrine.text import detect_language


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of the queries (of pairs: some of the pairs), with the figure of each order."""

    name: str
    count: int
    figures: dict[str, Interval]


def query_slices(result: RelevanceResult, metric: str) -> list[Slice]:
    """All queries, those of each language, and of each band."""
    groups = {"all": set(result.queries)}
    for language in sorted({query.language for query in result.queries.values()}):
        groups[language] = {text for text, query in result.queries.items() if query.language == language}
    for band in BANDS:
        groups[band] = {text for text, query in result.queries.items() if query.band == band}
    return _slices(groups, {order: metrics[metric] for order, metrics in result.by_query.items()})


def popularity_slices(result: RelevanceResult) -> list[Slice]:
    """Recall@50 of the relevant products of each popularity band; none where no events are known."""
    if result.popularity is None:
        return []
    recall = result.popularity.recall_50
    return [
        Slice(
            band,
            len(next(iter(orders.values()))),
            {name: mean_interval(list(v.values())) for name, v in orders.items()},
        )
        for band, orders in sorted(recall.items(), key=lambda item: BANDS.index(item[0]))
    ]


def pair_slices(result: RelevanceResult) -> list[Slice]:
    """AUC of all labelled pairs and of those of each query language that has both labels."""
    languages = [detect_language(pair.query) for pair in result.pairs]
    slices = []
    for name in ("all", *sorted(set(languages))):
        pairs = [pair for pair, language in zip(result.pairs, languages, strict=True) if name in ("all", language)]
        labels = [pair.relevant for pair in pairs]
        if len(set(labels)) == 2:
            queries = [pair.query for pair in pairs]
            figures = {
                order: auc_interval([pair.scores[order] for pair in pairs], labels, queries) for order in result.figures
            }
            slices.append(Slice(name, len(pairs), figures))
    return slices


def _slices(groups: Mapping[str, set[str]], values: Mapping[str, Mapping[str, float]]) -> list[Slice]:
    slices = []
    for name, queries in groups.items():
        chosen = {order: [value for query, value in v.items() if query in queries] for order, v in values.items()}
        count = len(next(iter(chosen.values())))
        if count:
            slices.append(Slice(name, count, {order: mean_interval(v) for order, v in chosen.items()}))
    return slices
