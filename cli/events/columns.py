"""The columns of exported events."""

from collections.abc import Iterable
from typing import Any

import pyarrow

from vitrine.user_event import UserEvent

_TEXTS = ("session_id", "query", "currency_code", "transaction_id", "attribution_token", "placement", "country_code")

SCHEMA = pyarrow.schema(
    [
        ("event_id", pyarrow.string()),
        ("event_type", pyarrow.string()),
        ("visitor_id", pyarrow.string()),
        ("event_time", pyarrow.timestamp("ms", tz="UTC")),
        ("product_ids", pyarrow.list_(pyarrow.string())),
        ("quantities", pyarrow.list_(pyarrow.int32())),
        ("prices", pyarrow.list_(pyarrow.float64())),
        ("positions", pyarrow.list_(pyarrow.int32())),
        ("categories", pyarrow.list_(pyarrow.string())),
        *((name, pyarrow.string()) for name in _TEXTS),
    ]
)


def event_table(events: Iterable[UserEvent]) -> Any:
    """Events as an Arrow table of SCHEMA; lists of one event go product by product."""
    rows = [
        {
            "event_id": event.event_id,
            "event_type": event.event_type.value,
            "visitor_id": event.visitor_id,
            "event_time": event.event_time,
            "product_ids": [product.product_id for product in event.products],
            "quantities": [product.quantity for product in event.products],
            "prices": [product.price for product in event.products],
            "positions": [product.position for product in event.products],
            "categories": [product.category for product in event.products],
            **{name: getattr(event, name) for name in _TEXTS},
        }
        for event in events
    ]
    return pyarrow.Table.from_pylist(rows, schema=SCHEMA)
