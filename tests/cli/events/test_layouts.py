"""Rows of each format as user events, real UBI lines among them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.events.layouts import layout_of
from cli.events.layouts.ga4 import ga4_event
from cli.events.layouts.native import native_event
from vitrine.errors import InvalidArgument
from vitrine.user_event import EventProduct, EventType, UserEvent, checked_event

GA4 = {
    "event_date": "20260131",
    "event_timestamp": "1769840000123456",
    "event_name": "purchase",
    "event_params": [
        {"key": "ga_session_id", "value": {"string_value": None, "int_value": "1769839000"}},
        {"key": "currency", "value": {"string_value": "EUR"}},
        {"key": "value", "value": {"double_value": 39.8}},
    ],
    "user_pseudo_id": "1022.17",
    "geo": {"country": "DE"},
    "ecommerce": {"transaction_id": "T-7", "purchase_revenue": 39.8},
    "items": [
        {
            "item_id": "SKU1",
            "item_name": "Shirt",
            "item_category": "Apparel",
            "item_category2": "Shirts",
            "item_category3": "(not set)",
            "price": 19.9,
            "quantity": "2",
            "item_list_index": "3",
            "item_list_id": "related",
        },
        {"item_id": "(not set)", "price": None},
    ],
}


def test_a_ga4_purchase() -> None:
    event = ga4_event(GA4)
    assert isinstance(event, UserEvent)
    assert event == UserEvent(
        event_id=event.event_id,
        event_type=EventType.PURCHASE,
        visitor_id="1022.17",
        session_id="1769839000",
        event_time=datetime(2026, 1, 31, 6, 13, 20, 123456, UTC),
        products=(EventProduct("SKU1", 2, 19.9, 3, "Apparel > Shirts"),),
        currency_code="EUR",
        transaction_id="T-7",
        placement="related",
        country_code="DE",
    )
    assert event.event_id == ga4_event(json.loads(json.dumps(GA4))).event_id  # type: ignore[union-attr]
    assert event.event_id != ga4_event({**GA4, "event_timestamp": "1769840000123457"}).event_id  # type: ignore[union-attr]


@pytest.mark.parametrize("name", [kind.value for kind in EventType])
def test_every_ga4_name_is_taken_as_it_is(name: str) -> None:
    search = {"event_params": [{"key": "search_term", "value": {"string_value": "shoes"}}]}
    event = ga4_event({**GA4, "event_name": name, **(search if name == "search" else {})})
    assert isinstance(event, UserEvent)
    assert event.event_type.value == name
    checked_event(event, datetime.now(UTC))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"event_name": "page_view"}, "events of type 'page_view'"),
        ({"event_name": "view_search_results"}, "searches without search_term"),
        ({"user_pseudo_id": None}, "events of visitors who gave no consent (no user_pseudo_id)"),
        ({"event_name": None}, "rows without event_name"),
    ],
)
def test_ga4_rows_of_no_use_say_what_they_are(changes: dict[str, Any], what: str) -> None:
    assert ga4_event({**GA4, **changes}) == what


def test_vitrines_own_rows_in_all_their_forms() -> None:
    sample = {
        "id": "E1-1",
        "session_id": "S1",
        "event_time": "2026-01-01T00:05:00Z",
        "visitor_id": "V1",
        "event_type": "add-to-cart",
        "product_ids": ["P1"],
        "quantity": 2,
    }
    assert native_event(sample) == UserEvent(
        "E1-1", EventType.ADD_TO_CART, "V1", "S1", datetime(2026, 1, 1, 0, 5, tzinfo=UTC), "", (EventProduct("P1", 2),)
    )
    cell = {
        "event_id": "e",
        "event_type": "view",
        "visitor_id": "v",
        "event_time": "",
        "product_ids": "P1|P2",
        "positions": "4|5",
        "quantities": "",
    }
    event = native_event(cell)
    assert event.event_time is None
    assert event.products == (EventProduct("P1", position=4), EventProduct("P2", position=5))


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"event_type": "dance"}, "event_type"),
        ({"event_type": "view", "event_time": "yesterday"}, "event_time"),
        ({"event_type": "view", "product_ids": ["a"], "prices": [1, 2]}, "prices"),
        ({"event_type": "view", "product_ids": ["a"], "prices": ["much"]}, "prices"),
        ({"event_type": "view", "product_ids": ["a"], "quantity": 1.5}, "quantities"),
    ],
)
def test_a_wrong_row_is_refused_by_column(row: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        native_event(row)
    assert [violation.field for violation in caught.value.violations] == [field]


UBI: list[dict[str, Any]] = [
    {"index": {"_index": "ubi_queries", "_id": "1"}},
    {
        "application": "a",
        "query_id": "q1",
        "client_id": "c1",
        "user_query": "futon",
        "timestamp": "2024-12-10T00:01:29.378Z",
        "query_response_hit_ids": ["B1", "B2"],
    },
    {
        "application": "a",
        "action_name": "impression",
        "query_id": "q1",
        "session_id": "s1",
        "client_id": "c1",
        "timestamp": "2024-12-10T00:01:29.378Z",
        "user_query": "futon",
        "event_attributes": {"object": {"object_id": "B1"}, "position": {"ordinal": 0}},
    },
    {
        "application": "b",
        "action_name": "click",
        "query_id": "q2",
        "client_id": "c2",
        "timestamp": 1717527762118,
        "event_attributes": {"object": {"object_id": "B2"}, "position": {"ordinal": 3}},
    },
    {
        "application": "b",
        "action_name": "search",
        "query_id": "q2",
        "client_id": "c2",
        "user_id": "",
        "timestamp": "2025-01-24T07:31:30.699+0000",
        "message_type": "QUERY",
        "message": "printer",
        "event_attributes": None,
    },
    {"application": "b", "action_name": "type_filter", "client_id": "c2", "timestamp": 1717527762118},
    {"application": "b", "action_name": "click", "client_id": "c2", "timestamp": 1717527762118},
]


def test_ubi_queries_and_events(tmp_path: Path) -> None:
    path = tmp_path / "ubi.ndjson"
    path.write_text("".join(json.dumps(row) + "\n" for row in UBI))
    layout = layout_of("ubi", path)
    frame, query, impression, click, search, other, empty = map(layout, UBI)
    assert frame is None
    assert isinstance(query, UserEvent)
    assert (query.event_id, query.event_type, query.query) == ("search:q1", EventType.SEARCH, "futon")
    assert [(product.product_id, product.position) for product in query.products] == [("B1", 1), ("B2", 2)]
    assert isinstance(impression, UserEvent)
    assert (impression.event_type, impression.attribution_token) == (EventType.VIEW_ITEM_LIST, "q1")
    assert impression.products == (EventProduct("B1", position=1),)  # this application counts from 0
    assert isinstance(click, UserEvent)
    assert click.products == (EventProduct("B2", position=3),)  # and this one from 1
    assert click.event_time == datetime(2024, 6, 4, 19, 2, 42, 118000, UTC)
    assert isinstance(search, UserEvent)
    assert (search.event_id, search.query) == ("search:q2", "printer")
    assert other == "events of type 'type_filter'"
    assert empty == "events of type 'click' without object_id"
