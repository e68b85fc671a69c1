"""Which products came from which feed: kept beside the checkpoints, so that a feed's own can be told from others'."""

import hashlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS feed (feed INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, runs INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS product (
  id TEXT NOT NULL, feed INTEGER NOT NULL, since INTEGER NOT NULL, run INTEGER NOT NULL, row INTEGER NOT NULL,
  PRIMARY KEY (id, feed)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS repeated (
  id TEXT NOT NULL, feed INTEGER NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (id, feed)
) WITHOUT ROWID;
"""
# What the catalogue holds, for one sync: on disk, as a feed may have millions of products.
_DIGESTS = "CREATE TEMP TABLE digest (id TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID"


class Ledger:
    """The products that one feed brought to one target, by the run (from 1) that saw each last.

    A product may come from several feeds: it is gone once no feed has it.
    """

    def __init__(self, state_dir: Path, target: str, feed: str) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(target.encode()).hexdigest()[:12]
        # Batches are made in a thread (`is_unchanged`) while others are settled (`see`), or all is given up (`close`):
        # a connection that is closed in the middle of a statement takes the process with it.
        self._turn = threading.Lock()
        self._database = sqlite3.connect(state_dir / f"feeds-{name}.db", check_same_thread=False, timeout=60)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.executescript(_TABLES)
        self._database.execute("INSERT OR IGNORE INTO feed (name, runs) VALUES (?, 0)", (feed,))
        self._feed, self.runs = self._database.execute("SELECT feed, runs FROM feed WHERE name = ?", (feed,)).fetchone()
        self._database.commit()

    def begin(self, run: int) -> None:
        """Makes `run` the one that sees."""
        self.runs = run
        self._database.execute("UPDATE feed SET runs = ? WHERE feed = ?", (run, self._feed))
        self._database.commit()

    def see(self, places: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        """Notes that this run has (id, row number), in order; those whose id an earlier row had already."""
        again = []
        with self._turn:
            for product_id, row in places:
                found = self._database.execute(
                    "SELECT row FROM product WHERE id = ? AND feed = ? AND run = ?", (product_id, self._feed, self.runs)
                ).fetchone()
                # A run that was cut off may see its last rows twice.
                if found is not None and found[0] < row:
                    again.append((product_id, row))
                    self._database.execute(
                        "INSERT OR REPLACE INTO repeated VALUES (?, ?, ?)", (product_id, self._feed, self.runs)
                    )
                self._database.execute(
                    "INSERT INTO product VALUES (?1, ?2, ?3, ?3, ?4) ON CONFLICT DO UPDATE SET run = ?3, row = ?4",
                    (product_id, self._feed, self.runs, row),
                )
            self._database.commit()
        return again

    def repeated(self) -> frozenset[str]:
        """Ids that the feed had in several rows when it was read last, or since."""
        query = "SELECT id FROM repeated WHERE feed = ?"
        return frozenset(row[0] for row in self._database.execute(query, (self._feed,)))

    def forget_repeated(self) -> None:
        """Forgets ids that this run, which read all, had in one row."""
        self._database.execute("DELETE FROM repeated WHERE feed = ? AND run < ?", (self._feed, self.runs))
        self._database.commit()

    def known_before(self) -> int:
        """How many products the feed had before this run."""
        query = "SELECT COUNT(*) FROM product WHERE feed = ? AND since < ?"
        return int(self._database.execute(query, (self._feed, self.runs)).fetchone()[0])

    def gone(self) -> list[str]:
        """Ids that the feed had before, and that neither this run nor another feed has."""
        query = """SELECT id FROM product p WHERE feed = ?1 AND run < ?2
            AND NOT EXISTS (SELECT 1 FROM product o WHERE o.id = p.id AND o.feed <> ?1) ORDER BY id"""
        return [row[0] for row in self._database.execute(query, (self._feed, self.runs))]

    def forget_gone(self) -> None:
        """Forgets what this run did not see."""
        self._database.execute("DELETE FROM product WHERE feed = ? AND run < ?", (self._feed, self.runs))
        self._database.commit()

    def begin_digests(self) -> None:
        """Makes room for the digests of what the catalogue holds."""
        self._database.execute("PRAGMA temp_store = FILE")
        self._database.execute(_DIGESTS)

    def add_digests(self, digests: Iterable[tuple[str, bytes]]) -> None:
        """Takes (id, digest) of products that the catalogue holds."""
        self._database.executemany("INSERT OR REPLACE INTO digest VALUES (?, ?)", digests)
        self._database.commit()

    def is_unchanged(self, product_id: str, digest: bytes) -> bool:
        """Whether the catalogue holds the product with this very content; from now on it is taken to.

        Raises sqlite3.ProgrammingError once the ledger is closed.
        """
        with self._turn:
            found = self._database.execute("SELECT digest FROM digest WHERE id = ?", (product_id,)).fetchone()
            if found is not None and found[0] == digest:
                return True
            # A later row of the same id is compared with this one.
            self._database.execute("INSERT OR REPLACE INTO digest VALUES (?, ?)", (product_id, digest))
            return False

    def close(self) -> None:
        """Gives the file back."""
        with self._turn:
            self._database.close()


def chunks(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The ids in requests of at most `size`."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
