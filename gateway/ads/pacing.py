"""Pacing: how often a campaign takes part, so that its budget lasts the day.

Probabilistic throttling along the day's traffic (Agarwal, Ghosh, Wei and You 2014, "Budget Pacing for Targeted Online
Advertisements at LinkedIn"), without a state of its own: what was spent is compared with what the traffic so far is
worth, and with what it will be worth in a while.
"""

from collections.abc import Mapping
from datetime import datetime

# So far ahead of the day a budget may run: the less, the steadier the day, and the more sudden the throttle.
AHEAD_HOURS = 0.25
# Fewer calls yesterday say nothing about how a day goes.
MIN_CALLS = 1_000


def pass_probability(budget: int, spent: int, gone: float, ahead: float) -> float:
    """How likely a campaign takes part now.

    `gone` is the share of the day's traffic that is over, `ahead` the share that will be in a while. 1 while spending
    is at or behind `gone`; 0 when it is as far as `ahead`; between them in a straight line.
    """
    if spent >= budget:
        return 0.0
    if spent <= gone * budget:
        return 1.0
    if spent >= ahead * budget:
        return 0.0
    return (ahead * budget - spent) / ((ahead - gone) * budget)


def traffic_gone(now: datetime, yesterday: Mapping[int, int]) -> tuple[float, float]:
    """Shares of the day's (UTC) traffic that are over now and will be AHEAD_HOURS from now.

    By the calls of each hour of yesterday; evenly over the day where these were few.
    """
    hour = now.hour + now.minute / 60 + now.second / 3600
    calls = [yesterday.get(one, 0) for one in range(24)]
    if sum(calls) < MIN_CALLS:
        calls = [1] * 24
    return _until(calls, hour), _until(calls, min(hour + AHEAD_HOURS, 24.0))


def _until(calls: list[int], hour: float) -> float:
    whole = int(hour)
    part = calls[whole] * (hour - whole) if whole < 24 else 0.0
    return (sum(calls[:whole]) + part) / sum(calls)
