"""Figures of methods on one task, with intervals, and how the engine compares with the best of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.intervals import Interval, mean_interval
from evaluation.recommendation.data import Task
from evaluation.recommendation.metrics import Values, coverage, hits, ndcg, overlap, recall
from evaluation.recommendation.result import Gain, TaskResult
from training.recommendation.interactions import Integers
from vitrine.paired_test import sign_flip_p_value

RARE_EVENTS = 5
ENGINE = "engine"


@dataclass(frozen=True)
class Metrics:
    """Which metrics a task has: those of each question, the slices by rarity, and figures of all lists together."""

    recalls: tuple[int, ...]
    ndcgs: tuple[int, ...] = ()
    rare_at: int = 0  # 0: no slices
    spread_at: int = 0  # 0: neither coverage nor overlap

    @property
    def depth(self) -> int:
        """How long lists must be."""
        return max((*self.recalls, *self.ndcgs, self.rare_at, self.spread_at))


NEXT_PRODUCT = Metrics(recalls=(10, 50), ndcgs=(10,), rare_at=50, spread_at=10)
NEXT_BASKET = Metrics(recalls=(20,), ndcgs=(20,))
GOES_WITH = Metrics(recalls=(10,), ndcgs=(10,))


def task_result(
    task: Task,
    metrics: Metrics,
    lists: Mapping[str, Integers],
    counts: Integers,
    simple: Sequence[str] = (),
) -> TaskResult:
    """Figures of each method's `lists`, and the engine's gain over the best of `simple` and the best of all others.

    `counts` (products,) are events trained on.
    """
    values = {name: _by_question(found, task, metrics, counts) for name, found in lists.items()}
    figures = {
        name: {
            metric: mean_interval(own[~np.isnan(own)].tolist())
            for metric, own in by_metric.items()
            if not np.isnan(own).all()
        }
        for name, by_metric in values.items()
    }
    if metrics.spread_at:
        for name, found in lists.items():
            shown = found[:, : metrics.spread_at]
            figures[name][f"coverage@{metrics.spread_at}"] = _whole(coverage(shown, len(counts)), len(task))
            figures[name][f"overlap@{metrics.spread_at}"] = _whole(overlap(shown), len(task))
    gains = [
        _gain(metric, values, rivals)
        for rivals in (simple, [name for name in lists if name != ENGINE])
        if rivals and ENGINE in lists
        for metric in figures[ENGINE]
        if metric in values[ENGINE]
    ]
    return TaskResult(len(task), figures, gains)


def _by_question(lists: Integers, task: Task, metrics: Metrics, counts: Integers) -> dict[str, Values]:
    """Values (n,) by metric; NaN where a question is not of the slice."""
    found = hits(lists, task.relevant)
    values = {f"recall@{k}": recall(found, task.relevant, k) for k in metrics.recalls}
    values |= {f"ndcg@{k}": ndcg(found, task.relevant, k) for k in metrics.ndcgs}
    if k := metrics.rare_at:
        rare = np.array([counts[own[0]] <= RARE_EVENTS for own in task.relevant])
        own = recall(found, task.relevant, k)
        values[f"rare recall@{k}"] = np.where(rare, own, np.nan)
        values[f"other recall@{k}"] = np.where(rare, np.nan, own)
    return values


def _gain(metric: str, values: Mapping[str, Mapping[str, Values]], rivals: Sequence[str]) -> Gain:
    own = values[ENGINE][metric]
    known = ~np.isnan(own)
    means = {name: float(values[name][metric][known].mean()) for name in rivals}
    best = max(rivals, key=lambda name: means[name])
    differences = (own - values[best][metric])[known].tolist()
    ratio = float(own[known].mean()) / means[best] if means[best] > 0 else None
    return Gain(ENGINE, best, metric, ratio, mean_interval(differences), sign_flip_p_value(differences))


def _whole(value: float, count: int) -> Interval:
    # Of all lists together: resampling users would only tell that fewer users see fewer products.
    return Interval(value, value, value, count)
