"""The catalogue: the durable truth, SQLAlchemy Core over SQLite or PostgreSQL.

Every version of a product is a row with a key that is never used again. A write adds versions and marks those that
they replace as dead from its revision on, so a reader that holds an older revision still finds what it saw. Views
(vectors, words) hold nothing but row keys and follow by revision; dead versions go once no reader needs them.
"""

import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.retriever.changes import Changes, changes_of, state_of
from services.retriever.database import lock_tables, locked_folder, open_database, shown_database, writing
from services.retriever.releases.vectors import add, add_further, column_model, copy, own_vector, purge
from services.retriever.tables import ALIVE, DEAD, FORMAT, State, Version, first_state, metadata, reader, state, version
from vitrine.errors import FailedPrecondition, Unavailable
from vitrine.vectors import FloatArray

# Bound parameters in one statement: SQLite allows 32,766, older ones 999.
IN_CHUNK = 900
# A reader that has not been seen for so long is gone, and what it needed may go.
READER_GONE_S = 600.0
_RESTORE = "`vitrine snapshot restore PLACE --replace` puts a snapshot in its place"

T = TypeVar("T")

# Read by every search, straight by the driver: SQLAlchemy takes longer to make a statement than the database to answer.
_SHOWN = f"SELECT row, id, document, revision, substr(description, 1, ?) FROM {version.name} WHERE row IN ({{}})"


class Transaction:
    """One durable write: versions added, versions marked dead, and the new state."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.state = state_of(connection, locked=True)

    def changes_since(self, revision: int) -> Changes | None:
        """See `Catalogue.changes_since`; up to where this transaction began."""
        return changes_of(self._connection, revision, self.state)

    def versions(self, rows: Sequence[int]) -> Iterator[Version]:
        """The versions, in any order; those that this transaction added are there too."""
        columns = [
            own_vector(self.state.model_digest) if name == "vector" else version.c[name] for name in Version._fields
        ]
        for chunk in chunks(rows):
            for found in self._connection.execute(sa.select(*columns).where(version.c.row.in_(chunk))):
                yield Version(*found)

    def mark_dead(self, rows: Sequence[int], revision: int) -> None:
        """The versions are dead from `revision` on."""
        for chunk in chunks(rows):
            self._connection.execute(
                sa.update(version).where(version.c.row.in_(chunk)).values(deleted_revision=revision)
            )

    def add(self, versions: Sequence[Version], model_digest: str) -> None:
        """Adds living versions, with vectors of the catalogue's own model, which is `model_digest` from now on."""
        if not versions:
            return
        if column_model(self._connection) not in ("", model_digest):
            add(self._connection, [(model_digest, v.row, v.vector) for v in versions])
            versions = [v._replace(vector=b"") for v in versions]
        dialect = self._connection.dialect
        names = ", ".join(map(dialect.identifier_preparer.quote, Version._fields))
        marks = ", ".join([_mark(self._connection)] * len(Version._fields))
        # Straight to the driver, in half the time: there is nothing in a version that has to be converted.
        self._connection.exec_driver_sql(f"INSERT INTO {version.name} ({names}) VALUES ({marks})", list(versions))

    def add_further(self, vectors: Mapping[int, Mapping[str, FloatArray]], kept: Mapping[int, int]) -> None:
        """Further models' vectors of added versions, by row key; `kept`: row keys of versions that keep another's."""
        add_further(self._connection, vectors)
        copy(self._connection, kept)

    def purge(self, reader_id: str, needed: int) -> int:
        """Removes versions that no reader needs; `reader_id` needs none that were dead at revision `needed` already.

        Gives the revision up to which versions may be gone now.
        """
        _see(self._connection, reader_id, needed)
        self._connection.execute(sa.delete(reader).where(reader.c.seen_s < _now(self._connection) - READER_GONE_S))
        oldest: int = self._connection.execute(sa.select(sa.func.min(reader.c.revision))).scalar_one()
        is_gone = sa.and_(DEAD, version.c.deleted_revision <= oldest)
        purge(self._connection, is_gone)
        gone = self._connection.execute(sa.delete(version).where(is_gone))
        return max(self.state.purged_revision, oldest) if gone.rowcount else self.state.purged_revision

    def set_state(self, after: State) -> None:
        """Writes where the catalogue stands after this write."""
        self._connection.execute(sa.update(state).values({n: getattr(after, n) for n in State.__slots__}))


