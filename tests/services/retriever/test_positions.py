"""Row keys and the positions that they have in columns, from which some were left out."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.retriever.columns import Columns, ColumnsView
from services.retriever.field_sheet import FieldSheet

KEYS = st.integers(1, 60)


def _view(rows: list[int], dead: set[int]) -> ColumnsView:
    columns = Columns(2)
    ids = [f"p{row}" for row in rows]
    columns.extend(rows, ids, FieldSheet.of(ids, [{}] * len(ids)), np.ones((len(rows), 2), np.float32))
    columns.kill([row for row in rows if row in dead])
    return columns.view()


@given(rows=st.sets(KEYS, max_size=40), dead=st.sets(KEYS), asked=st.lists(st.integers(-5, 70)), near=st.data())
def test_positions_are_those_of_the_keys_wherever_they_are_looked_for(
    rows: set[int], dead: set[int], asked: list[int], near: st.DataObject
) -> None:
    view = _view(sorted(rows), dead)
    living = {row: position for position, row in enumerate(sorted(rows)) if row not in dead}
    expected = [living.get(row, -1) for row in asked]
    hints = near.draw(st.lists(st.integers(-3, 80), min_size=len(asked), max_size=len(asked)))
    assert view.positions_of(np.array(asked, np.int64)).tolist() == expected
    assert view.positions_of(np.array(asked, np.int64), np.array(hints, np.int64)).tolist() == expected


def test_who_asks_with_hints_keeps_them_as_they_are() -> None:
    view = _view([3, 4, 9], set())
    hints = np.array([2, 0, 1])
    assert view.positions_of(np.array([9, 4, 3]), hints).tolist() == [2, 1, 0]
    assert hints.tolist() == [2, 0, 1]
    assert replace(view, alive=np.array([True, False, True])).positions_of(np.array([4])).tolist() == [-1]
