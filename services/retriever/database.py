"""The catalogue's database: SQLite in WAL mode in a folder, or PostgreSQL that several retrievers share."""

import fcntl
from pathlib import Path
from typing import Any, TextIO

import sqlalchemy as sa
from sqlalchemy import event

from vitrine.errors import FailedPrecondition

RETRIEVER = "vitrine-retriever"
_TABLES_LOCK = 7_061_931
# Waits that end in an error, so that a writer that hangs holds up the others for so long and no longer.
_POSTGRES_OPTIONS = "-c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000"


def open_database(folder: Path, url: str) -> sa.Engine:
    """The database that `url` names, or the file in a folder where it names none. Raises as `open_postgres`."""
    return open_postgres(url) if url else open_sqlite(folder / "catalogue.db")


def open_sqlite(path: Path) -> sa.Engine:
    """The database in a file; a transaction made with `writes=True` is the only one that writes."""
    # Last in, first out: each connection has a page cache of its own, and those that only bursts need stay empty.
    engine = sa.create_engine(f"sqlite:///{path}", pool_size=16, max_overflow=16, pool_use_lifo=True)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def open_postgres(url: str, *, name: str = RETRIEVER) -> sa.Engine:
    """The database at a URL `postgresql://user:password@host:port/name`, where it is told the `name` of who asks.

    Raises FailedPrecondition for another URL, or without its driver.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() != "postgresql":
        # Not what it is: it may hold a password.
        raise FailedPrecondition(
            "VITRINE_CATALOGUE_URL is not an address such as postgresql://user:password@host:5432/name; "
            "leave it out for SQLite"
        )
    try:
        return sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            # A reader sees one moment, however many statements it takes.
            isolation_level="REPEATABLE READ",
            connect_args={"connect_timeout": 5, "options": _POSTGRES_OPTIONS, "application_name": name},
            # One more round trip each time, and a database that was restarted is met by no failed write.
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=8,
            pool_timeout=5,
        )
    except ModuleNotFoundError as error:
        raise FailedPrecondition("PostgreSQL needs psycopg: pip install 'vitrine[postgres]'") from error


def writing(connection: sa.Connection) -> sa.Connection:
    """The connection, about to begin a transaction that writes."""
    if connection.dialect.name == "postgresql":
        # The state's row is locked first and read as it is by then, not as it was when the transaction began.
        return connection.execution_options(isolation_level="READ COMMITTED")
    return connection.execution_options(writes=True)


def lock_tables(connection: sa.Connection) -> None:
    """Has others wait who would make the tables at the same time, until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TABLES_LOCK)))


def shown_database(engine: sa.Engine) -> str:
    """The database's address without its password, which may stand in the query, too."""
    return engine.url.set(query={}).render_as_string()


def locked_folder(folder: Path) -> TextIO:
    """Holds a folder for this process alone. Raises FailedPrecondition where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The kernel frees the lock with the process, so kill -9 leaves none behind.
        file = (folder / "catalogue.lock").open("w")
    except OSError as error:
        raise FailedPrecondition(f"{folder} cannot be written: {error}; name another folder") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise FailedPrecondition(f"another process serves {folder}; stop it or name another folder") from None
    return file


def _configure(connection: Any, _record: object) -> None:
    # FULL: an acknowledged write is on the disk, not only in the kernel. The driver's own BEGIN comes too late and
    # commits before DDL, so it is switched off and `_begin` says it. 8 MB of pages for each connection: more made no
    # read of a million products faster (the kernel has them too), and each that read a whole catalogue kept them.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "cache_size=-8000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    # A transaction that reads before it writes may not find that another wrote in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")
