"""The databases that snapshots are made of and restored into, beside or in place of what retrievers serve."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, DBAPIError

import services.retriever.catalogue  # noqa: F401 (has all tables known, those of releases among them)
from services.retriever.database import (
    RETRIEVER,
    lock_tables,
    locked_folder,
    open_postgres,
    open_sqlite,
    shown_database,
    writing,
)
from services.retriever.tables import FORMAT, metadata, state
from vitrine.errors import FailedPrecondition

_WHO = "vitrine-snapshot"
_CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = :name"


@contextmanager
def one_moment(folder: Path, url: str) -> Iterator[sa.Connection]:
    """The catalogue as it is now and stays inside the block, whoever writes. Raises FailedPrecondition."""
    path = folder / "catalogue.db"
    if not url and not path.exists():
        raise FailedPrecondition(f"there is no catalogue in {folder}; name its folder or its database")
    engine = open_postgres(url, name=_WHO) if url else open_sqlite(path)
    try:
        with engine.connect() as connection, connection.begin():
            if url:
                # Files are written in between, which takes as long as the store does.
                connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            found = connection.execute(sa.select(state.c.format)).scalar_one()
            if found != FORMAT:
                raise FailedPrecondition(f"the catalogue has format {found} and this version reads {FORMAT}")
            yield connection
    except DatabaseError as error:
        raise _unreadable(engine, error) from error
    finally:
        engine.dispose()


@contextmanager
def replaced_sqlite(folder: Path, *, replace: bool) -> Iterator[sa.Connection]:
    """Empty tables that take the place of the folder's catalogue when the block ends well.

    Raises FailedPrecondition where a retriever serves the folder, or where something is in it and `replace` is not set.
    """
    path, beside = folder / "catalogue.db", folder / "catalogue.db.restoring"
    with locked_folder(folder):
        if not replace and path.exists():
            _refuse_filled(open_sqlite(path), str(path))
        _remove(beside)
        engine = open_sqlite(beside)
        try:
            with writing(engine.connect()) as connection, connection.begin():
                metadata.create_all(connection)
                yield connection
            with engine.connect() as connection:
                # All of it in the file itself, which is what is renamed.
                connection.connection.execute("PRAGMA journal_mode=DELETE")
            engine.dispose()
            # What the old catalogue's log holds must not be played into the new one.
            _remove(Path(f"{path}-wal"), Path(f"{path}-shm"))
            os.replace(beside, path)
            _make_durable(folder)
        except DBAPIError as error:
            raise _unreadable(engine, error) from error
        finally:
            engine.dispose()
            _remove(beside)


@contextmanager
def replaced_postgres(url: str, *, replace: bool) -> Iterator[sa.Connection]:
    """The database's tables, whose new content is there as a whole when the block ends well.

    Raises FailedPrecondition where a retriever is connected, or where something is in it and `replace` is not set.
    """
    engine = open_postgres(url, name=_WHO)
    try:
        with writing(engine.connect()) as connection, connection.begin():
            lock_tables(connection)
            metadata.create_all(connection)
            if _is_served(connection):
                raise FailedPrecondition(f"{shown_database(engine)} is served by a retriever; stop all of them first")
            revision = connection.execute(sa.select(state.c.revision)).scalar()
            if revision and not replace:
                raise _filled(shown_database(engine), revision)
            yield connection
    except DBAPIError as error:
        raise _unreadable(engine, error) from error
    finally:
        engine.dispose()


def _is_served(connection: sa.Connection) -> bool:
    """Whether a retriever is connected, and stays so for two seconds: one that was stopped takes a moment to go."""
    for _ in range(20):
        if not connection.execute(sa.text(_CONNECTED), {"name": RETRIEVER}).scalar_one():
            return False
        connection.execute(sa.text("SELECT pg_stat_clear_snapshot(), pg_sleep(0.1)"))
    return True


def _refuse_filled(engine: sa.Engine, name: str) -> None:
    try:
        with engine.connect() as connection:
            revision = connection.execute(sa.select(state.c.revision)).scalar()
    except DatabaseError as error:
        raise FailedPrecondition(f"{name} cannot be read; --replace puts the snapshot in its place") from error
    finally:
        engine.dispose()
    if revision:
        raise _filled(name, revision)


def _filled(name: str, revision: int) -> FailedPrecondition:
    return FailedPrecondition(
        f"{name} holds a catalogue at revision {revision}; --replace puts the snapshot in its place"
    )


def _unreadable(engine: sa.Engine, error: DBAPIError) -> FailedPrecondition:
    return FailedPrecondition(f"{shown_database(engine)}: {' '.join(str(error.orig).split())}")


def _remove(*paths: Path) -> None:
    for path in paths:
        for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm"), Path(f"{path}-journal")):
            name.unlink(missing_ok=True)


def _make_durable(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
