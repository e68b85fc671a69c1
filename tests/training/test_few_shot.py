"""Labels help where there is something to learn, do no harm where there is none, and held-out queries never leak."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.errors import TrainingError
from training.few_shot import Row, calibration_error, few_shot_rows, ndcg_by_query, outcomes
from training.few_shot_adaptations import JudgedPairs, adapt, linear_kernel, map_kernel, offset_fit
from training.few_shot_chart import write_chart

_PRODUCTS = 10


def _pairs(queries: int, told_by: str, seed: int = 0) -> JudgedPairs:
    """Grades follow one thing alone, which the label-free score does not see: "lexical", "head", "map" or nothing."""
    rng = np.random.default_rng(seed)
    count = queries * _PRODUCTS
    evidence = rng.normal(scale=0.1, size=(count, 3))
    states = rng.normal(size=(count, 6))
    query_vectors = np.repeat(rng.normal(size=(queries, 4)), _PRODUCTS, axis=0)
    product_vectors = rng.normal(size=(count, 4))
    wanted = {
        "lexical": evidence[:, 2],
        "head": states[:, 0],
        "map": query_vectors[:, 0] * product_vectors[:, 1],
        "nothing": rng.normal(size=count),
    }[told_by]
    within = (wanted.reshape(queries, _PRODUCTS).argsort(axis=1).argsort(axis=1) * 4 // _PRODUCTS).reshape(-1)
    return JudgedPairs(
        queries=[f"q{row // _PRODUCTS:02}" for row in range(count)],
        product_ids=[f"p{row}" for row in range(count)],
        grades=within.astype(np.float64),
        evidence=evidence,
        map_kernel=map_kernel(query_vectors, product_vectors),
        head_kernel=linear_kernel(states),
        weights=np.array([1.0, 1.0, 0.1]),
        platt=(5.0, -1.0),
    )


def _rows(pairs: JudgedPairs, counts: Sequence[int], folds: int = 3, draws: int = 1) -> dict[tuple[str, str, int], Row]:
    rows = few_shot_rows(pairs, counts, folds, draws, seed=1, advance=lambda *_: None)
    return {(row.order, row.adaptation, row.labels): row for row in rows}


@pytest.mark.parametrize(
    ("told_by", "adaptation", "others"),
    [
        ("lexical", "score weights", ("embedder map", "ranker's last weight")),
        ("head", "ranker's last weight", ("score weights", "embedder map")),
        ("map", "embedder map", ("score weights", "ranker's last weight")),
    ],
)
def test_what_the_grades_follow_is_learned_by_what_can_see_it(
    told_by: str, adaptation: str, others: tuple[str, ...]
) -> None:
    rows = _rows(_pairs(24, told_by), (100,))
    zero = rows["final", "nothing", 0]
    assert rows["final", adaptation, 100].gain.low > 0.01
    assert rows["final", "all", 100].gain.low > 0.01
    assert rows["final", "nothing", 100].ndcg_10 == zero.ndcg_10
    for other in others:
        assert rows["final", other, 100].gain.value < rows["final", adaptation, 100].gain.value / 2


def test_labels_that_say_nothing_change_next_to_nothing() -> None:
    rows = _rows(_pairs(20, "nothing"), (10, 60), folds=2, draws=2)
    for (order, adaptation, labels), row in rows.items():
        assert abs(row.gain.value) < 0.03, (order, adaptation, labels)
    # The rate of relevant products is there to be learned, an order is not.
    adopted = [row.adopted for (_, adaptation, _), row in rows.items() if adaptation != "calibration"]
    assert np.mean(adopted) < 0.2


def test_without_labels_everything_is_as_served() -> None:
    pairs = _pairs(8, "head")
    for outcome in outcomes(pairs, np.array([], dtype=np.int64)).values():
        assert not outcome.adopted
        assert outcome.platt in (None, pairs.platt)
    rows = _rows(pairs, (0,))
    assert {row.gain.value for row in rows.values()} == {0.0}
    by_query = ndcg_by_query(pairs, pairs.evidence @ pairs.weights)
    assert rows["final", "all", 0].ndcg_10.value == pytest.approx(np.mean(list(by_query.values())))


def test_grades_of_held_out_queries_do_not_reach_the_fits() -> None:
    pairs = _pairs(20, "head")
    learned = np.arange(15 * _PRODUCTS)
    other = replace(pairs, grades=np.where(np.arange(len(pairs.grades)) < len(learned), pairs.grades, 0.0))
    assert not np.array_equal(other.grades, pairs.grades)
    found, again = outcomes(pairs, learned), outcomes(other, learned)
    assert found["ranker's last weight", "final"].adopted
    for key, outcome in found.items():
        np.testing.assert_array_equal(outcome.scores, again[key].scores)
        assert outcome.platt == again[key].platt


def test_the_kernel_fit_is_the_ridge_solution_of_the_states() -> None:
    """A label's offset elsewhere is a linear function of the states: those in between get what lies in between."""
    pairs = _pairs(20, "head")
    states = np.random.default_rng(0).normal(size=(len(pairs.grades), 6))
    states[-1] = 0.25 * states[0] + 0.75 * states[1]
    fit = offset_fit(pairs, np.zeros(len(states)), linear_kernel(states))
    offset = fit(np.arange(100), 0.3)
    assert offset[-1] == pytest.approx(0.25 * offset[0] + 0.75 * offset[1])
    assert abs(offset).max() > 0


def test_a_setting_that_does_not_help_the_labels_own_queries_is_not_taken() -> None:
    pairs = _pairs(20, "head")
    before = pairs.evidence @ pairs.weights
    adapted = adapt(pairs, np.arange(100), before, lambda rows, setting: -before * setting, (1.0, 0.0))
    assert adapted.setting is None
    np.testing.assert_array_equal(adapted.scores, before)


def test_calibration_is_learned_and_measured() -> None:
    rows = _rows(_pairs(24, "head"), (100,))
    before, after = rows["final", "nothing", 100], rows["final", "calibration", 100]
    assert before.log_loss is not None
    assert after.log_loss is not None
    assert after.log_loss.value < before.log_loss.value
    assert after.ndcg_10 == before.ndcg_10
    promised = np.repeat([0.1, 0.6], 50)
    assert calibration_error(promised, promised) == pytest.approx(0.0)
    assert calibration_error(promised, promised + 0.2) == pytest.approx(0.2)


def test_fewer_labels_than_asked_are_counted() -> None:
    assert _rows(_pairs(8, "head"), (1_000,), folds=4)["final", "all", 1_000].drawn == 60


def test_what_cannot_be_folded_or_ordered_is_named() -> None:
    with pytest.raises(TrainingError, match="3 judged queries cannot be split into 4 folds"):
        _rows(_pairs(3, "head"), (0,), folds=4)
    alike = replace(_pairs(8, "head"), grades=np.ones(80))
    with pytest.raises(TrainingError, match="all grades are alike"):
        _rows(alike, (0,))


def test_the_chart_is_a_picture(tmp_path: Path) -> None:
    rows = _rows(_pairs(8, "lexical"), (0, 20), folds=2)
    path = tmp_path / "chart.png"
    write_chart(list(rows.values()), "tiny", path)
    assert path.read_bytes().startswith(b"\x89PNG")
