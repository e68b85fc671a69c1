"""What write.lua is told of events."""

from collections.abc import Sequence
from datetime import UTC
from hashlib import blake2b
from typing import Any

from gateway.events.popularity import FORGOTTEN_HALF_LIVES, LATELY, QUERIES, WEIGHTS, Decay, asked_query, segments
from gateway.events.record import json_text, milliseconds, packed_actions
from gateway.events.settings import EventsSettings
from vitrine.user_event import EventType, UserEvent, visitor_digest

_DAY_LIST_LIFE_S = 2 * 86_400


class WriteArguments:
    """Makes the script's arguments; `start` is how the store's keys begin."""

    def __init__(self, settings: EventsSettings, start: str, decay: Decay, trend_decay: Decay) -> None:
        self._decay, self._trend_decay = decay, trend_decay
        self._popularity = f"{start}popularity:"
        self.keys = (f"{start}stream", f"{start}erasures")
        self._for_all = _encoded(
            {
                "start": start,
                "history_actions": settings.history_actions,
                "history_life_s": round(settings.history_days * 86_400),
                "popularity_life_s": round(FORGOTTEN_HALF_LIVES * decay.half_life_s),
                "popular_products": settings.popular_products,
                "visitor_products": settings.visitor_products,
                "visitor_queries": settings.visitor_queries,
                "day_life_s": _DAY_LIST_LIFE_S,
                "fresh_ms": round(settings.fresh_minutes * 60_000),
                "fresh_weight": settings.fresh_weight,
                "fresh_ratio": settings.fresh_ratio,
            }
        )

    def of(self, events: Sequence[UserEvent], packed: Sequence[bytes]) -> list[bytes]:
        """ARGV for checked events and their data."""
        digests = [
            (visitor_digest(event.visitor_id), blake2b(event.event_id.encode(), digest_size=12).digest())
            for event in events
        ]
        told = [self._event(event, *pair) for event, pair in zip(events, digests, strict=True)]
        return [self._for_all, _encoded(told), b"".join(visitor + event for visitor, event in digests), *packed]

    def _event(self, event: UserEvent, visitor: bytes, digest: bytes) -> dict[str, Any]:
        told: dict[str, Any] = {"time": 0, "visitor": visitor.hex(), "actions": packed_actions(event, digest)}
        time, weight = event.event_time, WEIGHTS.get(event.event_type)
        assert time is not None
        told["time"] = milliseconds(time)
        told["counts"] = [] if weight is None else _counts(event, weight)
        if told["counts"]:
            told["day"] = time.astimezone(UTC).date().isoformat()
            told["popularity"] = f"{self._popularity}{self._decay.name}:{self._decay.era(time)}:"
            told["growth"] = self._decay.growth(time)
            era = self._trend_decay.era(time)
            told["lately"] = f"{self._popularity}{self._trend_decay.name}:{era}:{LATELY}"
            told["growth_lately"] = self._trend_decay.growth(time)
        if event.event_type is EventType.SEARCH and (asked := asked_query(event.query)):
            told["asked"] = asked
            told["queries"] = f"{self._popularity}{self._decay.name}:{self._decay.era(time)}:{QUERIES}"
            told["growth"] = self._decay.growth(time)
        return told


def _counts(event: UserEvent, weight: int) -> list[tuple[str, int, list[str]]]:
    return [(product.product_id, weight, list(segments(event, product.category))) for product in event.products]


def _encoded(value: Any) -> bytes:
    # A lone surrogate cannot come over gRPC, but from a caller in this process.
    return json_text(value).encode("utf-8", "replace")
