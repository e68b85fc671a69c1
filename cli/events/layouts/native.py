"""Vitrine's own rows: what `vitrine events export` and `vitrine sample` write."""

from collections.abc import Mapping, Sequence
from typing import Any

from cli.events.layouts.values import number, text, time, whole
from vitrine.errors import invalid
from vitrine.user_event import EventProduct, EventType, UserEvent

_TYPES = {kind.value: kind for kind in EventType} | {"view": EventType.VIEW_ITEM}


def native_event(row: Mapping[str, Any]) -> UserEvent:
    """The row as an event. Raises InvalidArgument naming the column that is wrong."""
    name = text(row.get("event_type"))
    kind = _TYPES.get(name.replace("-", "_"))
    if kind is None:
        raise invalid("event_type", f"{name!r} is none of {', '.join(_TYPES)}")
    when = row.get("event_time")
    return UserEvent(
        event_id=text(row.get("event_id") or row.get("id")),
        event_type=kind,
        visitor_id=text(row.get("visitor_id")),
        session_id=text(row.get("session_id")),
        event_time=None if when in (None, "") else time(when, "event_time"),
        query=text(row.get("query")),
        products=_products(row),
        currency_code=text(row.get("currency_code")),
        transaction_id=text(row.get("transaction_id")),
        attribution_token=text(row.get("attribution_token")),
        placement=text(row.get("placement")),
        country_code=text(row.get("country_code")),
    )


def _products(row: Mapping[str, Any]) -> tuple[EventProduct, ...]:
    ids = _list(row.get("product_ids"))
    quantities = _list(row.get("quantities")) or [row.get("quantity")] * len(ids)
    columns = {name: _list(row.get(name)) for name in ("prices", "positions", "categories")}
    for name, values in {"quantities": quantities, **columns}.items():
        if values and len(values) != len(ids):
            raise invalid(name, f"has {len(values)} entries for {len(ids)} product_ids; give as many, or none")
    return tuple(
        EventProduct(
            product_id=text(product_id),
            quantity=whole(quantities[index], "quantities", 1),
            price=number(_at(columns["prices"], index), "prices"),
            position=whole(_at(columns["positions"], index), "positions", 0),
            category=text(_at(columns["categories"], index)),
        )
        for index, product_id in enumerate(ids)
    )


def _list(value: Any) -> list[Any]:
    """A list, also one that a CSV cell writes as "P1|P2"."""
    if isinstance(value, str):
        return [one.strip() for one in value.split("|")] if value else []
    return list(value or ())


def _at(values: Sequence[Any], index: int) -> Any:
    return values[index] if values else None
