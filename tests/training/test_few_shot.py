"""Few labels help, none is fine, bad ones are named."""

import random

import numpy as np
import pytest

from training.errors import TrainingError
from training.few_shot import LabelledQuery, draw_labels, few_shot_table, fit_weights, ndcg_10

_PRIOR = {"logit": 0.1, "dense": 1.0, "lexical": 0.1}


def _queries(count: int) -> list[LabelledQuery]:
    """Only the lexical feature tells grades apart; the prior hardly looks at it."""
    rng = np.random.default_rng(0)
    queries = []
    for number in range(count):
        grades = rng.integers(0, 4, size=12).astype(np.float32)
        noise = rng.normal(scale=0.3, size=(12, 2))
        lexical = grades / 3 + rng.normal(scale=0.05, size=12)
        queries.append(LabelledQuery(f"q{number}", np.column_stack([noise, lexical]).astype(np.float32), grades))
    return queries


def test_without_labels_the_prior_stays() -> None:
    assert fit_weights([], _PRIOR) == _PRIOR
    alike = LabelledQuery("q", np.ones((2, 3), dtype=np.float32), np.ones(2, dtype=np.float32))
    assert fit_weights([alike], _PRIOR) == _PRIOR


def test_more_labels_order_better() -> None:
    table = few_shot_table(_queries(30), _PRIOR, (0, 10, 200), folds=3, seed=1)
    assert table[0] < table[200]
    assert table[200] > 0.95
    assert table[10] >= table[0] - 0.02


def test_draws_are_of_the_size_asked_and_repeat() -> None:
    queries = _queries(5)
    drawn = draw_labels(queries, 17, random.Random(2))
    assert sum(len(one.grades) for one in drawn) == 17
    again = draw_labels(queries, 17, random.Random(2))
    assert [one.query for one in drawn] == [one.query for one in again]


def test_ndcg_of_the_ideal_order_is_one() -> None:
    one = LabelledQuery("q", np.array([[2, 0, 0], [1, 0, 0]], dtype=np.float32), np.array([3, 1], dtype=np.float32))
    assert ndcg_10(one, _PRIOR) == pytest.approx(1.0)


def test_too_few_queries_and_one_class_are_named() -> None:
    with pytest.raises(TrainingError, match="too few"):
        few_shot_table(_queries(2), _PRIOR, (0,), folds=3, seed=1)
    alike = [LabelledQuery(str(n), np.ones((3, 3), dtype=np.float32), np.ones(3, dtype=np.float32)) for n in range(4)]
    with pytest.raises(TrainingError, match="alike"):
        few_shot_table(alike, _PRIOR, (0,), folds=2, seed=1)
