"""What visitors do in the sample shop, in the order of time: search, view, add to cart, purchase."""

import heapq
import math
from collections.abc import Generator, Iterator
from datetime import timedelta
from typing import Any

from cli.sample.draw import Draw
from cli.sample.lexicon import ProductType
from cli.sample.products import CLOCK_START, Facts, Shop, timestamp
from cli.sample.queries import query_for
from cli.sample.visitors import Visitor, Visitors

SPAN_S = 90 * 86_400.0
_SHOWN = 5


def events(shop: Shop, visitors: Visitors) -> Iterator[dict[str, Any]]:
    """A row for each event. Sessions start one after the other over 90 days and overlap: their events are merged by
    time, with only the open sessions in memory."""
    sessions = max(1, shop.products // 2)
    slot_s = SPAN_S / sessions
    waiting: list[tuple[float, int, int, dict[str, Any]]] = []
    for number in range(sessions):
        draw = Draw(shop.seed, "session", number)
        start_s = (number + draw.fraction()) * slot_s
        while waiting and waiting[0][0] < number * slot_s:
            yield _dated(heapq.heappop(waiting))
        for place, (time_s, event) in enumerate(_Session(shop, visitors, number, draw).events(start_s)):
            heapq.heappush(waiting, (time_s, number, place, event))
    while waiting:
        yield _dated(heapq.heappop(waiting))


def _dated(entry: tuple[float, int, int, dict[str, Any]]) -> dict[str, Any]:
    time_s, session, place, event = entry
    time = CLOCK_START + timedelta(seconds=int(time_s))
    return {
        "id": f"E{session + 1:07d}-{place + 1}",
        "session_id": f"S{session + 1:07d}",
        "event_time": timestamp(time),
        **event,
    }


class _Session:
    """One visit: an errand that follows from the visitor's tastes, and at times an accessory for what was bought."""

    def __init__(self, shop: Shop, visitors: Visitors, number: int, draw: Draw) -> None:
        self._shop = shop
        self._draw = draw
        self._visitor: Visitor = visitors.visitor(draw.skewed(visitors.count, 1.5))

    def events(self, start_s: float) -> Iterator[tuple[float, dict[str, Any]]]:
        """The visit's events with their times in seconds."""
        time_s = start_s
        kind = self._visitor.types[self._draw.skewed(len(self._visitor.types), 1.6)]
        for event in self._errands(kind):
            yield time_s, {"visitor_id": self._visitor.id, **event}
            time_s += 5 + self._draw.fraction() ** 2 * 120

    def _errands(self, kind: ProductType) -> Iterator[dict[str, Any]]:
        bought = yield from self._errand(kind)
        accessories = [other for other in self._shop.offered if other.host == kind.key] if bought else []
        if accessories and self._draw.chance(0.6):
            yield from self._errand(self._draw.one(accessories))

    def _errand(self, kind: ProductType) -> Generator[dict[str, Any], None, bool]:
        """Yields the events of looking for one thing; returns whether it was bought."""
        draw, visitor = self._draw, self._visitor
        shown = self._shown(kind)
        best = max(shown, key=visitor.liking)
        query = query_for(best, visitor.language, draw)
        yield {"event_type": "search", "query": query.text, "product_ids": [facts.id for facts in shown]}
        viewed = [facts for facts in shown if draw.chance(_likely(visitor.liking(facts) - 0.6))]
        for facts in viewed:
            yield {"event_type": "view", "product_ids": [facts.id]}
        if not viewed:
            return False
        favourite = max(viewed, key=visitor.liking)
        if not draw.chance(0.6 * _likely(visitor.liking(favourite) - 1.0)):
            return False
        yield {"event_type": "add-to-cart", "product_ids": [favourite.id], "quantity": 1}
        if not draw.chance(0.6):
            return False
        yield {"event_type": "purchase", "product_ids": [favourite.id], "quantity": 1}
        return True

    def _shown(self, kind: ProductType) -> list[Facts]:
        """Some products of the type, popular ones oftener, in the visitor's language where there are any."""
        shop, draw = self._shop, self._draw
        count = shop.count(kind)
        drawn = dict.fromkeys(shop.index_of(kind, draw.skewed(count, 2.0)) for _ in range(2 * _SHOWN))
        own = [index for index in drawn if shop.language_of(index) == self._visitor.language]
        return [shop.facts(index) for index in (own or list(drawn))[:_SHOWN]]


def _likely(liking: float) -> float:
    return 1 / (1 + math.exp(-3 * liking))
