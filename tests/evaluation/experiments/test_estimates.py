"""Estimates: exact on small data, and right as often as they say."""

import numpy as np
import pytest

from evaluation.experiments.estimates import Estimate, holm, lift, ratio, sample_ratio_p, sign_p


def test_a_mean_is_that_of_the_visitors() -> None:
    found = ratio(np.array([0.0, 1.0, 1.0, 0.0]), np.ones(4))
    assert found is not None
    # Sample variance 1/3, over 4 visitors.
    assert (found.value, found.variance) == (0.5, pytest.approx(1 / 12))
    assert (found.low, found.high) == pytest.approx((0.5 - 1.959964 * 12**-0.5, 0.5 + 1.959964 * 12**-0.5))


def test_a_ratio_is_clustered_by_visitor() -> None:
    clicks, shown = np.array([1.0, 0.0, 4.0]), np.array([10.0, 10.0, 20.0])
    found = ratio(clicks, shown)
    assert found is not None
    assert found.value == pytest.approx(5 / 40)
    # Residuals -1/4, -5/4, 3/2: sum of squares 3.875, over 2, over 3 visitors, over the mean of 40/3 shown squared.
    assert found.variance == pytest.approx(3.875 / 2 / 3 / (40 / 3) ** 2)
    # As if each impression were drawn by itself it would be another one.
    assert found.variance != pytest.approx(0.125 * 0.875 / 40, rel=0.1)


@pytest.mark.parametrize(("numerators", "denominators"), [([], []), ([1.0], [1.0]), ([0.0, 0.0], [0.0, 0.0])])
def test_of_too_little_nothing_is_said(numerators: list[float], denominators: list[float]) -> None:
    assert ratio(np.array(numerators), np.array(denominators)) is None


def test_a_lift_and_its_interval_agree_with_p() -> None:
    def estimate(value: float, variance: float) -> Estimate:
        return Estimate(value, 0, 0, variance)

    found = lift(estimate(0.12, 0.0001), estimate(0.10, 0.0001))
    assert found is not None
    assert found.value == pytest.approx(0.2)
    assert found.p_value == pytest.approx(0.1573, abs=1e-4)  # z = 0.02 / sqrt(0.0002) = 1.4142
    assert found.detectable == pytest.approx(2.801585 * 0.0002**0.5 / 0.1)
    # Fieller: roots of (0.12 - 0.1 r)^2 = 1.96^2 * 0.0001 (1 + r^2).
    for bound in (found.low, found.high):
        assert bound is not None
        assert (0.12 - 0.1 * (1 + bound)) ** 2 == pytest.approx(1.959964**2 * 0.0001 * (1 + (1 + bound) ** 2))
    for difference in (0.001, 0.0277, 0.02772, 0.05):
        found = lift(estimate(0.2 + difference, 0.0001), estimate(0.2, 0.0001))
        assert found is not None
        assert found.low is not None
        assert (found.low > 0) == (found.p_value < 0.05)


def test_no_lift_over_what_may_be_nothing() -> None:
    nothing, little, some = Estimate(0, 0, 0, 0), Estimate(0.01, 0, 0, 0.0001), Estimate(0.02, 0, 0, 0.0001)
    assert lift(some, nothing) is None
    found = lift(some, little)
    assert found is not None
    assert (found.low, found.high) == (None, None)


def test_intervals_hold_the_truth_and_equal_arms_differ_as_often_as_said() -> None:
    """1,000 experiments of 500 visitors an arm; visitors differ, and their impressions hang together."""
    draws = np.random.default_rng(11)
    rounds, visitors = 1_000, 500
    held = differed = 0
    for _ in range(rounds):
        estimates = []
        for _arm in range(2):
            shown = draws.poisson(8, visitors) + 1.0
            clicks = draws.binomial(shown.astype(int), draws.beta(1, 9, visitors)).astype(float)
            estimates.append(ratio(clicks, shown))
        control, arm = estimates
        assert control is not None
        assert arm is not None
        held += control.low <= 0.1 <= control.high
        found = lift(arm, control)
        assert found is not None
        differed += found.p_value < 0.05
    # Four standard errors of 5 % in 1,000 draws are 2.8 points.
    assert abs(held / rounds - 0.95) < 0.028
    assert abs(differed / rounds - 0.05) < 0.028


def test_a_real_lift_is_found_as_often_as_the_detectable_one_says() -> None:
    draws = np.random.default_rng(5)
    found = []
    for _ in range(600):
        control = ratio(draws.binomial(1, 0.10, 2_000).astype(float), np.ones(2_000))
        arm = ratio(draws.binomial(1, 0.10 * 1.27, 2_000).astype(float), np.ones(2_000))
        assert control is not None
        assert arm is not None
        found.append(lift(arm, control))
    # At 2,000 visitors an arm 27 % is about what is detectable.
    assert np.mean([one.detectable for one in found if one]) == pytest.approx(0.27, abs=0.02)
    assert np.mean([one.p_value < 0.05 for one in found if one]) == pytest.approx(0.8, abs=0.08)


def test_holm_raises_the_smallest_most() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_sample_ratio_that_is_no_chance_is_seen() -> None:
    weights = {"a": 1.0, "b": 1.0}
    assert sample_ratio_p({"a": 5_000, "b": 5_000}, weights) == 1.0
    assert sample_ratio_p({"a": 5_050, "b": 4_950}, weights) == pytest.approx(0.3173, abs=1e-4)  # chi-square 1
    assert sample_ratio_p({"a": 5_300, "b": 4_700}, weights) < 1e-8
    assert sample_ratio_p({"a": 7_500, "b": 2_500}, {"a": 3.0, "b": 1.0}) == 1.0
    assert sample_ratio_p({"a": 0, "b": 0}, weights) == 1.0


def test_the_sign_test() -> None:
    assert sign_p(0, 0) == 1.0
    assert sign_p(9, 1) == pytest.approx(22 / 1024)
    assert sign_p(1, 9) == sign_p(9, 1)
