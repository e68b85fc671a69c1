"""Two results compared: what won, what lost, and whether chance explains it."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.comparison import check_comparable, compare
from evaluation.intervals import auc_interval, mean_interval
from evaluation.result import RelevanceResult, ScoredPair
from vitrine.errors import InvalidArgument


def shop_result(values: list[float]) -> RelevanceResult:
    by_query = {f"q{number}": value for number, value in enumerate(values)}
    return RelevanceResult(
        dataset="shop",
        data_digest="sha256:1",
        kind="shop",
        made_of={},
        relevant_grade=2,
        pairs=[],
        figures={"ranked": {"judged": mean_interval(values)}},
        by_query={"ranked": {"judged": by_query}},
    )


def pairs_result(scores: list[float], labels: list[bool]) -> RelevanceResult:
    pairs = [
        ScoredPair(f"q{row}", "title", int(label), label, 0.5, "one", {"dense": score})
        for row, (score, label) in enumerate(zip(scores, labels, strict=True))
    ]
    figure = auc_interval(scores, labels, [pair.query for pair in pairs])
    return replace(shop_result([1.0]), kind="pairs", pairs=pairs, figures={"dense": {"auc one": figure}}, by_query={})


def test_by_query() -> None:
    (found,) = compare(shop_result([0.5, 0.5, 0.5, 0.5]), shop_result([0.9, 0.6, 0.5, 0.4]))
    assert (found.order, found.metric, found.before, found.after) == ("ranked", "judged", 0.5, pytest.approx(0.6))
    assert (found.wins, found.losses, found.ties) == (2, 1, 1)
    assert found.gain.value == pytest.approx(0.1)
    assert found.by_query["q0"] == pytest.approx(0.4)


def test_a_steady_gain_is_no_chance_and_no_gain_is() -> None:
    (steady,) = compare(shop_result([0.5] * 20), shop_result([0.6] * 20))
    assert steady.p_value < 0.001
    (equal,) = compare(shop_result([0.5] * 20), shop_result([0.5] * 20))
    assert (equal.p_value, equal.gain.value, equal.ties) == (1.0, 0.0, 20)


def test_an_auc_is_compared_by_resamples_of_the_same_queries() -> None:
    random = np.random.default_rng(5)
    labels = [row % 2 == 0 for row in range(80)]
    noise = random.normal(size=80)
    worse = pairs_result([float(label + 3 * n) for label, n in zip(labels, noise, strict=True)], labels)
    better = pairs_result([float(label + 0.2 * n) for label, n in zip(labels, noise, strict=True)], labels)
    (found,) = compare(worse, better)
    assert found.gain.value == pytest.approx(found.after - found.before)
    assert 0 < found.gain.low < found.gain.value < found.gain.high
    assert found.p_value < 0.01
    (same,) = compare(worse, worse)
    assert (same.p_value, same.gain.low, same.gain.high) == (1.0, 0.0, 0.0)


def test_other_data_is_refused() -> None:
    result = shop_result([1.0])
    check_comparable([result], [replace(result, data_digest="sha256:2"), result])
    with pytest.raises(InvalidArgument, match="shop was taken on other products or grades"):
        check_comparable([replace(result, data_digest="sha256:2")], [result])
    with pytest.raises(InvalidArgument, match="icecat is not among the results"):
        check_comparable([result, replace(result, data_digest="sha256:2", dataset="icecat")], [result])
