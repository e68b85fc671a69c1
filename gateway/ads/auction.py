"""The auction: ads by p(click) times bid, each paying the least that would have kept its place.

Generalised second price with quality scores (Edelman, Ostrovsky and Schwarz 2007; Varian 2007).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# What rounding errors may make of a price that is a whole number.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Bid:
    """A campaign's bid for a product in one answer, in smallest units, and the probability of a click, in (0, 1).

    `expected_clicks` is that probability before it is corrected by what the ad showed so far.
    """

    campaign_id: str
    product_id: str
    units: int
    click_probability: float
    expected_clicks: float = 0.0

    @property
    def score(self) -> float:
        """What a showing is worth, in smallest units."""
        return self.click_probability * self.units


def by_score(bids: Iterable[Bid]) -> list[Bid]:
    """Best first; ties by product, then campaign."""
    return sorted(bids, key=lambda bid: (-bid.score, bid.product_id, bid.campaign_id))


def prices(ordered: Sequence[Bid], reserve: int) -> list[int]:
    """What a click costs each of the bids, which come best first: at least `reserve`, never above the bid.

    With probability p the next score s is kept off by a bid of s / p, rounded up to whole units. No bid lies below
    `reserve`.
    """
    scores = [*(bid.score for bid in ordered[1:]), 0.0] if ordered else []
    return [
        min(max(math.ceil(score / bid.click_probability * (1 - _ROUNDING)), reserve), bid.units)
        for bid, score in zip(ordered, scores, strict=True)
    ]
