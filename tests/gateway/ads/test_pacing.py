"""Pacing: shares of the day, and a day simulated click by click."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ads.pacing import pass_probability, traffic_gone

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_day_is_even_where_little_is_known_of_yesterday() -> None:
    assert traffic_gone(MIDNIGHT, {}) == (0.0, pytest.approx(0.25 / 24))
    assert traffic_gone(MIDNIGHT + timedelta(hours=12), {3: 999}) == (pytest.approx(0.5), pytest.approx(12.25 / 24))
    assert traffic_gone(MIDNIGHT + timedelta(hours=23, minutes=54), {}) == (pytest.approx(23.9 / 24), 1.0)


def test_the_day_goes_as_yesterday_went() -> None:
    evening = {19: 1_000, 20: 3_000}
    assert traffic_gone(MIDNIGHT + timedelta(hours=18), evening) == (0.0, 0.0)
    assert traffic_gone(MIDNIGHT + timedelta(hours=19, minutes=48), evening) == pytest.approx((0.2, 0.25 + 0.0375))
    assert traffic_gone(MIDNIGHT + timedelta(hours=22), evening) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("spent", "gone", "ahead", "expected"),
    [
        (0, 0.0, 0.1, 1.0),  # nothing spent
        (0, 0.0, 0.0, 1.0),  # the same, in hours without traffic
        (1, 0.0, 0.0, 0.0),  # something spent in them
        (500, 0.5, 0.6, 1.0),  # just on time
        (550, 0.5, 0.6, 0.5),  # half as far ahead as is allowed
        (600, 0.5, 0.6, 0.0),
        (900, 0.5, 0.6, 0.0),
        (999, 1.0, 1.0, 1.0),  # the day is over, and something left
        (1_000, 1.0, 1.0, 0.0),  # nothing left
        (1_001, 0.0, 1.0, 0.0),
    ],
)
def test_who_is_ahead_of_time_stands_back(spent: int, gone: float, ahead: float, expected: float) -> None:
    assert pass_probability(1_000, spent, gone, ahead) == pytest.approx(expected)


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.floats(0, 1), st.floats(0, 1))
def test_it_is_a_probability_that_falls_with_spending(budget: int, spent: int, one: float, other: float) -> None:
    gone, ahead = sorted((one, other))
    now = pass_probability(budget, spent, gone, ahead)
    assert 0.0 <= now <= 1.0
    assert pass_probability(budget, spent + 1, gone, ahead) <= now


def test_a_budget_lasts_a_day_whose_traffic_would_spend_ten_times_as_much() -> None:
    """20,000 calls in a day of which each second one becomes a click of 1, for a budget of 1,000; the seed is fixed."""
    chance, spent, by_hour = random.Random(7), 0, [0] * 24
    for call in range(20_000):
        now = MIDNIGHT + timedelta(days=1) * (call / 20_000)
        passes = chance.random() < pass_probability(1_000, spent, *traffic_gone(now, {}))
        if passes and chance.random() < 0.5:
            spent += 1
            by_hour[now.hour] += 1
    assert 990 <= spent <= 1_000
    # An even hour is 41.7; the first takes a quarter of an hour more, and the last one is short of it.
    assert max(by_hour) <= 55
    assert min(by_hour) >= 28
