"""The metrics against values worked out by hand."""

from math import log2

import pytest

from evaluation.relevance import QueryOrders, relevance

GRADES = {"a": {"p1": 3, "p2": 1, "p3": 0}, "b": {"p4": 1, "p5": 0}}
IDEAL_A = 3 + 1 / log2(3)


def measured(judged_a: list[str], full_a: list[str]) -> dict[str, dict[str, float]]:
    orders = {"a": QueryOrders(judged_a, full_a), "b": QueryOrders(["p4", "p5"], ["p4"])}
    return relevance(orders, GRADES).by_query


def test_gains_are_linear_and_the_discount_is_log2() -> None:
    values = measured(["p2", "p1", "p3"], [])
    assert values["judged"]["a"] == pytest.approx((1 + 3 / log2(3)) / IDEAL_A)
    assert values["judged"]["b"] == 1.0


def test_an_unjudged_product_is_grade_0_in_full_and_absent_in_condensed() -> None:
    values = measured([], ["x1", "p1", "x2", "p2"])
    assert values["full"]["a"] == pytest.approx((3 / log2(3) + 1 / log2(5)) / IDEAL_A)
    assert values["condensed"]["a"] == pytest.approx(1.0)


def test_the_ideal_counts_what_was_not_found() -> None:
    values = measured([], ["p2"])
    assert values["condensed"]["a"] == pytest.approx(1 / IDEAL_A)
    assert measured([], [])["full"]["a"] == 0.0


def test_condensed_looks_at_the_first_thousand_only() -> None:
    others = [f"x{number}" for number in range(999)]
    assert measured([], [*others, "p1"])["condensed"]["a"] == pytest.approx(3 / IDEAL_A)
    assert measured([], [*others, "x", "p1"])["condensed"]["a"] == 0.0


def test_only_ten_places_count_for_ndcg() -> None:
    others = [f"x{number}" for number in range(9)]
    assert measured([], [*others, "p1"])["full"]["a"] > 0
    assert measured([], [*others, "x", "p1"])["full"]["a"] == 0.0


def test_recall_counts_grade_2_and_up_over_the_queries_that_have_one() -> None:
    others = [f"x{number}" for number in range(300)]
    values = measured([], [*others[:49], "p1"])
    assert values["recall_50"] == {"a": 1.0}
    values = measured([], [*others[:50], "p1"])
    assert (values["recall_50"], values["recall_200"]) == ({"a": 0.0}, {"a": 1.0})
    assert measured([], [*others[:200], "p1"])["recall_200"] == {"a": 0.0}


def test_the_order_given_is_the_order_measured() -> None:
    """trec_eval breaks ties of equal scores by id, backwards; an order has no ties to break."""
    assert measured(["p1", "p2", "p3"], [])["judged"]["a"] == 1.0
    assert measured(["p3", "p2", "p1"], [])["judged"]["a"] == pytest.approx((1 / log2(3) + 3 / 2) / IDEAL_A)


def test_means_are_over_all_queries() -> None:
    result = relevance({"a": QueryOrders([], []), "b": QueryOrders(["p4", "p5"], ["p4"])}, GRADES)
    assert (result.means["judged"].value, result.means["judged"].count) == (0.5, 2)
    assert (result.means["recall_50"].value, result.means["recall_50"].count) == (0.0, 1)
