"""What a few labelled pairs are worth: the final score's weights fitted to them, held near the label-free ones.

With no label the weights stay; each label may move them a little (ridge towards the label-free weights): few do no
harm. Loss: pairwise logistic within each query (RankNet, Burges et al. 2005) over the ranker's logit and the evidence.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from training.e5_weights import Floats
from training.errors import TrainingError

FEATURES = ("logit", "dense", "lexical")
_SHARPNESS = 20.0  # scores differ by hundredths within a query


@dataclass(frozen=True)
class LabelledQuery:
    """One query's labelled products: features (n, 3) in the order of FEATURES, and grades (n,), 0 and up."""

    query: str
    features: Floats
    grades: Floats


def draw_labels(queries: Sequence[LabelledQuery], labels: int, rng: random.Random) -> list[LabelledQuery]:
    """`labels` pairs in all, drawn at random and grouped by query again."""
    places = [(at, row) for at, one in enumerate(queries) for row in range(len(one.grades))]
    chosen: dict[int, list[int]] = {}
    for at, row in rng.sample(places, k=min(labels, len(places))):
        chosen.setdefault(at, []).append(row)
    return [
        LabelledQuery(queries[at].query, queries[at].features[rows], queries[at].grades[rows])
        for at, rows in sorted(chosen.items())
    ]


def fit_weights(
    labelled: Sequence[LabelledQuery], prior: Mapping[str, float], strength: float = 4.0
) -> dict[str, float]:
    """Weights of the final score by feature; without two differently graded products of one query, the prior's own."""
    start = np.array([prior[name] for name in FEATURES])
    differences = [_differences(one) for one in labelled]
    pairs = np.concatenate(differences) if differences else np.empty((0, len(FEATURES)))
    if not len(pairs):
        return dict(prior)
    spread = np.maximum(np.abs(pairs).mean(axis=0), 1e-6)

    def loss(weights: Floats) -> float:
        wrong = np.logaddexp(0.0, -_SHARPNESS * (pairs @ weights)).sum()
        return float(wrong + strength * _SHARPNESS * np.square((weights - start) * spread).sum() / spread.mean())

    found = minimize(loss, start, method="L-BFGS-B", bounds=[(0.0, None)] * len(FEATURES))
    return dict(zip(FEATURES, map(float, found.x), strict=True))


def few_shot_table(
    queries: Sequence[LabelledQuery], prior: Mapping[str, float], counts: Sequence[int], folds: int, seed: int
) -> dict[int, float]:
    """Mean nDCG@10 of held-out queries by number of labels; folds are split by query, each measured once per count.

    Raises TrainingError when there are fewer queries than folds, or all grades are alike.
    """
    if len(queries) < folds:
        raise TrainingError(f"{len(queries)} labelled queries are too few for {folds} folds")
    if len({float(grade) for one in queries for grade in one.grades}) < 2:
        raise TrainingError("all labels are alike; ordering can't be learned or measured from them")
    order = list(range(len(queries)))
    random.Random(seed).shuffle(order)
    table: dict[int, float] = {}
    for count in counts:
        values: list[float] = []
        for fold in range(folds):
            held = set(order[fold::folds])
            learned = [queries[at] for at in order if at not in held]
            weights = fit_weights(draw_labels(learned, count, random.Random(seed + fold)), prior)
            values += [ndcg_10(queries[at], weights) for at in sorted(held)]
        table[count] = float(np.mean([value for value in values if not np.isnan(value)]))
    return table


def ndcg_10(one: LabelledQuery, weights: Mapping[str, float]) -> float:
    """nDCG@10 with linear gains of the order that the weights give; NaN for a query without a relevant product."""
    score = one.features @ np.array([weights[name] for name in FEATURES])
    discounts = 1.0 / np.log2(np.arange(2, 2 + min(10, len(score))))
    best = float((np.sort(one.grades)[::-1][: len(discounts)] * discounts).sum())
    gained = float((one.grades[np.argsort(-score, kind="stable")][: len(discounts)] * discounts).sum())
    return gained / best if best else float("nan")


def _differences(one: LabelledQuery) -> Floats:
    """Feature differences (pairs, 3) of each better graded product and each worse graded one of the query."""
    better, worse = np.nonzero(one.grades[:, None] > one.grades[None, :])
    differences: Floats = one.features[better] - one.features[worse]
    return differences
