"""The words' index written anew, in one segment, by processes beside this one from what the catalogue keeps.

tantivy merges eight segments of a size, and never fewer: an index that grew has up to seven of each size, and a search
looks into every one of them. Eight that are written of the same size become one.
"""

import multiprocessing
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from services.retriever import child_process
from services.retriever.catalogue import IN_CHUNK, Catalogue
from services.retriever.columns import ColumnsView, IntArray
from services.retriever.database import open_database
from services.retriever.lexical_index import Entry, LexicalIndex, WordSheet
from services.retriever.stored_entries import stored_entries
from vitrine.errors import Unavailable

# Products of a segment that is written at once, and the memory that they may take until then: several kilobytes each,
# so that none is written before. An eighth of them must be so many that eight of their segments are of another size.
MOST_AT_ONCE = 20_000
_HEAP_BYTES = 150_000_000
# Segments of a size that tantivy merges.
_MERGED = 8
_NICE = 15
# Changes meanwhile that are not left to another process, and those that are made between two rests.
FEW = 500
_PIECE = 50
# One that takes longer hangs.
LONGEST_S = 7_200.0
# In this process: each takes hundreds of megabytes.
_turn = threading.Lock()


class WordsRewriting:
    """Processes, one after another, that write the words of what lives to an empty folder. Used by one thread."""

    def __init__(self, folder: Path, catalogue: Catalogue, living: IntArray) -> None:
        """Made by `begun`, and closed in the end."""
        self.folder = folder
        self._catalogue = catalogue
        self._start(living, living, living[:0])

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended, one way or another."""
        if time.monotonic() - self._started_s > LONGEST_S:
            self._process.kill()
            self._process.join()
        return not self._process.is_alive()

    def goes_on(self, now: ColumnsView) -> bool:
        """Starts another process where much has come or died while the last one worked.

        Raises Unavailable where that failed or was killed.
        """
        self._check()
        living, came, gone = self._changes(now)
        if len(came) + len(gone) <= FEW:
            return False
        self._start(living, came, gone)
        return True

    def opened(self, before: LexicalIndex, now: ColumnsView, rest: Callable[[], None]) -> LexicalIndex:
        """The index that was written, with what lives `now`, as it is on disk.

        `before`: the index that it will replace; `rest` is called between pieces of work.
        """
        _, came, gone = self._changes(now)
        lexical = LexicalIndex(self.folder, before.vocabulary)
        lexical.remove(gone.tolist())
        for start in range(0, len(came), _PIECE):
            _add(lexical, self._catalogue.read(partial(stored_entries, rows=came[start : start + _PIECE].tolist())))
            rest()
        lexical.view()
        return lexical

    def close(self) -> None:
        """Ends the process where it still works."""
        self._process.kill()
        self._process.join()
        self._told.close()
        _turn.release()

    def abandon(self) -> None:
        """Ends the process, and removes what was written."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _changes(self, now: ColumnsView) -> tuple[IntArray, IntArray, IntArray]:
        """Row keys of what lives now, of what came since the last process began, and of what died."""
        living = now.rows[now.alive]
        came = np.setdiff1d(living, self._held, assume_unique=True)
        return living, came, np.setdiff1d(self._held, living, assume_unique=True)

    def _start(self, living: IntArray, came: IntArray, gone: IntArray) -> None:
        self._held, self._started_s = living, time.monotonic()
        # Not forked: this process serves gRPC.
        context = multiprocessing.get_context("spawn")
        self._told, telling = context.Pipe(duplex=False)
        arguments = (self.folder, *self._catalogue.address, came, gone, telling)
        self._process = context.Process(target=_write, args=arguments, name="retriever-words", daemon=True)
        self._process.start()
        telling.close()

    def _check(self) -> None:
        code = self._process.exitcode
        if code:
            reason = "it was killed"
            if code > 0 and self._told.poll():
                try:
                    reason = self._told.recv()
                except EOFError:
                    reason = "it said nothing"
            raise Unavailable(f"the process that writes words ended with {code}: {reason}")
        self._told.close()


def is_free() -> bool:
    """Whether none is under way in this process."""
    return not _turn.locked()


def begun(folder: Path, catalogue: Catalogue, living: IntArray) -> WordsRewriting | None:
    """One that writes the words of those row keys, in ascending order; None where another is under way."""
    if not _turn.acquire(blocking=False):
        return None
    try:
        return WordsRewriting(folder, catalogue, living)
    except BaseException:
        _turn.release()
        raise


def write_words(folder: Path, data_dir: Path, url: str, came: IntArray, gone: IntArray) -> None:
    """Writes the words of those versions of a catalogue that are still there to a folder, and removes others."""
    engine, lexical = open_database(data_dir, url), LexicalIndex(folder, heap_bytes=_HEAP_BYTES)
    lexical.remove(gone.tolist())
    for batch in np.array_split(came, _segments(len(came))):
        for start in range(0, len(batch), IN_CHUNK):
            with engine.connect() as connection:
                entries = stored_entries(connection, batch[start : start + IN_CHUNK].tolist())
            _add(lexical, entries)
        lexical.view()
    lexical.close()
    engine.dispose()


def _write(folder: Path, data_dir: Path, url: str, came: IntArray, gone: IntArray, telling: Connection) -> None:
    child_process.begin(_NICE)
    try:
        write_words(folder, data_dir, url, came, gone)
    except Exception as error:
        # No more than a pipe takes before it is read.
        telling.send(repr(error)[:1_000])
        raise SystemExit(1) from None


def _add(lexical: LexicalIndex, entries: Sequence[tuple[int, str, Entry]]) -> None:
    sheet = WordSheet.of((product_id, entry) for _, product_id, entry in entries)
    # The vocabulary has these words from elsewhere.
    lexical.extend([row for row, _, _ in entries], WordSheet(sheet.documents, {}))


def _segments(count: int) -> int:
    segments = 1
    while count > segments * MOST_AT_ONCE:
        segments *= _MERGED
    return segments
