"""The catalogue: the durable truth, SQLAlchemy Core over SQLite in WAL mode.

Every version of a product is a row with a key that is never used again. A write adds versions and marks those that
they replace as dead from its revision on, so a reader that holds an older revision still finds what it saw. Views
(vectors, words) hold nothing but row keys and follow by revision; dead versions go once no reader needs them.
"""

import fcntl
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError

from vitrine.errors import FailedPrecondition

FORMAT = 1
# Bound parameters in one statement: SQLite allows 32,766, older ones 999.
IN_CHUNK = 900

_metadata = sa.MetaData()
_version = sa.Table(
    "version",
    _metadata,
    sa.Column("row", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("deleted_revision", sa.BigInteger),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
)
_ALIVE = _version.c.deleted_revision.is_(None)
_DEAD = _version.c.deleted_revision.is_not(None)
# The database itself refuses two living versions of one id.
sa.Index("one_living_version", _version.c.id, unique=True, sqlite_where=_ALIVE, postgresql_where=_ALIVE)
sa.Index("version_id", _version.c.id)
sa.Index("dead_versions", _version.c.deleted_revision, sqlite_where=_DEAD, postgresql_where=_DEAD)
_state = sa.Table(
    "state",
    _metadata,
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("catalogue_id", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("next_row", sa.BigInteger, nullable=False),
    sa.Column("model_digest", sa.Text, nullable=False),
    sa.Column("dim", sa.Integer, nullable=False),
    sa.Column("update_time_s", sa.Float),
)


@dataclass(frozen=True, slots=True)
class State:
    """Where the catalogue stands; digest "" and dim 0 while it is empty."""

    catalogue_id: str
    revision: int
    next_row: int
    model_digest: str
    dim: int
    update_time_s: float | None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a product as stored; `entry` is for the indexes, `vector` is dim float32, little-endian."""

    row: int
    id: str
    revision: int
    document: str
    description: str
    entry: str
    vector: bytes


class Transaction:
    """One durable write: versions added, versions marked dead, and the new state."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def mark_dead(self, rows: Sequence[int], revision: int) -> None:
        """The versions are dead from `revision` on."""
        for chunk in chunks(rows):
            self._connection.execute(
                sa.update(_version).where(_version.c.row.in_(chunk)).values(deleted_revision=revision)
            )

    def add(self, versions: Sequence[Version]) -> None:
        """Adds living versions."""
        if versions:
            self._connection.execute(
                sa.insert(_version), [{n: getattr(v, n) for n in Version.__slots__} for v in versions]
            )

    def purge(self, revision: int) -> None:
        """Removes versions that were dead at `revision` already."""
        self._connection.execute(sa.delete(_version).where(_DEAD, _version.c.deleted_revision <= revision))

    def set_state(self, state: State) -> None:
        """Writes where the catalogue stands after this write."""
        self._connection.execute(sa.update(_state).values({n: getattr(state, n) for n in State.__slots__}))


class Catalogue:
    """The tables of one folder, held by one process at a time. Raises FailedPrecondition when it cannot be."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder / "catalogue.lock")
        except OSError as error:
            raise FailedPrecondition(f"{folder} cannot be written: {error}; name another folder") from error
        path = folder / "catalogue.db"
        self._engine = sa.create_engine(f"sqlite:///{path}", pool_size=16, max_overflow=16)
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        try:
            with self._engine.begin() as connection:
                _metadata.create_all(connection)
                if connection.execute(sa.select(_state)).first() is None:
                    connection.execute(sa.insert(_state).values(_new_state()))
                found = connection.execute(sa.select(_state.c.format)).scalar_one()
        except DatabaseError as error:
            self.close()
            raise FailedPrecondition(f"{path} cannot be read ({error.orig}); restore it from a backup") from error
        if found != FORMAT:
            self.close()
            raise FailedPrecondition(f"{path} has format {found} and this version reads {FORMAT}; ingest again")

    def state(self) -> State:
        """Where the catalogue stands."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(*(_state.c[n] for n in State.__slots__))).one()
        return State(*row)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All of the writes inside, durable when the block ends, or none of them."""
        with self._engine.begin() as connection:
            yield Transaction(connection)

    def living(self) -> Iterator[tuple[int, str, str, bytes]]:
        """(row, id, entry, vector) of every living version, in the order of its row key."""
        columns = (_version.c.row, _version.c.id, _version.c.entry, _version.c.vector)
        query = sa.select(*columns).where(_ALIVE).order_by(_version.c.row)
        with self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=1_000).execute(query):
                yield row[0], row[1], row[2], row[3]

    def documents(self, rows: Sequence[int]) -> Iterator[tuple[int, str, str, int]]:
        """(row, id, document, revision) of the versions, in any order."""
        columns = (_version.c.row, _version.c.id, _version.c.document, _version.c.revision)
        return self._read(sa.select(*columns), _version.c.row, rows)

    def descriptions(self, rows: Sequence[int], characters: int | None = None) -> Iterator[tuple[int, str]]:
        """(row, description) of the versions, in any order; its first `characters`, or all of it."""
        whole = _version.c.description
        read = whole if characters is None else sa.func.substr(whole, 1, characters)
        return self._read(sa.select(_version.c.row, read), _version.c.row, rows)

    def rows_at(self, ids: Sequence[str], revision: int) -> Iterator[tuple[str, int]]:
        """(id, row) of the versions that lived at `revision`, in any order."""
        lived = sa.and_(
            _version.c.revision <= revision,
            sa.or_(_ALIVE, _version.c.deleted_revision > revision),
        )
        return self._read(sa.select(_version.c.id, _version.c.row).where(lived), _version.c.id, ids)

    def _read(self, query: sa.Select[Any], column: sa.Column[Any], values: Sequence[Any]) -> Iterator[Any]:
        with self._engine.connect() as connection:
            for chunk in chunks(values):
                yield from connection.execute(query.where(column.in_(chunk)))

    def close(self) -> None:
        """Gives the folder back."""
        self._engine.dispose()
        self._lock.close()


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The values in pieces that one statement takes."""
    for start in range(0, len(values), IN_CHUNK):
        yield values[start : start + IN_CHUNK]


def _new_state() -> dict[str, object]:
    return {
        "format": FORMAT,
        "catalogue_id": uuid.uuid4().hex,
        "revision": 0,
        "next_row": 1,
        "model_digest": "",
        "dim": 0,
        "update_time_s": None,
    }


def _locked(path: Path) -> TextIO:
    # The kernel frees the lock with the process, so kill -9 leaves none behind.
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise FailedPrecondition(f"another process serves {path.parent}; stop it or name another folder") from None
    return file


def _configure(connection: Any, _record: object) -> None:
    # FULL: an acknowledged write is on the disk, not only in the kernel. The driver's own BEGIN comes too late and
    # commits before DDL, so it is switched off and `_begin` says it.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "cache_size=-32000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")
