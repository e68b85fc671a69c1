"""A folder of exported events: FOLDER/event_date=2026-01-31/part-….parquet, and how far the export came.

A part is named by the place in the store that it was read from. An export that was cut off begins at that place again
and so writes the same part, whole, in its stead.
"""

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow
import pyarrow.compute
import pyarrow.parquet
from pydantic import BaseModel, ConfigDict, ValidationError

from cli.events.columns import event_table
from vitrine.errors import FailedPrecondition
from vitrine.user_event import UserEvent, visitor_digest


class Progress(BaseModel):
    """Events up to `page_token` are in the folder; visitors erased up to `erased_until` are out of it.

    `erased_then` are the digests, in hex, of those erased at that very moment.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    page_token: str = ""
    erased_until: datetime | None = None
    erased_then: tuple[str, ...] = ()


class DayFiles:
    """The folder's files; one export at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._progress_path = folder / "_progress.json"
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder. Raises FailedPrecondition when another export does."""
        with (self._folder / "_lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FailedPrecondition(f"another export is writing to {self._folder}; wait for its end") from None
            yield

    def progress(self) -> Progress:
        """How far the export came. Raises FailedPrecondition when that is unreadable."""
        try:
            return Progress.model_validate_json(self._progress_path.read_bytes())
        except FileNotFoundError:
            return Progress()
        except ValidationError as error:
            fault = error.errors()[0]["msg"]
            raise FailedPrecondition(f"{self._progress_path}: {fault}; export into another folder") from error

    def save(self, progress: Progress) -> None:
        """Keeps how far the export came, durable on return."""
        with _whole(self._progress_path) as scratch:
            scratch.write_text(progress.model_dump_json(), encoding="utf-8")

    def write(self, events: list[UserEvent], place: str) -> None:
        """Writes what was read from `place` on, each event to the day of its event_time, in UTC."""
        days: dict[str, list[UserEvent]] = defaultdict(list)
        for event in events:
            assert event.event_time is not None
            days[event.event_time.astimezone(UTC).date().isoformat()].append(event)
        for day, found in days.items():
            folder = self._folder / f"event_date={day}"
            folder.mkdir(exist_ok=True)
            with _whole(folder / f"part-{place or 'begin'}.parquet") as scratch:
                pyarrow.parquet.write_table(event_table(found), scratch, compression="zstd")

    def erase(self, erased: Mapping[bytes, datetime]) -> int:
        """Takes out the rows of visitors, by digest, from up to their time of erasure; the number of rows."""
        return sum(_erased_from(path, erased) for path in sorted(self._folder.glob("event_date=*/*.parquet")))


def _erased_from(path: Path, erased: Mapping[bytes, datetime]) -> int:
    keys = pyarrow.parquet.read_table(path, columns=["visitor_id", "event_time"])
    visitors = pyarrow.compute.unique(keys["visitor_id"]).to_pylist()
    times = {visitor: erased[digest] for visitor in visitors if (digest := visitor_digest(visitor)) in erased}
    if not times:
        return 0
    kept = [
        visitor not in times or time > times[visitor]
        for visitor, time in zip(keys["visitor_id"].to_pylist(), keys["event_time"].to_pylist(), strict=True)
    ]
    if any(kept):
        table = pyarrow.parquet.read_table(path, partitioning=None).filter(pyarrow.array(kept))
        with _whole(path) as scratch:
            pyarrow.parquet.write_table(table, scratch, compression="zstd")
    else:
        path.unlink()
    return kept.count(False)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A path to write to that takes the place of `path` when all is written, durable on return."""
    scratch = path.with_name(f".{path.name}.tmp")
    yield scratch
    with scratch.open("rb") as file:
        os.fsync(file.fileno())
    scratch.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
