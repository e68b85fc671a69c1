"""Judged queries from files of judgements, and from exported events."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet
import pytest

from cli.events.columns import event_table
from cli.release.queries import clicked_queries, judged_queries
from vitrine.errors import FailedPrecondition, InvalidArgument
from vitrine.user_event import EventProduct, EventType, UserEvent

LINES = """{"query": "Red  Shoes", "product_id": "a", "grade": 3}
{"query": "red shoes", "product_id": "b", "grade": 0}
{"query": "blue", "product_id": "a", "grade": 0}
"""


def test_a_file_of_judgements_is_read_query_by_query(tmp_path: Path) -> None:
    path = tmp_path / "judgements.jsonl"
    path.write_text(LINES)
    (query,) = judged_queries(path)
    assert (query.query, dict(query.gains)) == ("red shoes", {"a": 3.0})
    path.write_text(LINES + '{"query": "red"}\n')
    with pytest.raises(InvalidArgument, match="line 4 has no query, product_id and grade"):
        judged_queries(path)
    path.write_text(LINES + '{"query": "red", "product_id": "\\ud800", "grade": 1}\n')
    with pytest.raises(InvalidArgument, match="line 4"):
        judged_queries(path)


def test_what_visitors_did_after_a_search_judges_it(tmp_path: Path) -> None:
    def event(kind: EventType, token: str, *ids: str, query: str = "") -> UserEvent:
        products = tuple(EventProduct(product_id) for product_id in ids)
        time = datetime(2026, 1, 1, tzinfo=UTC)
        number = f"e{len(events)}"
        return UserEvent(number, kind, "ana", event_time=time, products=products, query=query, attribution_token=token)

    events: list[UserEvent] = []
    for token, query in (("1", "Red shoes"), ("2", "red shoes"), ("3", "blue")):
        events.append(event(EventType.SEARCH, token, query=query))
    for kind, token, product_id in (
        (EventType.SELECT_ITEM, "1", "a"),
        (EventType.SELECT_ITEM, "2", "a"),
        (EventType.ADD_TO_CART, "2", "a"),
        (EventType.SELECT_ITEM, "1", "once"),
        (EventType.SELECT_ITEM, "3", "once"),
        (EventType.SELECT_ITEM, "", "nowhere"),
    ):
        events.append(event(kind, token, product_id))
    day = tmp_path / "event_date=2026-01-01"
    day.mkdir()
    pyarrow.parquet.write_table(event_table(events), day / "part-1.parquet")
    (query_,) = clicked_queries(tmp_path)
    assert (query_.query, dict(query_.gains)) == ("red shoes", {"a": 2.0})
    with pytest.raises(FailedPrecondition, match="holds no exported events; write them with: vitrine events export"):
        clicked_queries(tmp_path / "event_date=2026-01-01")
