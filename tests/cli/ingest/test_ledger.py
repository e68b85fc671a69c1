"""The ledger from several threads."""

import sqlite3
import threading
from pathlib import Path

import pytest

from cli.ingest.ledger import Ledger


def _read(ledger: Ledger, begun: threading.Event, met: list[str]) -> None:
    try:
        for number in range(1_000_000):
            ledger.is_unchanged(str(number), b"digest")
            begun.set()
    except sqlite3.ProgrammingError as error:
        met.append(str(error))


@pytest.mark.parametrize("run", range(1, 11))
def test_a_thread_that_still_reads_meets_a_closed_ledger_and_no_crash(tmp_path: Path, run: int) -> None:
    """A sync that was given up closed it in the middle of the reader's statement: a segmentation fault."""
    ledger = Ledger(tmp_path, "target", "feed")
    ledger.begin(run)
    ledger.begin_digests()
    begun, met = threading.Event(), list[str]()
    reader = threading.Thread(target=_read, args=(ledger, begun, met))
    reader.start()
    assert begun.wait(10)
    ledger.see([("seen", 1)])
    ledger.close()
    reader.join()
    assert met == ["Cannot operate on a closed database."]
