"""Estimates over visitors: figures of an arm, and how far two arms are apart. Visitors are drawn; events are not.

A visitor's events hang together, so every figure is a ratio of sums over visitors, and its variance is that of
the visitors by the delta method (Deng, Knoblich and Lu 2018, "Applying the Delta Method in Metric Analytics").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

_Z = float(stats.norm.ppf(0.975))
_POWER_Z = float(stats.norm.ppf(0.8))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, the bounds of its 95 % interval, and its variance."""

    value: float
    low: float
    high: float
    variance: float


@dataclass(frozen=True, slots=True)
class Lift:
    """How an arm's figure differs from the control's, relative to it: 0.05 is 5 % more.

    The bounds (95 %) are None where the control's figure may as well be 0. `p_value`: two-sided, that there is no
    difference. `detectable`: the lift that the experiment, as large as it is, would find with a probability of 80 %.
    """

    value: float
    low: float | None
    high: float | None
    p_value: float
    detectable: float


def ratio(numerators: NDArray[np.float64], denominators: NDArray[np.float64]) -> Estimate | None:
    """Sum by sum over the visitors, both (visitors,); None where the denominators' sum or all variety is missing."""
    count, whole = len(numerators), float(denominators.sum())
    if count < 2 or whole <= 0:
        return None
    value = float(numerators.sum()) / whole
    spread = numerators - value * denominators
    variance = float(spread @ spread) / (count - 1) / count / (whole / count) ** 2
    margin = _Z * sqrt(variance)
    return Estimate(value, value - margin, value + margin, variance)


def lift(arm: Estimate, control: Estimate) -> Lift | None:
    """The arm's lift over the control; None where the control's figure is 0 or neither varies.

    The interval is Fieller's (1954), the lifts that a test on the difference would not refuse; so it holds 0 exactly
    where p is above 0.05.
    """
    both = sqrt(arm.variance + control.variance)
    if control.value <= 0 or both == 0:
        return None
    p_value = 2 * float(stats.norm.sf(abs(arm.value - control.value) / both))
    value = arm.value / control.value
    detectable = (_Z + _POWER_Z) * both / control.value
    # Roots of (arm - r control)^2 = z^2 (var arm + r^2 var control).
    square = control.value**2 - _Z**2 * control.variance
    if square <= 0:
        return Lift(value - 1, None, None, p_value, detectable)
    middle = arm.value * control.value / square
    reach = sqrt(max(middle**2 - (arm.value**2 - _Z**2 * arm.variance) / square, 0.0))
    return Lift(value - 1, middle - reach - 1, middle + reach - 1, p_value, detectable)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values raised so that, of all together, one is at most 0.05 by chance in 5 % of cases (Holm 1979)."""
    raised, highest = [0.0] * len(p_values), 0.0
    for done, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - done) * p_values[index]))
        raised[index] = highest
    return raised


def sample_ratio_p(counts: Mapping[str, int], weights: Mapping[str, float]) -> float:
    """p that so many visitors in each arm come from these weights (chi-square); 1 without visitors."""
    whole = sum(counts.values())
    if not whole:
        return 1.0
    expected = [weights[arm] * whole / sum(weights.values()) for arm in counts]
    return float(stats.chisquare(list(counts.values()), expected).pvalue)


def sign_p(wins: int, losses: int) -> float:
    """Two-sided p of so many wins were each a coin's throw (sign test); 1 without any."""
    return float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
