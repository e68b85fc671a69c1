"""Rows of event files in one form: what `vitrine sample` writes, and User Behavior Insights (UBI) events and queries.

UBI: https://github.com/o19s/ubi, ndjson, with or without the bulk format's `index` lines.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from operator import itemgetter
from typing import Any

from vitrine.text import normalize_text


class Kind(IntEnum):
    """What happened; from CLICK on, the higher the more it says."""

    SEARCH = -1
    SHOWN = 0
    CLICK = 1
    CART = 2
    PURCHASE = 3


# As the sample shop writes them, and by GA4's names, as `vitrine events export` does.
_NATIVE = {
    "search": Kind.SEARCH,
    "view_item_list": Kind.SEARCH,
    "view": Kind.CLICK,
    "view_item": Kind.CLICK,
    "select_item": Kind.CLICK,
    "ad_click": Kind.CLICK,
    "add-to-cart": Kind.CART,
    "add_to_cart": Kind.CART,
    "purchase": Kind.PURCHASE,
}
_UBI = {
    "impression": Kind.SHOWN,
    "click": Kind.CLICK,
    "item_click": Kind.CLICK,
    "product_click": Kind.CLICK,
    "view": Kind.CLICK,
    "add_to_cart": Kind.CART,
    "purchase": Kind.PURCHASE,
}
_BULK = ({"index"}, {"create"})


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event. A search lists what it showed, best first; other events name products, in UBI with their `position`.

    `session` holds what belongs together: a visit's events, or in UBI those of one query id. `position`: None in native
    logs; in UBI as logged, from 0 or 1 on, -1 when the log does not say.
    """

    session: str
    time_s: float
    kind: Kind
    query: str
    products: tuple[str, ...]
    position: int | None = None


def event_row(row: Mapping[str, Any]) -> EventRow | str | None:
    """The row as an event; None for one that only frames others; a text that says what it is when it is of no use."""
    if set(row) in _BULK:
        return None
    if "event_type" in row:
        return _native(row)
    if "action_name" in row or "user_query" in row:
        return _ubi(row)
    return "rows without event_type or action_name"


def _native(row: Mapping[str, Any]) -> EventRow | str:
    kind = _NATIVE.get(str(row["event_type"]))
    if kind is None:
        return f"events of type {row['event_type']!r}"
    session = row.get("session_id") or row.get("visitor_id")
    if not session:
        return "events without session_id and visitor_id"
    time_s = seconds_of(row.get("event_time"))
    if time_s is None:
        return "events whose event_time is no time"
    products = row.get("product_ids") or ()
    if isinstance(products, str):
        products = tuple(one.strip() for one in products.split("|") if one.strip())
    query = normalize_text(str(row.get("query") or ""))
    if kind == Kind.SEARCH and not query:
        return "searches and lists without a query"
    positions = row.get("positions") or ()
    if kind == Kind.SEARCH and len(positions) == len(products) and all(positions):
        products = [product for _, product in sorted(zip(positions, products, strict=True), key=itemgetter(0))]
    return EventRow(str(session), time_s, kind, query, tuple(map(str, products)))


def _ubi(row: Mapping[str, Any]) -> EventRow | str:
    query_id = row.get("query_id")
    if not query_id:
        return "events without query_id"
    action = row.get("action_name")
    query = row.get("user_query")
    if not query and row.get("message_type") == "QUERY":
        query = row.get("message")
    query = normalize_text(str(query or ""))
    kind = _UBI.get(str(action))
    if kind is None:
        # The queries file, and whatever else tells what was typed.
        kind = Kind.SEARCH
        if not query:
            return f"events of type {action!r}"
    time_s = seconds_of(row.get("timestamp"))
    if time_s is None:
        return "events whose timestamp is no time"
    if kind == Kind.SEARCH:
        return EventRow(str(query_id), time_s, kind, query, ())
    attributes = row.get("event_attributes") or {}
    product = (attributes.get("object") or {}).get("object_id")
    if not product:
        return f"events of type {action!r} without object_id"
    ordinal = (attributes.get("position") or {}).get("ordinal")
    position = ordinal if isinstance(ordinal, int) and ordinal >= 0 else -1
    return EventRow(str(query_id), time_s, kind, query, (str(product),), position)


def seconds_of(value: Any) -> float | None:
    """Seconds since the epoch of RFC 3339 text, a datetime, or a number of milliseconds; None for what is no time."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value / 1000
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
