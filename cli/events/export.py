"""An export of events: the store page by page, into Parquet files by day."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from cli.events.day_files import DayFiles, Progress
from vitrine.client import Client, Retries
from vitrine.errors import VitrineError
from vitrine.messages.user_event import event_from_message
from vitrine.user_event import UserEvent

_CALL_S = 60.0
_PAGE_EVENTS = 1_000
# What memory holds before it is written; one part of each of its days.
_PART_EVENTS = 50_000


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did."""

    events: int
    erased_rows: int
    purged: int


def export_events(out: Path, target: str, keep_days: float | None, part_events: int = _PART_EVENTS) -> Exported:
    """Adds to `out` what the store has gained, takes erased visitors out of it, and purges what is older than
    `keep_days` (None: nothing). Raises the errors of `vitrine.errors`; what was written by then is not lost.
    """
    files = DayFiles(out)
    with files.locked():
        return asyncio.run(_exported(files, target, keep_days, part_events))


async def _exported(files: DayFiles, target: str, keep_days: float | None, part_events: int) -> Exported:
    began_at = datetime.now(UTC)
    async with Client(target, timeout_s=_CALL_S, retries=Retries(attempts=None, on_wait=_waits)) as client:
        events = await _added(files, client, part_events)
        # Last, so that it also finds who was erased after the events were read.
        erased_rows = await _cleaned(files, client)
        purged = 0
        if keep_days is not None and (token := files.progress().page_token):
            before = began_at - timedelta(days=keep_days)
            while count := await client.events.purge(token, before=before):
                purged += count
    return Exported(events, erased_rows, purged)


async def _added(files: DayFiles, client: Client, part_events: int) -> int:
    """Writes the events that the folder does not have yet; how many."""
    progress, total = files.progress(), 0
    begin, events = progress.page_token, list[UserEvent]()
    token = begin

    async def write() -> None:
        nonlocal progress, total, begin
        await asyncio.to_thread(files.write, events, begin)
        progress = progress.model_copy(update={"page_token": token})
        files.save(progress)
        total, begin = total + len(events), token
        events.clear()

    async for page in client.events.pages(begin, page_size=_PAGE_EVENTS):
        events += map(event_from_message, page.events)
        token = page.next_page_token
        if len(events) >= part_events:
            await write()
    await write()
    return total


async def _cleaned(files: DayFiles, client: Client) -> int:
    """Takes out the visitors erased since the last time; the number of rows."""
    rows = 0
    while True:
        progress = files.progress()
        visitors = await client.events.erased_visitors(progress.erased_until)
        erased = {one.visitor_digest: one.erase_time.ToDatetime(tzinfo=UTC) for one in visitors}
        new = {digest: time for digest, time in erased.items() if not _is_done(progress, digest, time)}
        if not new:
            return rows
        rows += await asyncio.to_thread(files.erase, new)
        files.save(_after(progress, erased))


def _waits(wait_s: float, error: VitrineError) -> None:
    typer.echo(f"again in {wait_s:.1f} s: {error.message}", err=True)


def _is_done(progress: Progress, digest: bytes, time: datetime) -> bool:
    return time == progress.erased_until and digest.hex() in progress.erased_then


def _after(progress: Progress, erased: Mapping[bytes, datetime]) -> Progress:
    latest = max(erased.values())
    then = tuple(digest.hex() for digest, time in erased.items() if time == latest)
    return progress.model_copy(update={"erased_until": latest, "erased_then": then})
