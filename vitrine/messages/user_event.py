"""User events on the wire."""

from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from vitrine.errors import invalid
from vitrine.user_event import EventProduct, EventType, UserEvent
from vitrine.v1 import user_event_pb2

_TYPE_VALUES: dict[EventType, Any] = {
    kind: user_event_pb2.EventType.Value(f"EVENT_TYPE_{kind.name}") for kind in EventType
}
_TYPES: dict[int, EventType] = {value: kind for kind, value in _TYPE_VALUES.items()}


def event_to_message(event: UserEvent) -> user_event_pb2.UserEvent:
    """An event, field by field."""
    message = user_event_pb2.UserEvent(
        event_id=event.event_id,
        event_type=_TYPE_VALUES[event.event_type],
        visitor_id=event.visitor_id,
        session_id=event.session_id,
        query=event.query,
        products=[
            user_event_pb2.EventProduct(
                product_id=product.product_id,
                quantity=product.quantity,
                price=product.price,
                position=product.position,
                category=product.category,
            )
            for product in event.products
        ],
        currency_code=event.currency_code,
        transaction_id=event.transaction_id,
        attribution_token=event.attribution_token,
        placement=event.placement,
        country_code=event.country_code,
    )
    if event.event_time is not None:
        message.event_time.FromDatetime(event.event_time)
    return message


def event_from_message(message: user_event_pb2.UserEvent) -> UserEvent:
    """The event as it was sent; `checked_event` validates it.

    Raises InvalidArgument only for what the plain data cannot hold: an unknown type, a time outside the years 1 to
    9999.
    """
    return UserEvent(
        event_id=message.event_id,
        event_type=type_from_message(message.event_type),
        visitor_id=message.visitor_id,
        session_id=message.session_id,
        event_time=time_from_message(message.event_time, "event_time") if message.HasField("event_time") else None,
        query=message.query,
        products=tuple(
            EventProduct(
                product_id=product.product_id,
                quantity=product.quantity or 1,
                price=product.price if product.HasField("price") else None,
                position=product.position,
                category=product.category,
            )
            for product in message.products
        ),
        currency_code=message.currency_code,
        transaction_id=message.transaction_id,
        attribution_token=message.attribution_token,
        placement=message.placement,
        country_code=message.country_code,
    )


def type_to_message(kind: EventType) -> Any:
    """The enum value of an event type."""
    return _TYPE_VALUES[kind]


def type_from_message(value: int) -> EventType:
    """The event type of an enum value. Raises InvalidArgument for one that is unset or unknown."""
    if value not in _TYPES:
        said = "is not set" if value == 0 else f"{value} is not an EventType"
        raise invalid("event_type", f"{said}; use for example EVENT_TYPE_VIEW_ITEM")
    return _TYPES[value]


def time_from_message(stamp: Timestamp, field: str) -> datetime:
    """The time of a timestamp. Raises InvalidArgument naming `field` for one outside the years 1 to 9999."""
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise invalid(field, f"is not a time between the years 1 and 9999: {error}") from error
