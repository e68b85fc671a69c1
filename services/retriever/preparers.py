"""Preparers: products made ready in a thread of this process, and while many are written in processes beside it."""

import asyncio
import contextlib
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import structlog

from services.retriever.texts import Texts, begin, ready
from vitrine.deadline import Deadline
from vitrine.errors import Unavailable
from vitrine.product import Product

# The products of a write for which it is worth going to another process.
BULK_PRODUCTS = 100
# Processes are started once so many products of such writes came without a pause of IDLE_S, and ended after one.
START_PRODUCTS = 2_000
IDLE_S = 30.0

_log = structlog.get_logger(__name__)


class Preparers:
    """Used on one event loop. With 0 processes there is only the thread.

    A process that is killed is no loss: what it had is made ready by the thread.
    """

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._thread = ThreadPoolExecutor(1, "retriever-prepare")
        # Which of the writes of many products has the thread: no more of them lie before it than it works on.
        self._turn = asyncio.Lock()
        self._ended = False
        self._pool: ProcessPoolExecutor | None = None
        self._starting: asyncio.Task[None] | None = None
        self._come = 0
        self._idle: asyncio.TimerHandle | None = None
        # Writes of many products that are being made ready.
        self.many = 0

    async def prepare(self, products: Sequence[Product], deadline: Deadline) -> list[Texts]:
        """The products made ready, in their order, in one part or several."""
        if len(products) < BULK_PRODUCTS:
            return await self._in_thread(products, deadline)
        self.many += 1
        try:
            return await self._prepare_many(products, deadline)
        finally:
            self.many -= 1

    async def _prepare_many(self, products: Sequence[Product], deadline: Deadline) -> list[Texts]:
        if self._processes:
            self._count(len(products))
        async with self._turn:
            # What has waited for the thread goes to the processes where these have started meanwhile.
            if (pool := self._pool) is None:
                return await self._in_thread(products, deadline)
        # Divided for the sake of one writer; of several, each has a process busy.
        size = -(-len(products) // self._processes) if self.many < self._processes else len(products)
        parts = [products[start : start + size] for start in range(0, len(products), size)]
        try:
            futures = [pool.submit(Texts.of, part) for part in parts]
            return await asyncio.gather(*map(asyncio.wrap_future, futures))
        except BrokenProcessPool as error:
            _log.warning("a process that prepared products was killed", error=str(error))
            if self._pool is pool:
                self._stop()
            return await self._in_thread(products, deadline)

    async def _in_thread(self, products: Sequence[Product], deadline: Deadline) -> list[Texts]:
        if self._ended:
            # They were with a process, which died when the thread had ended.
            raise Unavailable("the retriever is shutting down")
        return [await asyncio.wrap_future(self._thread.submit(_in_time, products, deadline))]

    async def close(self) -> None:
        """Ends the thread and the processes once what they have begun, or what waits, is done."""
        starting, pool = self._starting, self._pool
        self._processes = 0
        self._stop()
        if starting is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await starting
        async with self._turn:
            self._ended = True
            await asyncio.to_thread(self._thread.shutdown)
        if pool is not None:
            await asyncio.to_thread(pool.shutdown)

    def _count(self, products: int) -> None:
        self._come += products
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._stop)
        if self._come >= START_PRODUCTS and self._starting is None:
            self._starting = asyncio.create_task(self._start())

    async def _start(self) -> None:
        # Not forked: this process serves gRPC.
        pool = ProcessPoolExecutor(self._processes, multiprocessing.get_context("spawn"), begin)
        try:
            await asyncio.gather(*map(asyncio.wrap_future, await asyncio.to_thread(_started, pool, self._processes)))
        except BrokenProcessPool as error:
            _log.warning("no processes to prepare products", error=str(error))
            # Not at once again, but after a pause.
        except BaseException:
            pool.shutdown(wait=False)
            raise
        else:
            self._pool = pool
            _log.info("products are prepared in processes", processes=self._processes)

    def _stop(self) -> None:
        """Ends the processes; what they have begun is still answered."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)
        if self._starting is not None:
            self._starting.cancel()
        if self._idle is not None:
            self._idle.cancel()
        self._starting, self._idle, self._come = None, None, 0


def _in_time(products: Sequence[Product], deadline: Deadline) -> Texts:
    deadline.check("the write")
    return Texts.of(products)


def _started(pool: ProcessPoolExecutor, processes: int) -> "list[Future[None]]":
    # A process is started for each of them, as none is idle yet.
    return [pool.submit(ready) for _ in range(processes)]
