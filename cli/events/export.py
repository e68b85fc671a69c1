"""An export of events: the store page by page, into Parquet files by day."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cli.events.day_files import DayFiles, Progress
from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.gateway_client import open_gateway
from vitrine.messages.user_event import event_from_message
from vitrine.user_event import UserEvent
from vitrine.v1 import user_event_service_pb2 as events_pb
from vitrine.v1 import user_event_service_pb2_grpc

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
    async with open_gateway(target) as channel:
        stub = user_event_service_pb2_grpc.UserEventServiceStub(channel)
        events = await _added(files, stub, part_events)
        # Last, so that it also finds who was erased after the events were read.
        erased_rows = await _cleaned(files, stub)
        purged = 0
        if keep_days is not None and (token := files.progress().page_token):
            request = events_pb.PurgeUserEventsRequest(page_token=token)
            request.before.FromDatetime(began_at - timedelta(days=keep_days))
            while count := (await _asked(stub.PurgeUserEvents, request)).events_purged:
                purged += count
    return Exported(events, erased_rows, purged)


async def _added(files: DayFiles, stub: user_event_service_pb2_grpc.UserEventServiceStub, part_events: int) -> int:
    """Writes the events that the folder does not have yet; how many."""
    progress, total = files.progress(), 0
    begin, events, more = progress.page_token, list[UserEvent](), True
    token = begin
    while more:
        request = events_pb.ListUserEventsRequest(page_size=_PAGE_EVENTS, page_token=token)
        page = await _asked(stub.ListUserEvents, request)
        events += map(event_from_message, page.events)
        more, token = page.next_page_token != token, page.next_page_token
        if len(events) >= part_events or not more:
            await asyncio.to_thread(files.write, events, begin)
            progress = progress.model_copy(update={"page_token": token})
            files.save(progress)
            total, begin, events = total + len(events), token, []
    return total


async def _cleaned(files: DayFiles, stub: user_event_service_pb2_grpc.UserEventServiceStub) -> int:
    """Takes out the visitors erased since the last time; the number of rows."""
    rows = 0
    while True:
        progress = files.progress()
        request = events_pb.ListErasedVisitorsRequest()
        if progress.erased_until is not None:
            request.since.FromDatetime(progress.erased_until)
        answer = await _asked(stub.ListErasedVisitors, request)
        erased = {one.visitor_digest: one.erase_time.ToDatetime(tzinfo=UTC) for one in answer.visitors}
        new = {digest: time for digest, time in erased.items() if not _is_done(progress, digest, time)}
        if not new:
            return rows
        rows += await asyncio.to_thread(files.erase, new)
        files.save(_after(progress, erased))


def _is_done(progress: Progress, digest: bytes, time: datetime) -> bool:
    return time == progress.erased_until and digest.hex() in progress.erased_then


def _after(progress: Progress, erased: Mapping[bytes, datetime]) -> Progress:
    latest = max(erased.values())
    then = tuple(digest.hex() for digest, time in erased.items() if time == latest)
    return progress.model_copy(update={"erased_until": latest, "erased_then": then})


async def _asked(method: Any, request: Any) -> Any:
    return await call(method, request, deadline=Deadline.after(_CALL_S), wait_for_ready=True)
