"""Tests of the depth that fits the time left."""

import pytest

from gateway.rank_depth import RankDepth


def depth_at(pair_cost_s: float) -> RankDepth:
    depth = RankDepth(min_time_s=0.005)
    depth.measured(1, pair_cost_s)
    return depth


@pytest.mark.parametrize(
    ("asked", "time_left_s", "first", "later"),
    [
        (32, 1.0, 32, 32),
        (32, 0.0402, 20, 20),
        (0, 1.0, 0, 0),
        (32, 0.004, 0, 0),
        (32, -1.0, 0, 0),
        (2, 0.006, 2, 2),
        (32, 0.0062, 4, 0),
        (3, 0.0062, 3, 3),
    ],
)
def test_fits_half_of_the_time_left(asked: int, time_left_s: float, first: int, later: int) -> None:
    assert depth_at(0.001).fit(asked, time_left_s, is_first=True) == first
    assert depth_at(0.001).fit(asked, time_left_s, is_first=False) == later


@pytest.mark.parametrize(("time_left_s", "fits"), [(0.0202, 32), (0.0182, 9), (0.0062, 4), (0.004, 0)])
def test_where_what_is_shown_fits_all_is_asked(time_left_s: float, fits: int) -> None:
    assert depth_at(0.001).fit(32, time_left_s, is_first=True, enough=10) == fits


def test_a_call_of_few_pairs_says_little_of_what_a_pair_costs() -> None:
    """Most of its time is the wait: counted for each pair, every product that changes would cut others' depth."""
    depth = depth_at(0.001)
    for _ in range(50):
        depth.measured(pairs=25, duration_s=0.1)
        depth.measured(pairs=1, duration_s=0.05)
    assert depth.pair_cost_s == pytest.approx(0.15 / 26, rel=0.3)


def test_begins_with_a_probe_and_so_it_does_after_a_call_was_given_up() -> None:
    depth = RankDepth(min_time_s=0.005)
    assert depth.fit(32, 10.0, is_first=True) == 4
    depth.measured(4, 0.004)
    assert depth.fit(32, 10.0, is_first=True) == 32
    depth.given_up()
    assert depth.fit(32, 10.0, is_first=True) == 4
    assert depth.fit(32, 10.0, is_first=False) == 0


def test_follows_what_is_measured() -> None:
    depth = depth_at(0.001)
    for _ in range(50):
        depth.measured(pairs=10, duration_s=0.1)
    assert depth.pair_cost_s == pytest.approx(0.01, rel=1e-3)
    assert depth.fit(32, 0.4, is_first=True) in (19, 20)


def test_an_estimate_made_under_load_is_corrected_once_it_is_over() -> None:
    depth = depth_at(0.001)
    for _ in range(50):
        depth.measured(pairs=4, duration_s=10.0)
    assert depth.fit(32, 1.0, is_first=True) == 4
    for _ in range(100):
        depth.measured(pairs=depth.fit(32, 1.0, is_first=True), duration_s=0.01)
    assert depth.fit(32, 1.0, is_first=True) == 32


def test_a_cost_of_nothing_is_no_division_by_zero() -> None:
    depth = depth_at(0.001)
    for _ in range(200):
        depth.measured(pairs=10, duration_s=0.0)
    assert depth.fit(32, 0.01, is_first=True) == 32
