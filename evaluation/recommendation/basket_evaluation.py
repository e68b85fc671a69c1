"""Evaluates recommendation on baskets, split by time: the last days of the log are what is asked for."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from scipy import sparse

from evaluation.recommendation.basket_engine import train_basket_engine
from evaluation.recommendation.comparison import ENGINE, GOES_WITH, NEXT_BASKET, task_result
from evaluation.recommendation.next_basket import DAY_S, basket_tasks, between
from evaluation.recommendation.online_retail import Transactions
from evaluation.recommendation.ranking import Scores, ranked_by
from evaluation.recommendation.result import RecommendationResult
from evaluation.recommendation.single_sources import by_factors, by_neighbours, by_sequence, popularity
from training.e5_weights import Floats
from training.recommendation.co_purchase import co_purchases
from training.recommendation.collaborative import item_item, train_als
from training.recommendation.histories import History
from training.recommendation.interactions import Integers, Interactions
from training.recommendation.recommender import RecommenderSettings, popular_weights
from vitrine.errors import invalid

# What the engine is first compared with: what any shop can count.
SIMPLE = ("popularity", "popularity, recent", "co-occurrence")
_RECENT_HALF_LIFE_DAYS = 14.0
_ANCHORS = 3


def evaluate_baskets(
    data: Transactions,
    text_vectors: Floats | None,
    settings: RecommenderSettings,
    report: Callable[[str], None],
    *,
    test_days: float,
    baselines_only: bool = False,
) -> RecommendationResult:
    """Figures of methods on next baskets and on what goes with a product; InvalidArgument for a split without one."""
    purchases = replace(data.purchases, text_vectors=text_vectors)
    split_s = float(purchases.times.max()) + 1 - test_days * DAY_S
    known, after = between(purchases, -np.inf, split_s), between(purchases, split_s, np.inf)
    tasks = basket_tasks(known, after, _ANCHORS)
    if not all(map(len, tasks)):
        raise invalid("--test-days", f"is {test_days:g}; no known customer buys in these days after others bought")
    metrics = {task.name: one for task, one in zip(tasks, (NEXT_BASKET, GOES_WITH), strict=True)}
    size = len(known.product_ids)
    seconds: dict[str, float] = {}
    lists: dict[str, dict[str, Integers]] = {task.name: {} for task in tasks}

    def rank(name: str, make: Callable[[], Scores]) -> None:
        report(f"{name}: training and ranking")
        began = time.perf_counter()
        scores = make()
        for task in tasks:
            lists[task.name][name] = ranked_by(scores, task, metrics[task.name].depth, size)
        seconds[name] = round(time.perf_counter() - began, 1)

    rank("popularity", lambda: popularity(popular_weights(known, None)))
    rank("popularity, recent", lambda: popularity(popular_weights(known, _RECENT_HALF_LIFE_DAYS)))
    rank("co-occurrence", lambda: by_neighbours(co_occurrence(known), alike=True))
    rank("bought before", lambda: bought_before(popular_weights(known, _RECENT_HALF_LIFE_DAYS)))
    rank("co-purchase", lambda: by_neighbours(co_purchases(known)))
    rank("item-item", lambda: by_neighbours(item_item(known)))
    rank("als", lambda: by_factors(train_als(known)))
    if not baselines_only:
        began = time.perf_counter()
        engine = train_basket_engine(known, test_days, settings, report)
        seconds["engine, training"] = round(time.perf_counter() - began, 1)
        rank("sequence", lambda: by_sequence(engine.sequence))
        began = time.perf_counter()
        for task in tasks:
            lists[task.name][ENGINE] = engine.ranked(task, metrics[task.name].depth)
        seconds["engine, ranking"] = round(time.perf_counter() - began, 1)
    counts = known.product_counts()
    split = datetime.fromtimestamp(split_s, UTC).date().isoformat()
    return RecommendationResult(
        dataset="online_retail",
        data_digest=data.digest,
        protocol=(
            f"split by time: trained on what was bought before {split}, asked for each customer's next basket. "
            "Next basket: of customers known before, all of it, what they buy again included. Goes with: up to "
            f"{_ANCHORS} drawn products of each basket, each alone; the others of the basket are right"
        ),
        settings={"test_days": test_days, "baselines_only": int(baselines_only), "anchors": _ANCHORS},
        notes=list(data.notes),
        tasks={
            task.name: task_result(task, metrics[task.name], lists[task.name], counts, simple=SIMPLE) for task in tasks
        },
        published={},
        seconds=seconds,
    )


def co_occurrence(purchases: Interactions) -> sparse.csr_array:
    """(P, P) how many baskets hold both."""
    baskets = np.unique(np.stack([purchases.visitors, purchases.times], axis=1), axis=0, return_inverse=True)[1]
    rows = baskets.ravel()
    ones = np.ones(len(rows), np.float32)
    holds = sparse.csr_array((ones, (rows, purchases.products)), shape=(rows.max() + 1, len(purchases.product_ids)))
    holds.data[:] = 1
    pairs = (holds.T @ holds).tocsr()
    pairs.setdiag(0)
    return pairs


def bought_before(popular: Floats) -> Scores:
    """What the customer bought, the more often the earlier; then what is popular."""

    def scores(histories: Sequence[History]) -> Floats:
        found = np.tile(0.5 * popular, (len(histories), 1))
        for row, history in enumerate(histories):
            found[row, list(history.seen)] += list(history.seen.values())
        return np.where(found > 0, found, -np.inf).astype(np.float32)

    return scores
