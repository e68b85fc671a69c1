"""Evaluates recommendation on a data set: trains every method on what came before, asks it, and compares."""

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache

from evaluation.recommendation.comparison import ENGINE, NEXT_PRODUCT, task_result
from evaluation.recommendation.data import Dataset
from evaluation.recommendation.ranking import Scores, ranked_by
from evaluation.recommendation.result import RecommendationResult
from evaluation.recommendation.single_sources import (
    both,
    by_factors,
    by_neighbours,
    by_sequence,
    cosine_neighbours,
    popularity,
)
from training.recommendation.collaborative import item_item, train_als
from training.recommendation.interactions import Integers
from training.recommendation.recommender import RecommenderSettings, popular_weights, ranked, train_parts

# As published, all under this protocol: without attributes or titles, but S3-Rec and TIGER, which read them.
PUBLISHED = {
    "beauty": {
        "SASRec": {"recall@10": 0.0605, "ndcg@10": 0.0318},
        "S3-Rec": {"recall@10": 0.0647, "ndcg@10": 0.0327},
        "TIGER": {"recall@10": 0.0648, "ndcg@10": 0.0384},
    }
}

Report = Callable[[str], None]


def evaluate_next_product(
    data: Dataset, settings: RecommenderSettings, report: Report, *, baselines_only: bool = False
) -> RecommendationResult:
    """Figures of popularity, item-item, ALS, it and popularity fused, the sequence model alone, and all of them fused.

    `baselines_only`: of those before the sequence model, without the trainings of minutes.
    """
    known = data.interactions
    task = data.tasks[0]
    size = len(known.product_ids)
    seconds: dict[str, float] = {}
    lists: dict[str, Integers] = {}

    def rank(name: str, make: Callable[[], Scores]) -> None:
        report(f"{name}: training and ranking {len(task):,} lists")
        began = time.perf_counter()
        lists[name] = ranked_by(make(), task, NEXT_PRODUCT.depth, size)
        seconds[name] = round(time.perf_counter() - began, 1)

    # Leave-one-out has no time in which popularity could age.
    popular, als = popularity(popular_weights(known, None)), cache(lambda: by_factors(train_als(known)))
    rank("popularity", lambda: popular)
    rank("item-item, cosine", lambda: by_neighbours(cosine_neighbours(known), alike=True))
    rank("item-item", lambda: by_neighbours(item_item(known)))
    rank("als", als)
    rank("popularity+als", lambda: both(popular, als()))
    used: dict[str, str | int | float] = {"baselines_only": int(baselines_only)}
    if not baselines_only:
        report("engine: training all parts")
        began = time.perf_counter()
        parts = train_parts(known, settings, data.facts, purchases=data.purchases, progress=report)
        seconds["engine, training"] = round(time.perf_counter() - began, 1)
        rank("sequence", lambda: by_sequence(parts.sequence))
        began = time.perf_counter()
        fused = ranked(parts, task.histories, NEXT_PRODUCT.depth, (ENGINE,))
        seconds["engine, ranking"] = round(time.perf_counter() - began, 1)
        lists[ENGINE] = fused[ENGINE]
        used |= {f"sequence {name}": value for name, value in asdict(settings.sequence).items()}
        used |= {f"fusion {name}": value for name, value in asdict(settings.fusion).items()}
    report("metrics and intervals")
    result = task_result(task, NEXT_PRODUCT, lists, known.product_counts())
    return RecommendationResult(
        dataset=data.name,
        data_digest=data.digest,
        protocol=data.protocol,
        settings=used,
        notes=list(data.notes),
        tasks={task.name: result},
        published=PUBLISHED.get(data.name, {}),
        seconds=seconds,
    )


def as_event_counts(settings: RecommenderSettings) -> RecommenderSettings:
    """The settings for sets without times, where popularity does not age."""
    return replace(settings, half_life_days=None)
