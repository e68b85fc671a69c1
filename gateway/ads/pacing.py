"""Pacing: how often a campaign takes part, so that its budget lasts the day.

Probabilistic throttling along the day's traffic (Agarwal, Ghosh, Wei and You 2014, "Budget Pacing for Targeted Online
Advertisements at LinkedIn"), without a state of its own: what was spent is compared with what the traffic so far is
worth, and with what it will be worth an hour from now.
"""

from collections.abc import Mapping
from datetime import datetime

_AHEAD_HOURS = 1.0
# Fewer calls yesterday say nothing about how a day goes.
MIN_CALLS = 1_000


def pass_probability(budget: int, spent: int, gone: float, ahead: float) -> float:
    """How likely a campaign takes part now.

    `gone` is the share of the day's traffic that is over, `ahead` the share that will be an hour from now. 1 while
    spending is at or behind `gone`; 0 when it is as far as `ahead`; between them in a straight line.
    """
    if spent >= budget:
        return 0.0
    room = (ahead - gone) * budget
    left = ahead * budget - spent
    return 1.0 if left >= room else max(left / room, 0.0)


def traffic_gone(now: datetime, yesterday: Mapping[int, int]) -> tuple[float, float]:
    """Shares of the day's (UTC) traffic that are over now and will be in an hour.

    By the calls of each hour of yesterday; evenly over the day where these were few.
    """
    hour = now.hour + now.minute / 60 + now.second / 3600
    calls = [yesterday.get(one, 0) for one in range(24)]
    if sum(calls) < MIN_CALLS:
        calls = [1] * 24
    return _until(calls, hour), _until(calls, min(hour + _AHEAD_HOURS, 24.0))


def _until(calls: list[int], hour: float) -> float:
    whole = int(hour)
    part = calls[whole] * (hour - whole) if whole < 24 else 0.0
    return (sum(calls[:whole]) + part) / sum(calls)
