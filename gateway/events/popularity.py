"""How events make products popular, and how that fades.

Forward decay (Cormode et al. 2009, "Forward Decay: A Practical Time Decay Model for Streaming Systems"): instead of
shrinking old counts, an event's own moment makes its unit larger, so that late events count what they should and
nothing has to be rewritten. Units double with each half-life; they start at 1 anew in each era, long before they would
leave a float's range.
"""

from collections.abc import Iterator
from datetime import datetime

from vitrine.product import category_prefixes
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


class Decay:
    """Turns weights at a moment into units of an era and back."""

    def __init__(self, half_life_days: float) -> None:
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
