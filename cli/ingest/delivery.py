"""Batches over the wire: a bounded window of unacknowledged requests, and new attempts while the gateway is away."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from cli.ingest.batches import Batch
from cli.ingest.patience import PASSING, backoff_s
from cli.ingest.settings import IngestSettings
from vitrine.channel import stream
from vitrine.deadline import Deadline
from vitrine.errors import Unavailable, VitrineError
from vitrine.gateway_client import open_gateway
from vitrine.messages.common import error_from_message
from vitrine.v1 import catalog_service_pb2, catalog_service_pb2_grpc

Answer = catalog_service_pb2.CatalogServiceUpsertProductsResponse
Request = catalog_service_pb2.CatalogServiceUpsertProductsRequest
Outcomes = list[VitrineError | None]


class Delivery:
    """Sends batches in order and calls `settle` once for each, in order, when it is acknowledged.

    A batch stays in the window until then; after a failure all of the window is sent again, which is harmless since
    products go by id. Batches without products are settled in their turn without travelling.
    `waits` hears of each wait, in seconds, and why.
    """

    def __init__(
        self,
        settings: IngestSettings,
        settle: Callable[[Batch, Outcomes], None],
        waits: Callable[[float, VitrineError], None],
    ) -> None:
        self._settings = settings
        self._settle = settle
        self._waits = waits
        self._read: asyncio.Queue[Batch | None] = asyncio.Queue(maxsize=1)
        self._read_fault: Exception | None = None
        self._all_read = False
        self._window: deque[Batch] = deque()
        self._room = asyncio.Semaphore(0)
        self._acknowledged_at_s = time.monotonic()

    async def run(self, batches: Iterator[Batch]) -> None:
        """Delivers all batches.

        Raises the error that no attempt mends, the last one when `give_up_s` is over, or what stopped `batches`,
        after all before it is acknowledged.
        """
        async with open_gateway(self._settings.target) as channel:
            reader = asyncio.create_task(self._read_ahead(batches))
            try:
                await self._attempts(catalog_service_pb2_grpc.CatalogServiceStub(channel).UpsertProducts)
            finally:
                reader.cancel()
        if self._read_fault is not None:
            raise self._read_fault

    async def _read_ahead(self, batches: Iterator[Batch]) -> None:
        # Reading and converting are file and CPU work. They run beside the streams and outlive each, so that no batch
        # is lost when one breaks.
        try:
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                await self._read.put(batch)
        except Exception as error:
            self._read_fault = error
        await self._read.put(None)

    async def _attempts(self, method: Any) -> None:
        attempt = 0
        while True:
            acknowledged_at_s = self._acknowledged_at_s
            try:
                return await self._stream(method)
            except PASSING as error:  # a stream is also left for a new one when its time is over
                attempt = 0 if self._acknowledged_at_s > acknowledged_at_s else attempt + 1
                if time.monotonic() - self._acknowledged_at_s > self._settings.give_up_s:
                    raise
                wait_s = backoff_s(error, attempt, self._settings)
                self._waits(wait_s, error)
                await asyncio.sleep(wait_s)

    async def _stream(self, method: Any) -> None:
        """One stream, until all is acknowledged or it breaks."""
        self._room = asyncio.Semaphore(self._settings.window - len(self._window))
        outgoing: asyncio.Queue[Request | None] = asyncio.Queue()
        for batch in self._window:
            if batch.places:
                outgoing.put_nowait(batch.request)
        # gRPC may hold on to the request iterator of a call that failed: it must not take batches any more.
        feeder = asyncio.create_task(self._feed(outgoing))
        try:
            deadline = Deadline.after(self._settings.stream_timeout_s)
            async for answer in stream(method, _until_none(outgoing), deadline=deadline):
                self._acknowledge(answer)
        finally:
            feeder.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await feeder
            outgoing.put_nowait(None)
        if self._window or not self._all_read:
            raise Unavailable("the gateway ended the stream before it had answered all of it")

    async def _feed(self, outgoing: asyncio.Queue[Request | None]) -> None:
        while not self._all_read:
            await self._room.acquire()
            batch = await self._read.get()
            if batch is None:
                self._all_read = True
            else:
                self._window.append(batch)
                if batch.places:
                    outgoing.put_nowait(batch.request)
                self._settle_refused()
        outgoing.put_nowait(None)

    def _acknowledge(self, answer: Answer) -> None:
        outcomes = [error_from_message(outcome.status) for outcome in answer.outcomes]
        batch = self._window[0]
        if len(outcomes) != len(batch.places):
            raise Unavailable(f"the gateway answered {len(outcomes)} of {len(batch.places)} products of a request")
        for error in outcomes:
            if isinstance(error, PASSING):
                raise error
        self._acknowledged_at_s = time.monotonic()
        self._settle_first(outcomes)
        self._settle_refused()

    def _settle_first(self, outcomes: Outcomes) -> None:
        self._settle(self._window.popleft(), outcomes)
        self._room.release()

    def _settle_refused(self) -> None:
        while self._window and not self._window[0].places:
            self._settle_first([])


async def _until_none(queue: asyncio.Queue[Request | None]) -> AsyncIterator[Request]:
    while (request := await queue.get()) is not None:
        yield request
