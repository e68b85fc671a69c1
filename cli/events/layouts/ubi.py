"""Rows of User Behavior Insights (https://github.com/o19s/ubi), ndjson, with or without bulk `index` lines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.events.layouts.values import digest_id, number, text, time, whole
from vitrine.rows import RowFile
from vitrine.user_event import MAX_PRODUCTS, EventProduct, EventType, UserEvent

_TYPES = {kind.value: kind for kind in EventType} | {
    "on_search": EventType.SEARCH,
    "impression": EventType.VIEW_ITEM_LIST,
    "click": EventType.SELECT_ITEM,
    "item_click": EventType.SELECT_ITEM,
    "product_click": EventType.SELECT_ITEM,
    "click_through": EventType.SELECT_ITEM,
    "view": EventType.VIEW_ITEM,
}
_FRAMES = ({"index"}, {"create"})


class Ubi:
    """The rows of one file. Some shops count positions from 0: those with a position 0 anywhere in the file."""

    def __init__(self, path: Path) -> None:
        """Reads the file once, for its positions. Raises InvalidArgument when it cannot be read."""
        self._from_zero = {
            text(row.values.get("application")) for row in RowFile(path).rows() if _ordinal(row.values) == 0
        }

    def event(self, row: Mapping[str, Any]) -> UserEvent | str | None:
        """The row as an event: one of the events file, or of the queries file, which is a search."""
        if set(row) in _FRAMES:
            return None
        action = text(row.get("action_name"))
        kind = _TYPES.get(action) if action else EventType.SEARCH
        if kind is None:
            return f"events of type {action!r}"
        query = text(row.get("user_query"))
        if not query and row.get("message_type") == "QUERY":
            query = text(row.get("message"))
        if kind is EventType.SEARCH and not query:
            return "searches without user_query"
        attributes = row.get("event_attributes") or {}
        found = attributes.get("object") or {}
        products = _shown(row) if kind is EventType.SEARCH else self._acted_on(row, found)
        if kind is not EventType.SEARCH and not products:
            return f"events of type {action!r} without object_id"
        query_id = text(row.get("query_id"))
        # A search stands in both files, and is one event.
        known = kind is EventType.SEARCH and query_id and text(row.get("client_id"))
        return UserEvent(
            event_id=f"search:{query_id}" if known else digest_id(row),
            event_type=kind,
            visitor_id=text(row.get("client_id")) or text(row.get("user_id")),
            session_id=text(row.get("session_id") or attributes.get("session_id")),
            event_time=time(row.get("timestamp"), "timestamp"),
            query=query,
            products=products,
            transaction_id=text(found.get("transaction_id")),
            attribution_token=query_id,
        )

    def _acted_on(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[EventProduct, ...]:
        product_id = text(found.get("object_id"))
        if not product_id:
            return ()
        ordinal = whole(_ordinal(row), "event_attributes.position.ordinal", -1)
        first = 0 if text(row.get("application")) in self._from_zero else 1
        position = max(ordinal + 1 - first, 0)
        price = number((found.get("object_detail") or {}).get("price"), "object_detail.price")
        return (EventProduct(product_id, position=position, price=price),)


def _shown(row: Mapping[str, Any]) -> tuple[EventProduct, ...]:
    ids = row.get("query_response_object_ids") or row.get("query_response_hit_ids") or ()
    return tuple(EventProduct(text(one), position=place) for place, one in enumerate(ids[:MAX_PRODUCTS], 1))


def _ordinal(row: Mapping[str, Any]) -> int | None:
    position = (row.get("event_attributes") or {}).get("position") or {}
    ordinal = position.get("ordinal")
    return ordinal if isinstance(ordinal, int) and not isinstance(ordinal, bool) else None
