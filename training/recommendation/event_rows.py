"""Rows of event files as what a visitor did with a product: Vitrine's own by GA4's names, the sample's, and UBI's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.errors import TrainingError
from training.sources.event_rows import seconds_of
from vitrine.user_event import EventType

_NATIVE = {kind.value: kind for kind in EventType} | {"view": EventType.VIEW_ITEM}
_UBI = {kind.value: kind for kind in EventType} | {
    "click": EventType.SELECT_ITEM,
    "item_click": EventType.SELECT_ITEM,
    "product_click": EventType.SELECT_ITEM,
    "click_through": EventType.SELECT_ITEM,
    "view": EventType.VIEW_ITEM,
}
# What a visitor does with a product, the more it says the later; then what takes it back.
ACTED = (
    EventType.SELECT_ITEM,
    EventType.VIEW_ITEM,
    EventType.AD_CLICK,
    EventType.ADD_TO_WISHLIST,
    EventType.ADD_TO_CART,
    EventType.PURCHASE,
)
TAKEN_BACK = (EventType.REMOVE_FROM_CART, EventType.REFUND)


@dataclass(frozen=True, slots=True)
class Action:
    """One product of an event; `position` from 1 where it was shown, 0 when the log does not say."""

    visitor: str
    product: str
    kind: EventType
    time_s: float
    position: int = 0


def actions_of(row: Mapping[str, Any]) -> Iterator[Action]:
    """What the row says was done with products; nothing for searches, lists and rows that only frame others.

    Raises TrainingError naming the field that is wrong.
    """
    if "event_type" in row:
        yield from _native(row)
    elif "action_name" in row:
        yield from _ubi(row)
    elif "user_query" not in row and set(row) not in ({"index"}, {"create"}):
        raise TrainingError(f"no event_type or action_name; it has {', '.join(map(repr, row)) or 'nothing'}")


def _native(row: Mapping[str, Any]) -> Iterator[Action]:
    name = str(row["event_type"])
    kind = _NATIVE.get(name.replace("-", "_"))
    if kind is None:
        raise TrainingError(f"event_type {name!r} is none of {', '.join(_NATIVE)}")
    if kind not in (*ACTED, *TAKEN_BACK):
        return
    products = _list(row.get("product_ids"))
    positions = _list(row.get("positions")) or [0] * len(products)
    if not products and kind not in TAKEN_BACK:
        raise TrainingError(f"product_ids is empty; {name} needs the products that it is about")
    if len(positions) != len(products):
        raise TrainingError(f"positions has {len(positions)} entries for {len(products)} product_ids")
    visitor, time_s = _visitor(row, "visitor_id"), _seconds(row.get("event_time"), "event_time")
    for product, position in zip(products, positions, strict=True):
        yield Action(visitor, str(product), kind, time_s, _position(position))


def _ubi(row: Mapping[str, Any]) -> Iterator[Action]:
    kind = _UBI.get(str(row["action_name"]))
    if kind is None or kind not in (*ACTED, *TAKEN_BACK):
        return
    attributes = row.get("event_attributes") or {}
    product = (attributes.get("object") or {}).get("object_id")
    if not product:
        raise TrainingError(f"event_attributes.object.object_id is empty; {row['action_name']} needs a product")
    position = (attributes.get("position") or {}).get("ordinal")
    visitor, time_s = _visitor(row, "client_id"), _seconds(row.get("timestamp"), "timestamp")
    yield Action(visitor, str(product), kind, time_s, _position(position or 0))


def _visitor(row: Mapping[str, Any], name: str) -> str:
    visitor = row.get(name) or row.get("session_id")
    if not visitor:
        raise TrainingError(f"{name} is empty; recommendation learns from who did what")
    return str(visitor)


def _position(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _list(value: Any) -> Sequence[Any]:
    """A list, also one that a CSV cell writes as "P1|P2"."""
    if isinstance(value, str):
        return [one.strip() for one in value.split("|") if one.strip()]
    return list(value) if value is not None else []


def _seconds(value: Any, name: str) -> float:
    if (seconds := seconds_of(value)) is None:
        raise TrainingError(f"{name} {value!r} is no time such as 2026-01-31T08:00:00Z")
    return seconds
