"""The words' index written anew, in one segment, by a process beside this one from what the catalogue keeps.

tantivy merges eight segments of a size, and never fewer: an index that grew has up to seven of each size, and a search
looks into every one of them. Eight that are written of the same size become one.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.retriever import child_process
from services.retriever.catalogue import IN_CHUNK, Catalogue
from services.retriever.columns import ColumnsView
from services.retriever.database import open_database
from services.retriever.lexical_index import Entry, LexicalIndex, WordSheet
from services.retriever.stored_entries import stored_entries
from vitrine.errors import Unavailable

IntArray = NDArray[np.int64]

# Products of a segment that is written at once, and the memory that they take until then.
MOST_AT_ONCE = 80_000
_HEAP_BYTES = 150_000_000
# Segments of a size that tantivy merges.
_MERGED = 8
_NICE = 15
# What has come meanwhile is added in pieces, between which searches get on, unless it is more than this and a share of
# all: then it is better written anew once more.
_PIECE = 50
_LATE, _LATE_SHARE = 10_000, 0.1


class WordsRewriting:
    """One process that writes the words of those versions to an empty folder. Used by one thread."""

    def __init__(self, folder: Path, catalogue: Catalogue, rows: IntArray) -> None:
        """`rows`: row keys in ascending order."""
        self.folder = folder
        self._catalogue = catalogue
        self._rows = rows
        # Not forked: this process serves gRPC.
        context = multiprocessing.get_context("spawn")
        self._told, telling = context.Pipe(duplex=False)
        arguments = (folder, *catalogue.address, rows, telling)
        self._process = context.Process(target=_write, args=arguments, name="retriever-words", daemon=True)
        self._process.start()
        telling.close()

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended, one way or another."""
        return not self._process.is_alive()

    def opened(self, before: LexicalIndex, now: ColumnsView, rest: Callable[[], None]) -> LexicalIndex | None:
        """The index that was written, with what lives `now`; None where too much has come meanwhile.

        `before`: the index that it will replace; `rest` is called between pieces of work. Raises Unavailable where the
        process failed or was killed, and FailedPrecondition where its index cannot be opened.
        """
        self._check()
        living = now.rows[now.alive]
        came = np.setdiff1d(living, self._rows, assume_unique=True)
        if len(came) > _LATE + _LATE_SHARE * len(living):
            return None
        lexical = LexicalIndex(self.folder, before.vocabulary)
        for start in range(0, len(came), _PIECE):
            _add(lexical, self._catalogue.read(partial(stored_entries, rows=came[start : start + _PIECE].tolist())))
            rest()
        lexical.remove(np.setdiff1d(self._rows, living, assume_unique=True).tolist())
        return lexical

    def close(self) -> None:
        """Ends the process where it still works."""
        self._process.kill()
        self._process.join()
        self._told.close()

    def _check(self) -> None:
        self._process.join()
        if self._process.exitcode:
            try:
                reason = self._told.recv()
            except EOFError:
                reason = "it was killed"
            raise Unavailable(f"the process that writes words ended with {self._process.exitcode}: {reason}")


def write_words(folder: Path, data_dir: Path, url: str, rows: IntArray) -> None:
    """Writes the words of those versions of a catalogue that are still there to an empty folder."""
    engine, lexical = open_database(data_dir, url), LexicalIndex(folder, heap_bytes=_HEAP_BYTES)
    for batch in np.array_split(rows, _segments(len(rows))):
        for start in range(0, len(batch), IN_CHUNK):
            with engine.connect() as connection:
                _add(lexical, stored_entries(connection, batch[start : start + IN_CHUNK].tolist()))
        lexical.view()
    lexical.close()
    engine.dispose()


def _write(folder: Path, data_dir: Path, url: str, rows: IntArray, telling: Connection) -> None:
    child_process.begin(_NICE)
    try:
        write_words(folder, data_dir, url, rows)
    except Exception as error:
        telling.send(repr(error))
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
