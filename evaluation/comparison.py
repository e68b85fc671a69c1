"""Two evaluations of the same judged data, compared query by query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.intervals import Interval, auc_difference_interval, mean_interval
from evaluation.result import RelevanceResult, ScoredPair
from vitrine.errors import invalid
from vitrine.paired_test import sign_flip_p_value

_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Difference:
    """How one figure of one order changed; `by_query` is empty where the metric is one of all pairs (AUC)."""

    order: str
    metric: str
    before: float
    after: float
    gain: Interval
    p_value: float
    by_query: dict[str, float]

    @property
    def wins(self) -> int:
        """Queries that are better than before."""
        return sum(gain > _TIE for gain in self.by_query.values())

    @property
    def losses(self) -> int:
        """Queries that are worse than before."""
        return sum(gain < -_TIE for gain in self.by_query.values())

    @property
    def ties(self) -> int:
        """Queries that are as they were."""
        return len(self.by_query) - self.wins - self.losses


def check_comparable(baselines: Sequence[RelevanceResult], results: Sequence[RelevanceResult]) -> None:
    """Raises InvalidArgument when a baseline is of other data than every result."""
    for baseline in baselines:
        if any(baseline.data_digest == result.data_digest for result in results):
            continue
        same_name = any(baseline.dataset == result.dataset for result in results)
        fault = "was taken on other products or grades than the result" if same_name else "is not among the results"
        raise invalid("--baseline", f"{baseline.dataset} {fault}; evaluate both on the same data")


def compare(before: RelevanceResult, after: RelevanceResult) -> list[Difference]:
    """The figures that two results of equal data share, in the order of `after`.

    p is by permutation of signs, and for an AUC by bootstrap.
    """
    differences = [
        _by_query(order, metric, before.by_query[order][metric], values)
        for order, metrics in after.by_query.items()
        for metric, values in metrics.items()
        if metric in before.by_query.get(order, {})
    ]
    return differences or _of_pairs(before, after)


def _by_query(order: str, metric: str, before: Mapping[str, float], after: Mapping[str, float]) -> Difference:
    gains = {query: after[query] - before[query] for query in after}
    values = list(gains.values())
    was, now = (sum(side[query] for query in after) / len(after) for side in (before, after))
    return Difference(order, metric, was, now, mean_interval(values), sign_flip_p_value(values), gains)


def _of_pairs(before: RelevanceResult, after: RelevanceResult) -> list[Difference]:
    differences = []
    for order, figures in after.figures.items():
        for metric, figure in figures.items():
            old, new = (_rows(result, metric.removeprefix("auc "), order) for result in (before, after))
            if not old or not new:
                continue
            gain, p_value = auc_difference_interval(
                [pair.scores[order] for pair in old],
                [pair.scores[order] for pair in new],
                [pair.relevant for pair in new],
                [pair.query for pair in new],
            )
            was = before.figures[order][metric].value
            differences.append(Difference(order, metric, was, figure.value, gain, p_value, {}))
    return differences


def _rows(result: RelevanceResult, source: str, order: str) -> list[ScoredPair]:
    # Equal digests: both results hold the same pairs in the same order.
    return [pair for pair in result.pairs if pair.source == source and order in pair.scores]
