"""The index of suggestions against a plain list of what was added and died."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retriever.columns import BoolArray, IntArray
from services.retriever.suggest import index as index_module
from services.retriever.suggest.index import SuggestIndex
from services.retriever.suggest.segment import Suggestible, segment_of

WORDS = ("red", "blue", "lamp", "蓝牙", "耳机")


class Living:
    """Stands for columns: the row keys there are, and which of them live."""

    def __init__(self, rows: list[int], dead: set[int]) -> None:
        self.rows = np.array(rows, np.int64)
        self._dead = dead

    def lives(self, rows: IntArray) -> BoolArray:
        return np.array([row in self.rows and row not in self._dead for row in rows.tolist()], np.bool_)


@pytest.fixture
def index() -> Iterator[SuggestIndex]:
    index = SuggestIndex()
    yield index
    index.close()


def product(row: int) -> Suggestible:
    words = tuple(dict.fromkeys([WORDS[row % 5], WORDS[row // 5 % 5], f"x{row}"]))
    return Suggestible(row, words, (f"brand:b{row % 3}", "category:all", f"category:all > c{row % 2}"))


def filed(index: SuggestIndex) -> dict[str, set[int]]:
    """Row keys by word, label and sound, read through every table of every segment."""
    found: dict[str, set[int]] = {}
    for segment in index.segments:
        for table in (segment.words, segment.labels):
            for place, key in enumerate(table.keys.tolist()):
                found.setdefault(key.decode(), set()).update(segment.rows[table.filed(place, place + 1)].tolist())
        for table, through, kind in (
            (segment.sounds, segment.words, "sound"),
            (segment.label_words, segment.labels, "label word"),
        ):
            for place, key in enumerate(table.keys.tolist()):
                for number in table.filed(place, place + 1).tolist():
                    rows = segment.rows[through.filed(number, number + 1)].tolist()
                    found.setdefault(f"{kind} {key.decode()}", set()).update(rows)
    return found


def expected(rows: set[int]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for row in rows:
        one = product(row)
        keys = [*one.words, *one.labels, f"label word b{row % 3}", "label word all", f"label word c{row % 2}"]
        keys += [f"sound {sound}" for word, sound in (("蓝牙", "lanya"), ("耳机", "erji")) if word in one.words]
        for key in keys:
            found.setdefault(key, set()).add(row)
    return found


@given(st.lists(st.tuples(st.integers(1, 30), st.sets(st.integers(0, 200))), max_size=12), st.integers(1, 40))
def test_every_product_stays_findable_through_merges_and_the_dead_go(
    writes: list[tuple[int, set[int]]], at_once: int
) -> None:
    """Merges at once and in the background; what died before a merge may stay only until the next one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "_AT_ONCE", at_once)
        index = SuggestIndex()
        added: list[int] = []
        dead: set[int] = set()
        for count, dying in writes:
            rows = list(range(len(added), len(added) + count))
            index.add(segment_of([product(row) for row in rows]))
            added += rows
            dead |= dying & set(added)
            index.follow(Living(added, set(dead)))  # type: ignore[arg-type]
            index.settle()
        there = {row for segment in index.segments for row in segment.rows.tolist()}
        assert set(added) - dead <= there <= set(added)
        assert filed(index) == expected(there)
        for segment in index.segments:
            order = list(zip(segment.costs.tolist(), (-segment.rows).tolist(), strict=True))
            assert order == sorted(order)
        index.close()


def test_segments_stay_few_while_products_come_one_by_one(index: SuggestIndex) -> None:
    for row in range(1_000):
        index.add(segment_of([product(row)]))
    index.settle()
    assert len(index.segments) <= 15
    assert {row for segment in index.segments for row in segment.rows.tolist()} == set(range(1_000))


def test_what_all_died_takes_no_room(index: SuggestIndex) -> None:
    for row in range(3):
        index.add(segment_of([product(row)]))
    index.follow(Living([0, 1, 2], {0, 1, 2}))  # type: ignore[arg-type]
    index.add(segment_of([product(3)]))
    assert [segment.rows.tolist() for segment in index.segments] == [[3]]


def test_a_merge_that_fails_leaves_what_is_there(index: SuggestIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_AT_ONCE", 0)

    def failing(*_: object) -> None:
        raise MemoryError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "merged_segment", failing)
        for row in range(6):
            index.add(segment_of([product(row)]))
        index.settle()
    assert filed(index) == expected(set(range(6)))
    index.add(segment_of([product(6)]))
    index.settle()
    assert len(index.segments) < 7
    assert filed(index) == expected(set(range(7)))


def test_it_is_restored_from_its_arrays(index: SuggestIndex) -> None:
    for row in range(0, 50, 7):
        index.add(segment_of([product(row) for row in range(row, row + 7)]))
    restored = SuggestIndex.restored(index.arrays())
    assert filed(restored) == filed(index)
    assert restored.nbytes == index.nbytes
    restored.add(segment_of([product(60)]))
    assert filed(restored)["x60"] == {60}
    restored.close()
