"""Batches of products over streams: a bounded window under way, and a new stream where one breaks."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from vitrine.channel import stream
from vitrine.client.calls import Calls, Method
from vitrine.client.retries import PASSING, Retries, unheard
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Unavailable, VitrineError
from vitrine.status import error_of
from vitrine.v1 import catalog_service_pb2 as pb

UPSERT = Method(
    "CatalogService/UpsertProducts",
    pb.CatalogServiceUpsertProductsRequest,
    pb.CatalogServiceUpsertProductsResponse,
    is_stream=True,
)


class Batch(Protocol):
    """A request of products and whatever belongs to it; one without products is settled in its turn, unsent."""

    @property
    def request(self) -> pb.CatalogServiceUpsertProductsRequest:
        """What travels."""
        ...


Sent = TypeVar("Sent", bound=Batch)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a delivery goes on: `give_up_s` with products on their way and none acknowledged ends it, whether the
    gateway fails or takes them and never answers.
    """

    give_up_s: float = 300.0
    # Age at which a stream is left for a new one, so that a lost peer does not hold it for ever.
    stream_timeout_s: float = 600.0
    first_wait_s: float = 0.2
    longest_wait_s: float = 10.0
    # Hears of each wait in seconds, and of the error before it.
    on_wait: Callable[[float, VitrineError], None] = unheard


@dataclass(frozen=True, slots=True)
class Settled(Generic[Sent]):
    """A batch that is acknowledged: an entry for each product, None where it is durable and searchable."""

    batch: Sent
    errors: list[VitrineError | None]
    revision: int


class Delivery(Generic[Sent]):
    """Sends batches in order and gives each back once, in order, when it is acknowledged.

    A batch stays in the window until its receiver comes for the next one, and no more is read than has room there:
    who is slow slows the source. After a failure all that is not acknowledged is sent again, which is harmless, since
    products go by id.
    """

    def __init__(self, calls: Calls, *, window: int, patience: Patience) -> None:
        self._calls = calls
        self._patience = patience
        self._backoff = Retries(first_wait_s=patience.first_wait_s, longest_wait_s=patience.longest_wait_s)
        self._room = asyncio.Semaphore(window)
        self._window: deque[Sent] = deque()
        self._outgoing: asyncio.Queue[pb.CatalogServiceUpsertProductsRequest | None] = asyncio.Queue()
        self._settled: asyncio.Queue[Settled[Sent] | None] = asyncio.Queue()
        self._all_read = False
        self._is_wanted = asyncio.Event()
        self._moved_at_s = time.monotonic()
        # Of the stream that goes on: when it has waited long enough for an acknowledgement.
        self._limit: asyncio.Timeout | None = None

    async def run(self, batches: AsyncIterator[Sent]) -> AsyncGenerator[Settled[Sent], None]:
        """Delivers all batches. Raises the error that no attempt mends, the last one when patience is over, or what
        stopped `batches`, after all before it is acknowledged.
        """
        # It outlives each stream, so that no batch is lost when one breaks.
        reading = asyncio.create_task(self._read(batches))
        sending = asyncio.create_task(self._send())
        try:
            while (settled := await self._settled.get()) is not None:
                yield settled
                self._room.release()
            await sending
            await reading
        finally:
            for task in (sending, reading):
                task.cancel()
            await asyncio.gather(sending, reading, return_exceptions=True)

    async def _read(self, batches: AsyncIterator[Sent]) -> None:
        try:
            while True:
                await self._room.acquire()
                try:
                    batch = await anext(batches)
                except StopAsyncIteration:
                    return
                self._window.append(batch)
                if batch.request.products:
                    self._outgoing.put_nowait(batch.request)
                    self._is_wanted.set()
                self._settle_unsent()
                if len(self._window) <= 1:
                    self._move()
        finally:
            self._all_read = True
            self._outgoing.put_nowait(None)
            self._is_wanted.set()

    async def _send(self) -> None:
        attempt, fault = 0, None
        try:
            while await self._is_wanted.wait() and not (self._all_read and not self._window):
                moved_at_s = self._moved_at_s
                try:
                    await self._stream()
                except TimeoutError:
                    if fault is not None and self._moved_at_s == moved_at_s:
                        raise fault from None
                    raise DeadlineExceeded(f"nothing was acknowledged for {self._patience.give_up_s:g} s") from None
                except VitrineError as error:
                    fault = self._calls.connecting.explained(error)
                    waited_s = time.monotonic() - self._moved_at_s
                    if not isinstance(fault, PASSING) or (self._window and waited_s >= self._patience.give_up_s):
                        raise fault from error.__cause__
                else:
                    continue
                if not self._window and not self._all_read:
                    # Nothing is lost with this stream; the next one waits for what is to be sent.
                    fault = None
                    self._is_wanted.clear()
                    continue
                attempt = 1 if self._moved_at_s > moved_at_s else attempt + 1
                wait_s = self._backoff.backoff_s(fault, attempt)
                self._patience.on_wait(wait_s, fault)
                await asyncio.sleep(wait_s)
        finally:
            self._settled.put_nowait(None)

    async def _stream(self) -> None:
        """One stream, until all is acknowledged, it breaks, or patience ends (TimeoutError)."""
        # gRPC may hold on to the requests of a call that failed: each stream has its own.
        outgoing = self._outgoing = asyncio.Queue()
        for batch in self._window:
            if batch.request.products:
                outgoing.put_nowait(batch.request)
        if self._all_read:
            outgoing.put_nowait(None)
        deadline = Deadline.after(self._patience.stream_timeout_s)
        answers = stream(self._calls.bound(UPSERT), _until_none(outgoing), deadline=deadline)
        try:
            async with asyncio.timeout(None) as self._limit, contextlib.aclosing(answers):
                self._set_limit()
                async for answer in answers:
                    self._acknowledge(answer)
        finally:
            self._limit = None
            outgoing.put_nowait(None)
        if self._window or not self._all_read:
            raise Unavailable("the gateway ended the stream before it had answered all of it")

    def _acknowledge(self, answer: pb.CatalogServiceUpsertProductsResponse) -> None:
        errors = [error_of(one.status) if one.status.code else None for one in answer.outcomes]
        batch = self._window[0]
        if len(errors) != len(batch.request.products):
            raise Unavailable(f"the gateway answered {len(errors)} of {len(batch.request.products)} products sent")
        for error in errors:
            if isinstance(error, PASSING):
                raise error
        self._settle_first(errors, answer.revision)
        self._settle_unsent()
        self._move()

    def _move(self) -> None:
        self._moved_at_s = time.monotonic()
        self._set_limit()

    def _set_limit(self) -> None:
        # A source that pauses is waited for; its clock is the loop's.
        if self._limit is not None:
            self._limit.reschedule(self._moved_at_s + self._patience.give_up_s if self._window else None)

    def _settle_first(self, errors: list[VitrineError | None], revision: int) -> None:
        self._settled.put_nowait(Settled(self._window.popleft(), errors, revision))

    def _settle_unsent(self) -> None:
        while self._window and not self._window[0].request.products:
            self._settle_first([], 0)


async def _until_none(
    queue: asyncio.Queue[pb.CatalogServiceUpsertProductsRequest | None],
) -> AsyncIterator[pb.CatalogServiceUpsertProductsRequest]:
    while (request := await queue.get()) is not None:
        yield request
