"""Events to interactions: one row for what a visitor did with a product, and lines for what cannot be read."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.training.recommendation.made_shop import write_lines
from training.errors import TrainingError
from training.recommendation.event_files import VisitorEvents, read_visitor_events
from training.sources.reading import event_paths
from vitrine.v1 import user_event_pb2

IDS = ("a", "b", "c")


def event(minute: int, kind: str, *products: str, visitor: str = "ana", **fields: Any) -> dict[str, Any]:
    time = f"2026-01-01T00:{minute:02}:00Z"
    return {"event_type": kind, "visitor_id": visitor, "event_time": time, "product_ids": list(products), **fields}


def read(tmp_path: Path, *rows: dict[str, Any]) -> tuple[VisitorEvents, list[str]]:
    notes: list[str] = []
    path = write_lines(tmp_path / "events.jsonl", list(rows))
    return read_visitor_events([path], IDS, notes.append), notes


def types(found: VisitorEvents) -> list[str]:
    names = map(user_event_pb2.EventType.Name, found.interactions.event_types.tolist())
    return [name.removeprefix("EVENT_TYPE_") for name in names]


def test_a_product_is_once_in_a_history_by_the_strongest_and_latest_thing_done(tmp_path: Path) -> None:
    found, notes = read(
        tmp_path,
        event(5, "view_item", "a"),
        event(1, "view", "a", positions=[4]),
        event(2, "add-to-cart", "a"),
        event(3, "view_item", "b"),
    )
    assert found.interactions.products.tolist() == [1, 0]
    assert types(found) == ["VIEW_ITEM", "ADD_TO_CART"]
    assert found.positions.tolist() == [0, 4]
    assert notes == []


def test_what_was_taken_back_is_not_learned(tmp_path: Path) -> None:
    rows = [event(1, "purchase", "a", "b"), event(2, "refund", "a"), event(3, "search", query="b")]
    found, _ = read(tmp_path, *rows)
    assert found.interactions.products.tolist() == [1]


def test_visitors_keep_apart_and_unknown_products_are_noted(tmp_path: Path) -> None:
    rows = [event(1, "view", "a"), event(2, "view", "c", visitor="bob"), event(3, "view", "gone", visitor="bob")]
    found, notes = read(tmp_path, *rows)
    assert [history.tolist() for history in found.interactions.histories] == [[0], [2]]
    assert notes == ["1 events on products that the catalogue lacks left out"]


def test_ubi_clicks_with_their_positions(tmp_path: Path) -> None:
    click = {
        "action_name": "click",
        "client_id": "ana",
        "timestamp": "2026-01-01T00:00:00Z",
        "event_attributes": {"object": {"object_id": "b"}, "position": {"ordinal": 3}},
    }
    found, _ = read(tmp_path, {"index": {}}, click, {"user_query": "b"})
    assert (found.interactions.products.tolist(), found.positions.tolist()) == ([1], [3])


def test_a_folder_of_exported_days(tmp_path: Path) -> None:
    for day in (1, 2):
        folder = tmp_path / "events" / f"event_date=2026-01-0{day}"
        folder.mkdir(parents=True)
        row = event(day, "view_item", "abc"[day])
        parquet.write_table(pa.Table.from_pylist([row]), folder / "part-1.parquet")
    paths = event_paths([tmp_path / "events"])
    found = read_visitor_events(paths, IDS, pytest.fail)
    assert found.interactions.products.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (event(1, "views", "a"), "event_type 'views' is none of search"),
        (event(1, "view", "a") | {"event_time": "tomorrow"}, "event_time 'tomorrow' is no time"),
        (event(1, "view"), "product_ids is empty; view needs"),
        (event(1, "view", "a", positions=[1, 2]), "positions has 2 entries for 1 product_ids"),
        ({"event_type": "view", "product_ids": ["a"]}, "visitor_id is empty"),
        ({"name": "a"}, "no event_type or action_name; it has 'name'"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_with_its_field(tmp_path: Path, row: dict[str, Any], says: str) -> None:
    found, (note,) = read(tmp_path, event(1, "view", "a"), row)
    assert len(found.interactions) == 1
    assert f"events.jsonl: 1 rows left out, the first line 2: {says}" in note
    with pytest.raises(TrainingError, match="no event can be read; 1 rows refused, the first line 1: "):
        read(tmp_path, row)


def test_a_folder_without_events_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="a folder without Parquet files"):
        event_paths([tmp_path])
    with pytest.raises(TrainingError, match=r"nowhere\.jsonl"):
        read_visitor_events([tmp_path / "nowhere.jsonl"], IDS, pytest.fail)
