"""Event logs: what each search showed, where, and what the shopper did with it.

Sorting and joining are SQLite's, on disk; of the log, memory holds one visit at a time.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from training.errors import TrainingError
from training.sources.event_rows import EventRow, Kind, event_row
from training.sources.reading import read_rows
from training.sources.store import SourceStore, as_json

_Shown = tuple[int, str, str, int, int]


def read_events(store: SourceStore, paths: Sequence[Path]) -> None:
    """Fill the store's `shown` rows: search, query, product, position from 1, and the most that was done with it.

    An action belongs to the visit's latest search that showed the product. What is of no use is counted and noted.
    Raises TrainingError when no shopper did anything with what was shown, or no product is of this catalogue.
    """
    connection = store.connection
    unused: Counter[str] = Counter()
    for path in paths:
        for row in read_rows(path):
            event = f"rows that can't be read ({path.name}, line {row.line})" if row.fault else event_row(row.values)
            if isinstance(event, str):
                unused[event.split(" (")[0] if row.fault else event] += 1
            elif event is not None:
                connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", _staged(event))
    names = ", ".join(path.name for path in paths)
    for what, count in unused.most_common():
        store.note(f"{names}: {count} {what} left out")
    first = store.value("SELECT MIN(position) FROM event WHERE position >= 0")
    unattributed: Counter[str] = Counter()
    searches = _searches(store, unattributed)
    connection.executemany("INSERT INTO shown VALUES (?, ?, ?, ?, ?)", (_from_one(row, first) for row in searches))
    connection.execute("DELETE FROM event")
    if lost := unattributed["actions"]:
        store.note(f"{names}: {lost} actions on products that no search of their visit showed, left out")
    _leave_unknown_out(store, names)
    if not store.value("SELECT COUNT(*) FROM shown WHERE kind > 0"):
        raise TrainingError(f"{names}: no click, cart or purchase that follows from a search; nothing to learn from")
    connection.execute("CREATE INDEX shown_query ON shown(query, product, position)")


def _staged(event: EventRow) -> tuple[str, float, str, int, str, int | None]:
    return event.session, event.time_s, event.query, int(event.kind), as_json(event.products), event.position


def _searches(store: SourceStore, unattributed: Counter[str]) -> Iterator[_Shown]:
    """What each search showed; positions from 1 on, or -1 - position where the log names them itself."""
    rows = store.rows(
        "SELECT session, query, kind, products, position FROM event ORDER BY session, time_s, kind, rowid"
    )
    number = 0
    for _, events in groupby(rows, key=itemgetter(0)):
        visit = _Visit()
        for _, query, kind, products, position in events:
            visit.add(query, Kind(kind), json.loads(products), position)
        unattributed["actions"] += visit.unattributed
        for search in visit.searches:
            if search.query and search.shown:
                number += 1
                yield from (
                    (number, search.query, product, position, kind)
                    for product, (position, kind) in search.shown.items()
                )


class _Search:
    def __init__(self, query: str) -> None:
        self.query = query
        self.shown: dict[str, tuple[int, int]] = {}


class _Visit:
    """The searches of one session in the order of time."""

    def __init__(self) -> None:
        self.searches: list[_Search] = []
        self.unattributed = 0

    def add(self, query: str, kind: Kind, products: Sequence[str], position: int | None) -> None:
        if kind == Kind.SEARCH and (products or not self.searches):
            self.searches.append(_Search(query))
            for place, product in enumerate(dict.fromkeys(products), 1):
                self.searches[-1].shown[product] = (place, Kind.SHOWN)
        elif kind == Kind.SEARCH:
            self.searches[-1].query = self.searches[-1].query or query
        elif position is not None:
            self._place(query, kind, products[0], position)
        else:
            for product in products:
                self._act(product, kind)

    def _place(self, query: str, kind: Kind, product: str, position: int) -> None:
        """An event that says itself where the product stood."""
        if not self.searches:
            self.searches.append(_Search(query))
        search = self.searches[-1]
        search.query = search.query or query
        before = search.shown.get(product, (min(0, -1 - position), Kind.SHOWN))
        search.shown[product] = (before[0], max(before[1], kind))

    def _act(self, product: str, kind: Kind) -> None:
        for search in reversed(self.searches):
            if product in search.shown:
                position, before = search.shown[product]
                search.shown[product] = (position, max(before, kind))
                return
        self.unattributed += 1


def _from_one(row: _Shown, first: int) -> _Shown:
    """Logged positions, kept as -1 - position, counted from 1 whether the log counts from 0 or from 1; 0 is unknown."""
    search, query, product, position, kind = row
    return (search, query, product, position if position >= 0 else -position - first, kind)


def _leave_unknown_out(store: SourceStore, names: str) -> None:
    unknown = "FROM shown WHERE product NOT IN (SELECT id FROM product)"
    missing = store.value(f"SELECT COUNT(*) {unknown}")
    if not missing:
        return
    first: Any = store.connection.execute(f"SELECT product {unknown} ORDER BY rowid LIMIT 1").fetchone()[0]
    if missing == store.count("shown"):
        raise TrainingError(f"{names}: all products, {first!r} the first, are missing from the catalogue")
    acted = store.value(f"SELECT COUNT(*) {unknown} AND kind > 0")
    store.note(
        f"{names}: {missing} showings ({acted} acted on) of products that the catalogue lacks left out, "
        f"the first {first!r}"
    )
    store.connection.execute(f"DELETE {unknown}")
