"""p(click) of an ad: what its relevance makes us expect, corrected by what campaign and product showed.

Clicks over expected clicks (Zhang and Jones 2007): each counted impression adds what its relevance made us expect, so
that an ad is not taken for a bad one because it was shown where it fitted less. The correction is shrunk twice, the
product's towards the campaign's and that towards 1 (a gamma prior, the Beta prior's like for expected counts).
"""

from dataclasses import dataclass

# Expected clicks that the prior weighs: with a rate of 0.02, 100 impressions.
_PRIOR_CLICKS = 2.0
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of an ad's impressions: clicks, and those that were expected."""

    clicks: int = 0
    expected: float = 0.0


def relevance_probability(relevance: float, click_rate: float) -> float:
    """What a relevance in [0, 1] makes us expect; one of 0.5 the middling rate."""
    return 2 * click_rate * relevance


def corrected(probability: float, campaign: Shown, product: Shown) -> float:
    """The probability, corrected by what the campaign, and its product, showed so far; in (0, 1)."""
    ratio = (campaign.clicks + _PRIOR_CLICKS) / (campaign.expected + _PRIOR_CLICKS)
    ratio = (product.clicks + _PRIOR_CLICKS * ratio) / (product.expected + _PRIOR_CLICKS)
    return min(max(scaled(probability, ratio), _LEAST), 1 - _LEAST)


def scaled(probability: float, factor: float) -> float:
    """The probability with its odds times a factor: of small ones as good as their product, and always in (0, 1)."""
    return probability * factor / (1 - probability + probability * factor)
