"""How events make products popular, and how that fades.

Forward decay (Cormode et al. 2009, "Forward Decay: A Practical Time Decay Model for Streaming Systems"): instead of
shrinking old counts, an event's own moment makes its unit larger, so that late events count what they should and
nothing has to be rewritten. Units double with each half-life; they start at 1 anew in each era, long before they would
leave a float's range.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime

from vitrine.product import category_prefixes
from vitrine.text import normalize_text
from vitrine.user_event import EventType, UserEvent

WEIGHTS = {
    EventType.SELECT_ITEM: 1,
    EventType.VIEW_ITEM: 1,
    EventType.ADD_TO_WISHLIST: 2,
    EventType.ADD_TO_CART: 3,
    EventType.PURCHASE: 5,
}
_ERA_HALF_LIVES = 512
# A weight of 2**-64 is nothing beside that of one event of today.
FORGOTTEN_HALF_LIVES = 64
_MAX_LEVELS = 5
# The name of the counts by a short half-life, of all products.
LATELY = "lately"
# The name of the counts of what visitors searched for.
QUERIES = "queries"
# What is longer is pasted, and nobody begins to type it.
_MAX_ASKED_CHARACTERS = 80
# So many standard deviations more than expected is no chance, where some hundred products are looked at.
_RISEN_DEVIATIONS = 3.0


class Decay:
    """Turns weights at a moment into units of an era and back."""

    def __init__(self, half_life_days: float) -> None:
        self.name = f"{half_life_days:g}"
        self.half_life_s = half_life_days * 86_400
        self._era_s = _ERA_HALF_LIVES * self.half_life_s

    def era(self, time: datetime) -> int:
        """The number of the era that a moment lies in."""
        return int(time.timestamp() // self._era_s)

    def growth(self, time: datetime) -> float:
        """What weight 1 at a moment is in units of its era."""
        return float(2 ** ((time.timestamp() % self._era_s) / self.half_life_s))

    def share(self, era: int, now: datetime) -> float:
        """What one unit of an era weighs now; 0 where it is as good as nothing."""
        age = (now.timestamp() - era * self._era_s) / self.half_life_s
        return float(2**-age) if age < _ERA_HALF_LIVES + FORGOTTEN_HALF_LIVES else 0.0


def asked_query(query: str) -> str:
    """The query as it is counted; "" for one that is not."""
    asked = normalize_text(query)
    return asked if len(asked) <= _MAX_ASKED_CHARACTERS else ""


def segments(event: UserEvent, category: str) -> Iterator[str]:
    """What a product of the event is counted under: all, the country, the category and its upper levels."""
    yield segment()
    if event.country_code:
        yield segment(country_code=event.country_code)
    if category:
        yield from (segment(category=path) for path in category_prefixes(category)[:_MAX_LEVELS])


def segment(category: str = "", country_code: str = "") -> str:
    """The name of a category's or country's counts; of neither: of all products."""
    if category:
        return f"category:{category}"
    return f"country:{country_code}" if country_code else "all"


def risen(lately: Mapping[str, float], usual: Mapping[str, float]) -> dict[str, float]:
    """Products that have more of the weight of late than they used to: log2 of how many times as much.

    `lately` are weights by a short half-life, `usual` the same products' by the long one. What is expected of a product
    is its usual share; counts scatter about that by its root. A shop that is busier, or new, has no trend by that.
    """
    all_lately, all_usual = math.fsum(lately.values()), math.fsum(usual[one] for one in lately)
    if all_usual <= 0:
        return {}
    found = {}
    for product_id, weight in lately.items():
        expected = usual[product_id] * all_lately / all_usual
        if expected > 0 and weight - expected >= _RISEN_DEVIATIONS * math.sqrt(expected):
            found[product_id] = math.log2(weight / expected)
    return found
