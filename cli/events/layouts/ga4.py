"""Rows of Google Analytics 4's BigQuery export (https://support.google.com/analytics/answer/7029846)."""

from collections.abc import Mapping
from typing import Any

from cli.events.layouts.values import digest_id, number, text, time, whole
from vitrine.product import CATEGORY_SEPARATOR
from vitrine.user_event import EventProduct, EventType, UserEvent

_TYPES = {kind.value: kind for kind in EventType} | {"view_search_results": EventType.SEARCH}
_VALUES = ("string_value", "int_value", "float_value", "double_value")
_CATEGORIES = ("item_category", "item_category2", "item_category3", "item_category4", "item_category5")


def ga4_event(row: Mapping[str, Any]) -> UserEvent | str:
    """The row as an event; what it is where Vitrine has no use for it. Raises InvalidArgument for a wrong value."""
    name = text(row.get("event_name"))
    kind = _TYPES.get(name)
    if kind is None:
        return f"events of type {name!r}" if name else "rows without event_name"
    parameters = {one.get("key"): _value(one.get("value") or {}) for one in row.get("event_params") or ()}
    query = text(parameters.get("search_term"))
    if kind is EventType.SEARCH and not query:
        return "searches without search_term"
    visitor = text(row.get("user_pseudo_id")) or text(row.get("user_id"))
    if not visitor:
        return "events of visitors who gave no consent (no user_pseudo_id)"
    items = [item for item in row.get("items") or () if text(item.get("item_id"))]
    lists = [text(item.get("item_list_id")) or text(item.get("item_list_name")) for item in items]
    country = text((row.get("geo") or {}).get("country"))
    return UserEvent(
        event_id=digest_id(row),
        event_type=kind,
        visitor_id=visitor,
        session_id=text(parameters.get("ga_session_id")),
        event_time=time(row.get("event_timestamp"), "event_timestamp", per_second=1_000_000),
        query=query,
        products=tuple(map(_product, items)),
        currency_code=text(parameters.get("currency")),
        transaction_id=text((row.get("ecommerce") or {}).get("transaction_id") or parameters.get("transaction_id")),
        placement=text(parameters.get("item_list_id")) or next(filter(None, lists), ""),
        # BigQuery has names of countries; some exports replace them with codes.
        country_code=country if len(country) == 2 else "",
    )


def _product(item: Mapping[str, Any]) -> EventProduct:
    levels = (text(item.get(name)) for name in _CATEGORIES)
    return EventProduct(
        product_id=text(item.get("item_id")),
        quantity=whole(item.get("quantity"), "items.quantity", 1) or 1,
        price=number(item.get("price"), "items.price"),
        position=whole(item.get("item_list_index") or None, "items.item_list_index", 0),
        category=CATEGORY_SEPARATOR.join(level for level in levels if level),
    )


def _value(value: Mapping[str, Any]) -> Any:
    return next((value[name] for name in _VALUES if value.get(name) is not None), None)
