"""What labels buy: quality on queries that gave none, at each number of labels, for each thing that may adapt to them.

Folds are split by query; labels are drawn from the other folds' queries alone, and all choices are made among them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import ir_measures
import numpy as np
from ir_measures import nDCG
from scipy.special import expit
from scipy.stats import bootstrap

from training.errors import TrainingError
from training.few_shot_adaptations import (
    STRENGTHS,
    JudgedPairs,
    adapt,
    adapt_all,
    adapt_platt,
    log_losses,
    offset_fit,
    weights_fit,
)
from training.label_draw import draw_labels
from training.preferences import Array, Rows

_RESAMPLES = 2_000
_CALIBRATION_BINS = 10

# Told the stage, and how many of how many are done.
Advance = Callable[[str, int, int], None]
Values = dict[str, float]  # by query


@dataclass(frozen=True)
class Figure:
    """A mean over queries and the bounds that hold it in 95 of 100 resamples of the queries."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One adaptation at one number of labels, measured on queries that gave none.

    `gain` is by query against the same order without labels; `seed_deviation` tells how far one draw's nDCG lies from
    the mean of all; `adopted` is the share of draws whose own labels asked for a change.
    """

    adaptation: str
    order: str
    labels: int
    drawn: float  # labels there were, mean over folds and draws
    ndcg_10: Figure
    gain: Figure
    seed_deviation: float
    adopted: float
    log_loss: Figure | None = None
    calibration_error: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What one draw of labels led to: scores of all pairs (n,), and their probability's slope and bias where fitted."""

    scores: Array
    adopted: bool
    platt: tuple[float, float] | None = None


def few_shot_rows(
    pairs: JudgedPairs, counts: Sequence[int], folds: int, draws: int, seed: int, advance: Advance
) -> list[Row]:
    """A row for each adaptation and number of labels; every query is held out once in each of `draws` rounds.

    Raises TrainingError when there are fewer queries than folds, or all grades are alike.
    """
    names = sorted(set(pairs.queries))
    if not 2 <= folds <= len(names):
        raise TrainingError(f"{len(names)} judged queries cannot be split into {folds} folds; give --folds from 2 up")
    if len(set(pairs.grades.tolist())) < 2:
        raise TrainingError("all grades are alike; an order can neither be learned nor measured from them")
    rows: list[Row] = []
    zero: dict[str, Values] = {}
    done = 0
    for labels in sorted({0, *counts}):
        rounds: dict[tuple[str, str], list[_Round]] = {}
        drawn: list[int] = []
        for draw in range(draws):
            held_outcomes: dict[tuple[str, str], _Round] = {}
            for held, learned in _folds(pairs.queries, names, folds, seed + draw):
                chosen = draw_labels(_by_query(pairs, learned).items(), labels, seed + draw)
                drawn.append(len(chosen))
                for key, outcome in outcomes(pairs, np.array(chosen, dtype=np.int64)).items():
                    held_outcomes.setdefault(key, _Round(len(pairs.queries))).take(outcome, held)
                done += 1
                advance("adapt and measure", done, draws * folds * len({0, *counts}))
            for key, one in held_outcomes.items():
                rounds.setdefault(key, []).append(one)
        for (adaptation, order), all_rounds in rounds.items():
            by_draw = [ndcg_by_query(pairs, one.scores) for one in all_rounds]
            values = {query: float(np.mean([one[query] for one in by_draw])) for query in by_draw[0]}
            if labels == 0:
                zero.setdefault(order, values)
            gains = [values[query] - zero[order][query] for query in values]
            row = Row(
                adaptation,
                order,
                labels,
                float(np.mean(drawn)),
                _figure(list(values.values())),
                _figure(gains),
                float(np.std([np.mean(list(one.values())) for one in by_draw], ddof=1)) if draws > 1 else 0.0,
                float(np.mean([one.adopted / folds for one in all_rounds])),
            )
            rows.append(_with_calibration(row, pairs, all_rounds))
    return rows


class _Round:
    """The scores of every query by the fit that held it out, gathered fold by fold."""

    def __init__(self, count: int) -> None:
        self.scores = np.full(count, np.nan)
        self.margins = np.full(count, np.nan)
        self.adopted = 0

    def take(self, outcome: Outcome, held: Rows) -> None:
        self.scores[held] = outcome.scores[held]
        self.adopted += outcome.adopted
        if outcome.platt is not None:
            self.margins[held] = outcome.platt[0] * outcome.scores[held] + outcome.platt[1]


