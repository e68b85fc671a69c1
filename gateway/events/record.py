"""An event as the store keeps it: JSON without what is not said."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from vitrine.ports import VisitorAction
from vitrine.user_event import EventProduct, EventType, UserEvent

# Made once: json.dumps makes one for each call that is not plain.
json_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_TEXTS = (
    "session_id",
    "query",
    "currency_code",
    "transaction_id",
    "attribution_token",
    "placement",
    "country_code",
)
_IN_HISTORY = frozenset(
    {
        EventType.SELECT_ITEM,
        EventType.VIEW_ITEM,
        EventType.ADD_TO_WISHLIST,
        EventType.ADD_TO_CART,
        EventType.REMOVE_FROM_CART,
        EventType.PURCHASE,
        EventType.REFUND,
        EventType.AD_CLICK,
    }
)


def milliseconds(time: datetime) -> int:
    """Whole milliseconds since 1970 of a time with its zone."""
    return round(time.timestamp() * 1000)


def moment(time_ms: float) -> datetime:
    """The time, in UTC, of milliseconds since 1970."""
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def packed_event(event: UserEvent) -> bytes:
    """A checked event as JSON."""
    assert event.event_time is not None
    kept: dict[str, Any] = {
        "event_id": event.event_id,
        "event_type": event.event_type.value,
        "visitor_id": event.visitor_id,
        "event_time_ms": milliseconds(event.event_time),
    }
    kept.update((name, text) for name in _TEXTS if (text := getattr(event, name)))
    if event.products:
        kept["products"] = [_packed_product(product) for product in event.products]
    # A lone surrogate cannot come over gRPC, but from a caller in this process.
    return json_text(kept).encode("utf-8", "replace")


def unpacked_event(data: bytes) -> UserEvent:
    """The event of `packed_event`."""
    kept = json.loads(data)
    return UserEvent(
        event_type=EventType(kept.pop("event_type")),
        event_time=moment(kept.pop("event_time_ms")),
        products=tuple(EventProduct(**product) for product in kept.pop("products", ())),
        **kept,
    )


def packed_actions(event: UserEvent, digest: bytes) -> list[str]:
    """What the event adds to its visitor's history; `digest` keeps the same done twice apart."""
    kind, tail = event.event_type, digest.hex()
    if kind is EventType.SEARCH:
        return [json_text([kind.value, "", event.query, tail])]
    if kind not in _IN_HISTORY:
        return []
    return [json_text([kind.value, product.product_id, "", tail]) for product in event.products]


def unpacked_actions(entries: Sequence[tuple[bytes, float]]) -> tuple[VisitorAction, ...]:
    """The actions of a history's entries and their times; one reading of all is a fifth of the work of one for each."""
    read = json.loads(b"[" + b",".join(data for data, _ in entries) + b"]")
    return tuple(
        VisitorAction(EventType(kind), moment(time_ms), product_id, query)
        for (kind, product_id, query, _), (_, time_ms) in zip(read, entries, strict=True)
    )


def _packed_product(product: EventProduct) -> dict[str, Any]:
    kept: dict[str, Any] = {"product_id": product.product_id}
    if product.quantity != 1:
        kept["quantity"] = product.quantity
    if product.price is not None:
        kept["price"] = product.price
    if product.position:
        kept["position"] = product.position
    if product.category:
        kept["category"] = product.category
    return kept