class Catalogue:
    """The tables of one folder, held by one process at a time, or of the PostgreSQL database that `url` names.

    Raises FailedPrecondition when they cannot be opened.
    """

    def __init__(self, folder: Path, url: str = "") -> None:
        self.shared = bool(url)
        self.reader_id = uuid.uuid4().hex
        # For processes beside this one, which only read.
        self.address = (folder, url)
        self._engine = open_database(folder, url)
        self._lock = locked_folder(folder)
        try:
            self._prepare(shown_database(self._engine) if url else str(folder / "catalogue.db"))
        except FailedPrecondition:
            self.close()
            raise

    def _prepare(self, name: str) -> None:
        """Makes the tables where they are missing, and signs this reader in."""
        try:
            with writing(self._engine.connect()) as connection, connection.begin():
                lock_tables(connection)
                metadata.create_all(connection)
                if connection.execute(sa.select(state)).first() is None:
                    connection.execute(sa.insert(state).values(first_state()))
                found = connection.execute(sa.select(state.c.format)).scalar_one()
                if found == FORMAT:
                    _see(connection, self.reader_id, state_of(connection, locked=True).purged_revision)
        except DatabaseError as error:
            fix = "check VITRINE_CATALOGUE_URL, and that PostgreSQL is up" if self.shared else _RESTORE
            raise FailedPrecondition(f"{name} cannot be read ({_reason(error)}); {fix}") from error
        if found != FORMAT:
            raise FailedPrecondition(f"{name} has format {found} and this version reads {FORMAT}; ingest again")

    def state(self) -> State:
        """Where the catalogue stands."""
        return self._read(state_of)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All of the writes inside, durable when the block ends, or none of them. Raises Unavailable."""
        with self.begin() as connection:
            yield Transaction(connection)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction that writes other tables than those of products. Raises Unavailable."""
        with _or_unavailable("written"), writing(self._engine.connect()) as connection, connection.begin():
            yield connection

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Reads other tables than those of products; done again where the connection was broken. Raises Unavailable."""
        return self._read(work)

    @contextmanager
    def changes_since(self, revision: int) -> Iterator[Changes | None]:
        """What changed after `revision`, readable inside the block; after 0: everything that lives.

        None where versions that died since are gone already, so that views must be made anew.
        """
        with _or_unavailable("read"), self._engine.connect() as connection, connection.begin():
            yield changes_of(connection, revision, state_of(connection))

    def see(self, needed: int) -> None:
        """Says that this reader is there, and needs none of the versions that were dead at revision `needed`."""
        with self.begin() as connection:
            _see(connection, self.reader_id, needed)

    def documents(self, rows: Sequence[int]) -> list[tuple[int, str, str, int]]:
        """(row, id, document, revision) of the versions, in any order."""
        columns = (version.c.row, version.c.id, version.c.document, version.c.revision)
        return self._chosen(sa.select(*columns), version.c.row, rows)

    def shown(self, rows: Sequence[int], characters: int) -> list[tuple[int, str, str, int, str]]:
        """(row, id, document, revision, first `characters` of the description) of the versions, in any order."""

        def read(connection: sa.Connection) -> list[tuple[int, str, str, int, str]]:
            found: list[Any] = []
            mark = _mark(connection)
            for chunk in chunks(rows):
                asked = _SHOWN.replace("?", mark).format(", ".join([mark] * len(chunk)))
                found += connection.exec_driver_sql(asked, (characters, *chunk)).fetchall()
            return found

        return self._read(read) if rows else []

    def descriptions(self, rows: Sequence[int], characters: int | None = None) -> list[tuple[int, str]]:
        """(row, description) of the versions, in any order; its first `characters`, or all of it."""
        whole = version.c.description
        read = whole if characters is None else sa.func.substr(whole, 1, characters)
        return self._chosen(sa.select(version.c.row, read), version.c.row, rows)

    def rows_at(self, ids: Sequence[str], revision: int) -> list[tuple[str, int]]:
        """(id, row) of the versions that lived at `revision`, in any order."""
        lived = sa.and_(version.c.revision <= revision, sa.or_(ALIVE, version.c.deleted_revision > revision))
        return self._chosen(sa.select(version.c.id, version.c.row).where(lived), version.c.id, ids)

    def digests(self, after: str, limit: int) -> list[tuple[str, bytes]]:
        """(id, digest) of the first `limit` living products whose id comes after `after`, by id."""
        columns = sa.select(version.c.id, version.c.digest)
        query = columns.where(ALIVE, version.c.id > after).order_by(version.c.id).limit(limit)
        return self._read(lambda connection: [(found[0], found[1]) for found in connection.execute(query)])

    def _chosen(self, query: sa.Select[Any], column: sa.Column[Any], values: Sequence[Any]) -> list[Any]:
        def read(connection: sa.Connection) -> list[Any]:
            found: list[Any] = []
            for chunk in chunks(values):
                found += connection.execute(query.where(column.in_(chunk)))
            return found

        return self._read(read) if values else []

    def _read(self, read: Callable[[sa.Connection], T]) -> T:
        with _or_unavailable("read"), self._engine.connect() as connection:
            return read(connection)

    def close(self) -> None:
        """Gives the folder and the connections back."""
        self._engine.dispose()
        self._lock.close()


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The values in pieces that one statement takes."""
    for start in range(0, len(values), IN_CHUNK):
        yield values[start : start + IN_CHUNK]


def _mark(connection: sa.Connection) -> str:
    """What stands for a parameter where the driver is asked."""
    return "?" if connection.dialect.name == "sqlite" else "%s"


def _see(connection: sa.Connection, reader_id: str, needed: int) -> None:
    seen = {"revision": needed, "seen_s": _now(connection)}
    if not connection.execute(sa.update(reader).where(reader.c.reader_id == reader_id).values(seen)).rowcount:
        connection.execute(sa.insert(reader).values(reader_id=reader_id, **seen))


def _now(connection: sa.Connection) -> Any:
    # One clock for all that share a database.
    if connection.dialect.name == "postgresql":
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float)
    return sa.literal(time.time())


@contextmanager
def _or_unavailable(done: str) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        raise _unavailable(done, error) from error


def _unavailable(done: str, error: DBAPIError | PoolTimeout) -> Unavailable:
    fix = f"; {_RESTORE}" if _is_damaged(error) else ""
    return Unavailable(f"the catalogue cannot be {done}: {_reason(error)}{fix}")


def _is_damaged(error: DBAPIError | PoolTimeout) -> bool:
    """Whether SQLite found its file damaged: it is only found where it is looked at, at the start or later."""
    code = getattr(error.orig, "sqlite_errorcode", 0) if isinstance(error, DBAPIError) else 0
    # The last byte is the kind of error, those before it say more of it.
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _reason(error: DBAPIError | PoolTimeout) -> str:
    said = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(said).split())
