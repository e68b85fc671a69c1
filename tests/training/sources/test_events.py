"""Events of both layouts become showings; positions are corrected for; what is of no use is noted."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from tests.training.sources.shop import PRODUCTS, action, search, write_lines
from training.errors import TrainingError
from training.sources.clicks import EventWeights
from training.sources.files import SourceFiles, Sources, open_sources
from training.sources.supervision import training_lists, training_pairs

_EVENTS = [
    search("s1", 1, "Phone", "c", "b", "a", "d"),
    action("s1", 2, "view", "b"),
    action("s1", 3, "purchase", "b"),
    search("s2", 1, "case", "a", "c"),
    search("s2", 2, "phone", "a", "b"),
    action("s2", 3, "view", "a"),
    action("s2", 4, "view", "d"),
]


def _opened(tmp_path: Path, events: Path, weights: EventWeights | None = None) -> Sources:
    products = write_lines(tmp_path / "products.jsonl", PRODUCTS)
    files = SourceFiles((products,), events=(events,), weights=weights or EventWeights())
    return open_sources(files, tmp_path / "run")


def _shown(sources: Sources) -> set[tuple[Any, ...]]:
    return set(sources.store.rows("SELECT query, product, position, kind FROM shown"))


_EXPECTED = {
    ("phone", "c", 1, 0),
    ("phone", "b", 2, 3),
    ("phone", "a", 3, 0),
    ("phone", "d", 4, 0),
    ("case", "a", 1, 0),
    ("case", "c", 2, 0),
    ("phone", "a", 1, 1),
    ("phone", "b", 2, 0),
}


def test_actions_belong_to_the_latest_search_that_showed_the_product(tmp_path: Path) -> None:
    sources = _opened(tmp_path, write_lines(tmp_path / "events.jsonl", reversed(_EVENTS)))
    assert _shown(sources) == _EXPECTED
    assert any("1 actions on products that no search of their visit showed" in note for note in sources.notes)


def test_parquet_gives_the_same(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"query": None} | event for event in _EVENTS]), path)
    assert _shown(_opened(tmp_path, path)) == _EXPECTED


def test_an_export_of_the_event_store_gives_the_same(tmp_path: Path) -> None:
    names = {"view": "view_item", "add-to-cart": "add_to_cart"}
    rows = []
    for event in _EVENTS:
        row = {**event, "event_type": names.get(event["event_type"], event["event_type"]), "positions": None}
        row["event_time"] = datetime.fromisoformat(event["event_time"])
        if event["event_type"] == "search":
            rows.append({**row, "product_ids": []})  # what was typed; what it showed follows as a list, in any order
            shown = list(enumerate(event["product_ids"], 1))[::-1]
            row |= {"event_type": "view_item_list", "positions": [place for place, _ in shown]}
            row["product_ids"] = [product for _, product in shown]
        rows.append({"query": None} | row)
    path = tmp_path / "events.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    assert _shown(_opened(tmp_path, path)) == _EXPECTED


def test_pairs_weigh_gain_by_position_and_take_the_skipped_for_negatives(tmp_path: Path) -> None:
    sources = _opened(tmp_path, write_lines(tmp_path / "events.jsonl", _EVENTS))
    pairs = {pair.product_id: pair for pair in training_pairs(sources)}
    assert set(pairs) == {"a", "b"}
    # A purchase at the second place counts 5 / (1/2), a view at the first 1.
    assert pairs["b"].weight == pytest.approx(10.0)
    assert pairs["a"].weight == pytest.approx(1.0)
    # c was passed over; d, two below the lowest action, may not have been seen.
    assert pairs["b"].negatives == tuple(sources.catalogue.documents([2]))


def test_lists_hold_all_that_was_shown_with_how_surely_it_was_seen(tmp_path: Path) -> None:
    (ranked,) = training_lists(_opened(tmp_path, write_lines(tmp_path / "events.jsonl", _EVENTS)))
    assert ranked.product_ids == ("b", "a", "c", "d")
    assert ranked.relevance == (1.0, pytest.approx(0.1), 0.0, 0.0)
    assert ranked.weights == (pytest.approx(0.75), 1.0, 1.0, pytest.approx(0.25))


def test_inverse_propensities_are_clipped_and_weights_are_settings(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "events.jsonl", _EVENTS)
    sources = _opened(tmp_path, path, EventWeights(purchase=7.0, max_inverse=1.5))
    assert {pair.product_id: pair.weight for pair in training_pairs(sources)} == {"a": 1.0, "b": 10.5}


def _ubi(action_name: str, product: str, ordinal: int) -> dict[str, Any]:
    return {
        "action_name": action_name,
        "query_id": "q1",
        "timestamp": "2026-01-01T00:00:00Z",
        "event_attributes": {"object": {"object_id": product}, "position": {"ordinal": ordinal}},
    }


def test_ubi_events_take_their_query_from_the_query_row_and_count_from_one(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"index": {"_index": "ubi_events"}},
        _ubi("impression", "c", 0),
        _ubi("impression", "a", 1),
        _ubi("click", "a", 1),
        _ubi("add_to_cart", "b", 4),
        {"index": {"_index": "ubi_queries"}},
        {"query_id": "q1", "user_query": "Phone", "timestamp": 1767225600000},
        {"action_name": "page_exit", "query_id": "q1", "timestamp": 1},
    ]
    sources = _opened(tmp_path, write_lines(tmp_path / "ubi.ndjson", rows))
    assert _shown(sources) == {("phone", "c", 1, 0), ("phone", "a", 2, 1), ("phone", "b", 5, 2)}
    assert any("1 events of type 'page_exit' left out" in note for note in sources.notes)


def test_unknown_products_and_types_are_counted(tmp_path: Path) -> None:
    events = [*_EVENTS, search("s3", 1, "phone", "x", "a"), action("s3", 2, "view", "x"), action("s3", 3, "wish", "a")]
    sources = _opened(tmp_path, write_lines(tmp_path / "events.jsonl", events))
    assert ("phone", "a", 2, 0) in _shown(sources)
    assert any("1 showings (1 acted on) of products that the catalogue lacks left out, the first 'x'" in note
               for note in sources.notes)  # fmt: skip
    assert any("1 events of type 'wish' left out" in note for note in sources.notes)


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([], "no click, cart or purchase that follows from a search"),
        ([search("s", 1, "phone", "a", "b")], "no click, cart or purchase that follows from a search"),
        ([search("s", 1, "phone", "x"), action("s", 2, "view", "x")], "all products, 'x' the first, are missing"),
    ],
)
def test_a_log_that_teaches_nothing_is_refused(tmp_path: Path, events: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        _opened(tmp_path, write_lines(tmp_path / "events.jsonl", events))
