"""The store that a run's source files are read into: one SQLite file, so that memory does not grow with the shop.

Tables: product(number, id, item, language, same: what its versions in other languages share), label(number, query,
product, grade), shown(search, query, product, position, kind). Numbers count from 1 without gaps.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from training.errors import TrainingError

_SCHEMA = """
CREATE TABLE product(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, item TEXT NOT NULL, language TEXT, same TEXT);
CREATE INDEX product_same ON product(same);
CREATE TABLE label(number INTEGER PRIMARY KEY, query TEXT NOT NULL, product TEXT NOT NULL, grade REAL NOT NULL);
CREATE TABLE event(session TEXT, time_s REAL, query TEXT, kind INTEGER, products TEXT, position INTEGER);
CREATE TABLE shown(search INTEGER, query TEXT, product TEXT, position INTEGER, kind INTEGER);
CREATE TABLE note(text TEXT);
CREATE TABLE made_by(digest TEXT);
"""


class SourceStore:
    """The open store. `notes` say what was left out while reading, for people."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    @property
    def notes(self) -> list[str]:
        return [text for (text,) in self.connection.execute("SELECT text FROM note ORDER BY rowid")]

    def note(self, text: str) -> None:
        self.connection.execute("INSERT INTO note VALUES (?)", (text,))

    def count(self, table: str) -> int:
        """Rows of a table."""
        return self.value(f"SELECT COUNT(*) FROM {table}")

    def value(self, query: str, values: Sequence[object] = ()) -> int:
        """The one number that a query gives; 0 for none."""
        row = self.connection.execute(query, values).fetchone()
        return int(row[0] or 0) if row else 0

    def rows(self, query: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows by a cursor of their own, so that readings may interleave."""
        with closing(self.connection.cursor()) as cursor:
            yield from cursor.execute(query, values)


def open_store(folder: Path, digest: str, fill: Callable[[SourceStore], None]) -> SourceStore:
    """The store in `folder`, filled now or by an earlier run from the same sources; it appears when it is whole."""
    path = folder / "sources.sqlite"
    if path.exists():
        store = SourceStore(_connect(path))
        try:
            if store.connection.execute("SELECT digest FROM made_by").fetchone() == (digest,):
                return store
        except sqlite3.DatabaseError as error:
            raise TrainingError(f"{path} is damaged: {error}; delete it to read the sources again") from error
        store.connection.close()
    new_folder = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / ".sources.sqlite.tmp"
    scratch.unlink(missing_ok=True)
    connection = _connect(scratch)
    try:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
        fill(SourceStore(connection))
        connection.execute("INSERT INTO made_by VALUES (?)", (digest,))
        connection.commit()
    except BaseException as error:
        connection.close()
        scratch.unlink(missing_ok=True)
        if new_folder:
            folder.rmdir()
        if isinstance(error, sqlite3.OperationalError):
            raise TrainingError(f"cannot write {path}: {error}; free the place or give another folder") from error
        raise
    connection.close()
    scratch.replace(path)
    return SourceStore(_connect(path))


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA temp_store = FILE")
    return connection


def as_json(value: object) -> str:
    """Compact JSON, Han characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
