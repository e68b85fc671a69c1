"""One import of events, from its file to its report."""

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path

from cli.events.batches import Batch, batched
from cli.events.layouts import layout_of
from cli.ingest.checkpoint import Checkpoint, Progress, fingerprint_of
from cli.ingest.patience import retries_of
from cli.ingest.report import Refusal, Report
from cli.ingest.settings import IngestSettings
from cli.ingest.shown_run import Moved, Waits
from vitrine.client import Client, Retries, refused
from vitrine.client.retries import PASSING
from vitrine.rows import RowFile
from vitrine.v1 import user_event_service_pb2 as events_pb

_CALL_S = 30.0


@dataclass(frozen=True, slots=True)
class Summary:
    """How an import ended; `duplicates` (among the accepted), `unused` rows by kind and times are this run's."""

    accepted: int
    duplicates: int
    refused: int
    resumed_rows: int
    rows: int
    took_s: float
    report_path: Path | None
    unused: Counter[str]


class EventImport:
    """An event file on its way into the store."""

    def __init__(self, path: Path, format: str, settings: IngestSettings) -> None:
        """Raises InvalidArgument when the file cannot be read."""
        self.file = RowFile(path)
        self._layout = layout_of(format, path)
        self._settings = settings
        self._checkpoint = Checkpoint(settings.state_dir, path, settings.target)
        self._progress = self._checkpoint.load(fingerprint_of(path, f"events {format}"))
        self._unused: Counter[str] = Counter()
        self._duplicates = 0

    async def run(self, moved: Moved, waits: Waits) -> Summary:
        """Goes on where the checkpoint says, to the end.

        Raises the error that no attempt mends, or the last one when `give_up_s` is over; the checkpoint stays. What
        was sent but not settled is sent again the next time, which the store knows by its ids.
        `moved` hears of the file's position after each batch, `waits` of each wait for the gateway, and why.
        """
        # A store that is full says so by event: waiting is done here, for both.
        async with Client(self._settings.target, timeout_s=_CALL_S, retries=Retries(attempts=1)) as client:
            if self._progress.rows and await _is_empty(client):
                self._progress = Progress(fingerprint=self._progress.fingerprint)
            began_at_s, resumed_rows = time.monotonic(), self._progress.rows
            self._report = Report(self._checkpoint.report_path, self._progress.report_bytes)
            batches = batched(self.file.rows(skip=resumed_rows), self._layout)
            under_way: deque[tuple[Batch, asyncio.Task[events_pb.WriteUserEventsResponse]]] = deque()
            try:
                while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                    under_way.append((batch, asyncio.create_task(self._answered(client, batch, waits))))
                    if len(under_way) == self._settings.window:
                        await self._settle_first(under_way, moved)
                while under_way:
                    await self._settle_first(under_way, moved)
            finally:
                for _, task in under_way:
                    task.cancel()
        self._checkpoint.clear()
        return Summary(
            accepted=self._progress.accepted,
            duplicates=self._duplicates,
            refused=self._progress.refused,
            resumed_rows=resumed_rows,
            rows=self._progress.rows,
            took_s=time.monotonic() - began_at_s,
            report_path=self._report.path if self._progress.refused else None,
            unused=self._unused,
        )

    async def _answered(self, client: Client, batch: Batch, waits: Waits) -> events_pb.WriteUserEventsResponse:
        """The answer to a batch, after as many attempts as there is patience for."""
        if not batch.places:
            return events_pb.WriteUserEventsResponse()
        give_up_at_s, attempt = time.monotonic() + self._settings.give_up_s, 0
        retries = retries_of(self._settings, waits)
        while True:
            attempt += 1
            try:
                answer = await client.events.write(batch.request.events)
                for one in refused(answer.outcomes):
                    if isinstance(one.error, PASSING):
                        raise one.error
                return answer
            except PASSING as error:
                if time.monotonic() > give_up_at_s:
                    raise
                wait_s = retries.backoff_s(error, attempt)
                waits(wait_s, error)
                await asyncio.sleep(wait_s)

    async def _settle_first(
        self, under_way: "deque[tuple[Batch, asyncio.Task[events_pb.WriteUserEventsResponse]]]", moved: Moved
    ) -> None:
        batch, task = under_way[0]
        answer = await task
        under_way.popleft()
        refusals = list(batch.refusals)
        for one in refused(answer.outcomes):
            refusals.append(Refusal.of(*batch.places[one.index], one.id, one.error))
        self._report.add(sorted(refusals, key=lambda refusal: refusal.row))
        refused_events = len(refusals) - len(batch.refusals)
        self._progress = Progress(
            fingerprint=self._progress.fingerprint,
            rows=batch.last_row,
            accepted=self._progress.accepted + len(batch.places) - refused_events,
            refused=self._progress.refused + len(refusals),
            report_bytes=self._report.size,
        )
        self._duplicates += answer.duplicates
        self._unused.update(batch.unused)
        self._checkpoint.save(self._progress)
        moved(batch.position, self._progress)


async def _is_empty(client: Client) -> bool:
    """Whether the store holds nothing: then it is not the one that the checkpoint is of."""
    async for _ in client.events.pages(page_size=1):
        return False
    return True
