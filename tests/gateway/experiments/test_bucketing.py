"""Buckets: even, independent between experiments, and stable while traffic grows."""

from collections import Counter

import pytest

from gateway.experiments.bucketing import arm_at, point

VISITORS = [f"visitor-{number}" for number in range(10_000)]


def chi_square(counts: list[int], shares: list[float]) -> float:
    whole = sum(counts)
    return sum((count - whole * share) ** 2 / (whole * share) for count, share in zip(counts, shares, strict=True))


@pytest.mark.parametrize("experiment", ["home", "ranks", "首页"])
def test_points_are_even(experiment: str) -> None:
    points = [point(experiment, "", visitor) for visitor in VISITORS]
    assert all(0 <= one < 1 for one in points)
    counts = Counter(int(one * 100) for one in points)
    # 99 degrees of freedom: 99.9 % of even draws lie below 148.2.
    assert chi_square([counts[bucket] for bucket in range(100)], [0.01] * 100) < 148.2


@pytest.mark.parametrize("other", [("ranks", ""), ("home", "again")])
def test_experiments_and_salts_are_independent(other: tuple[str, str]) -> None:
    cells = Counter((int(point("home", "", one) * 5), int(point(*other, one) * 5)) for one in VISITORS)
    # 5 x 5 cells, 24 degrees of freedom: 99.9 % lie below 51.2.
    assert chi_square([cells[row, column] for row in range(5) for column in range(5)], [0.04] * 25) < 51.2


def test_a_visitors_point_never_changes() -> None:
    assert point("home", "", "ana") == point("home", "", "ana")
    # Written down: another value would move visitors of running experiments between arms.
    assert point("home", "", "ana") == pytest.approx(0.49119911923604853, abs=1e-15)


def test_growth_moves_nobody_between_arms_and_keeps_the_shares() -> None:
    weights = [2.0, 1.0, 1.0]
    before: dict[str, int] = {}
    for traffic in (0.01, 0.1, 0.4, 1.0):
        arms = {one: arm for one in VISITORS if (arm := arm_at(point("home", "", one), weights, traffic)) is not None}
        assert all(arms[visitor] == arm for visitor, arm in before.items())
        assert len(arms) == pytest.approx(traffic * len(VISITORS), rel=0.2)
        counts = Counter(arms.values())
        # 2 degrees of freedom: 99.9 % lie below 13.8.
        assert chi_square([counts[arm] for arm in range(3)], [0.5, 0.25, 0.25]) < 13.8
        before = arms
    assert len(before) == len(VISITORS)
