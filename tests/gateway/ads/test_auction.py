"""The auction's sums: worked examples, and what holds whatever is bid."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ads.auction import Bid, by_score, prices

bids = st.builds(
    Bid,
    campaign_id=st.sampled_from(["a", "b", "c"]),
    product_id=st.text("pqrs", min_size=1, max_size=2),
    units=st.integers(1, 10**9),
    click_probability=st.floats(1e-6, 0.95),
)
lists = st.lists(bids, max_size=12)
reserves = st.integers(1, 50)


def bid(name: str, units: int, probability: float) -> Bid:
    return Bid("c", name, units, probability)


@pytest.mark.parametrize(
    ("offered", "reserve", "expected"),
    [
        # 0.02 x 60 = 1.2 stands behind 0.05 x 40 = 2: to stay ahead, 1.2 / 0.05 = 24 is enough.
        ([bid("p", 40, 0.05), bid("q", 60, 0.02)], 1, {"p": 24, "q": 1}),
        # A third one: 0.01 x 50 = 0.5, and 0.5 / 0.02 = 25.
        ([bid("p", 40, 0.05), bid("q", 60, 0.02), bid("r", 50, 0.01)], 5, {"p": 24, "q": 25, "r": 5}),
        # 0.03 x 10 / 0.04 = 7.5 is rounded up.
        ([bid("p", 10, 0.04), bid("q", 10, 0.03)], 1, {"p": 8, "q": 1}),
        # Equal scores: the bid itself, whatever binary fractions make of 3 x 0.1 / 0.1.
        ([bid("p", 3, 0.1), bid("q", 3, 0.1)], 1, {"p": 3, "q": 1}),
        ([bid("p", 9, 0.5)], 9, {"p": 9}),
        ([], 1, {}),
    ],
)
def test_a_click_costs_the_least_that_keeps_the_place(
    offered: list[Bid], reserve: int, expected: dict[str, int]
) -> None:
    ordered = by_score(offered)
    assert {one.product_id: cost for one, cost in zip(ordered, prices(ordered, reserve), strict=True)} == expected


def test_ties_go_by_product_then_campaign() -> None:
    tied = [Bid("b", "p", 4, 0.5), Bid("a", "q", 2, 1.0), Bid("a", "p", 2, 1.0)]
    assert [(one.product_id, one.campaign_id) for one in by_score(tied)] == [("p", "a"), ("p", "b"), ("q", "a")]


@given(lists, reserves)
def test_no_click_costs_more_than_its_bid_or_less_than_the_reserve(offered: list[Bid], reserve: int) -> None:
    ordered = by_score(one for one in offered if one.units >= reserve)
    for one, cost in zip(ordered, prices(ordered, reserve), strict=True):
        assert reserve <= cost <= one.units


@given(lists, reserves)
def test_the_price_keeps_the_place_and_one_unit_less_would_not(offered: list[Bid], reserve: int) -> None:
    ordered = by_score(one for one in offered if one.units >= reserve)
    for place, cost in enumerate(prices(ordered, reserve)[:-1]):
        paid, following = ordered[place], ordered[place + 1]
        assert replace(paid, units=cost).score >= following.score * (1 - 1e-8)
        if cost > reserve:
            assert replace(paid, units=cost - 1).score < following.score * (1 + 1e-8)


@given(lists, bids, st.integers(1, 10**6))
def test_who_bids_more_stands_no_lower_and_pays_no_less(others: list[Bid], one: Bid, more: int) -> None:
    others = [replace(other, campaign_id="z") for other in others]
    higher = replace(one, units=one.units + more)
    before, after = by_score([*others, one]), by_score([*others, higher])
    assert after.index(higher) <= before.index(one)
    assert prices(after, 1)[after.index(higher)] >= prices(before, 1)[before.index(one)]


@given(lists)
def test_scores_fall(offered: list[Bid]) -> None:
    scores = [one.score for one in by_score(offered)]
    assert scores == sorted(scores, reverse=True)