def outcomes(pairs: JudgedPairs, rows: Rows) -> dict[tuple[str, str], Outcome]:
    """What the labels of these rows lead to, by adaptation and order."""
    dense, final = pairs.evidence[:, 1], pairs.evidence @ pairs.weights
    dense_map = adapt(pairs, rows, dense, offset_fit(pairs, dense, pairs.map_kernel), STRENGTHS)
    weights = adapt(pairs, rows, final, weights_fit(pairs), STRENGTHS)
    moved_map = adapt(pairs, rows, final, offset_fit(pairs, final, pairs.map_kernel), STRENGTHS)
    head = adapt(pairs, rows, final, offset_fit(pairs, final, pairs.head_kernel), STRENGTHS)
    together = adapt_all(pairs, rows, final, (weights, moved_map, head))
    platt = adapt_platt(pairs, rows, final[rows])
    platt_together = adapt_platt(pairs, rows, together.among_labels)
    return {
        ("nothing", "dense"): Outcome(dense, False),
        ("embedder map", "dense"): Outcome(dense_map.scores, dense_map.setting is not None),
        ("nothing", "final"): Outcome(final, False, pairs.platt),
        ("calibration", "final"): Outcome(final, platt != pairs.platt, platt),
        ("score weights", "final"): Outcome(weights.scores, weights.setting is not None),
        ("embedder map", "final"): Outcome(moved_map.scores, moved_map.setting is not None),
        ("ranker's last weight", "final"): Outcome(head.scores, head.setting is not None),
        ("all", "final"): Outcome(together.scores, together.setting is not None, platt_together),
    }


def _folds(queries: Sequence[str], names: Sequence[str], folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Held-out rows and the others, for each fold of the queries."""
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[at]: place % folds for place, at in enumerate(order)}
    fold = np.array([fold_of[query] for query in queries])
    return [(np.flatnonzero(fold == one), np.flatnonzero(fold != one)) for one in range(folds)]


def _by_query(pairs: JudgedPairs, rows: Rows) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row in rows.tolist():
        found.setdefault(pairs.queries[row], []).append(row)
    return found


def ndcg_by_query(pairs: JudgedPairs, scores: Array) -> Values:
    """nDCG@10 (linear gains) of each query's judged products in the order of the scores, ties by product id."""
    grades: dict[str, dict[str, int]] = {}
    run: dict[str, dict[str, float]] = {}
    for query, product, grade in zip(pairs.queries, pairs.product_ids, pairs.grades, strict=True):
        grades.setdefault(query, {})[product] = int(grade)
    order = sorted(range(len(scores)), key=lambda row: (-scores[row], pairs.product_ids[row]))
    for place, row in enumerate(order):
        run.setdefault(pairs.queries[row], {})[pairs.product_ids[row]] = -float(place)
    return {one.query_id: float(one.value) for one in ir_measures.iter_calc([nDCG @ 10], grades, run)}


def _with_calibration(row: Row, pairs: JudgedPairs, rounds: Sequence[_Round]) -> Row:
    """The row with log loss (mean over a query's pairs) and calibration error, where probabilities were fitted."""
    if np.isnan(rounds[0].margins).any():
        return row
    losses = np.mean([log_losses(one.margins, pairs.relevance, (1.0, 0.0)) for one in rounds], axis=0)
    number = np.unique(np.asarray(pairs.queries, dtype=str), return_inverse=True)[1]
    by_query = np.bincount(number, losses) / np.bincount(number)
    error = float(np.mean([calibration_error(expit(one.margins), pairs.relevance) for one in rounds]))
    return replace(row, log_loss=_figure(by_query.tolist()), calibration_error=error)


def calibration_error(probabilities: Array, relevance: Array) -> float:
    """Mean distance of promised and found relevance over ten bins of equal size (ECE, Naeini et al. 2015)."""
    bins = np.array_split(np.argsort(probabilities, kind="stable"), _CALIBRATION_BINS)
    away = [len(rows) * abs(probabilities[rows].mean() - relevance[rows].mean()) for rows in bins if len(rows)]
    return float(sum(away) / len(probabilities))


def _figure(values: Sequence[float]) -> Figure:
    found = bootstrap(
        (np.array(values),), np.mean, n_resamples=_RESAMPLES, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return Figure(float(np.mean(values)), float(found.low), float(found.high))


def report(rows: Sequence[Row], made_of: Mapping[str, Any]) -> dict[str, Any]:
    """The report as JSON holds it."""
    return {"made_of": dict(made_of), "rows": [asdict(row) for row in rows]}
