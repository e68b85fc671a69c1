"""Tests of the depth that fits the time left."""

import pytest

from gateway.rank_depth import RankDepth


def depth_at(pair_cost_s: float) -> RankDepth:
    return RankDepth(pair_cost_s, min_time_s=0.005)


@pytest.mark.parametrize(
    ("asked", "time_left_s", "depth"),
    [(32, 1.0, 32), (32, 0.02, 20), (0, 1.0, 0), (32, 0.004, 0), (32, -1.0, 0), (2, 0.006, 2), (32, 0.006, 6)],
)
def test_fits_the_time_left(asked: int, time_left_s: float, depth: int) -> None:
    assert depth_at(0.001).fit(asked, time_left_s) == depth


def test_follows_what_is_measured() -> None:
    depth = depth_at(0.001)
    for _ in range(50):
        depth.measured(pairs=10, duration_s=0.1)
    assert depth.pair_cost_s == pytest.approx(0.01, rel=1e-3)
    assert depth.fit(32, 0.2) in (19, 20)


def test_an_estimate_made_under_load_is_corrected_once_it_is_over() -> None:
    depth = depth_at(0.001)
    for _ in range(50):
        depth.measured(pairs=4, duration_s=10.0)
    asked = depth.fit(32, 1.0)
    assert asked > 0
    for _ in range(100):
        depth.measured(pairs=depth.fit(32, 1.0), duration_s=0.01)
    assert depth.fit(32, 1.0) == 32


def test_a_cost_of_nothing_is_no_division_by_zero() -> None:
    depth = depth_at(0.001)
    for _ in range(200):
        depth.measured(pairs=10, duration_s=0.0)
    assert depth.fit(32, 0.01) == 32
