"""The pool of connections to a catalogue's file."""

from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from services.retriever.database import open_sqlite


def test_after_a_burst_readers_one_by_one_share_one_connection(tmp_path: Path) -> None:
    """Each connection has a page cache of its own (8 MB at most): handed round, those of a burst all filled up."""
    engine = open_sqlite(tmp_path / "catalogue.db")

    def used() -> object:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
            return connection.connection.dbapi_connection

    with ExitStack() as burst:
        open_at_once = {burst.enter_context(engine.connect()).connection.dbapi_connection for _ in range(4)}
    assert len(open_at_once) == 4
    assert len({used() for _ in range(12)}) == 1
    engine.dispose()
