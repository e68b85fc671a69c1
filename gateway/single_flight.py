"""One run of a piece of work, however many callers want its result at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Unavailable

K = TypeVar("K")
V = TypeVar("V")

# A run that is cancelled from within is taken over this often before its callers are told.
_RUNS = 3


class _Flight(Generic[V]):
    def __init__(self, task: "asyncio.Task[V]") -> None:
        self.task = task
        self.waiters = 0


class SingleFlight(Generic[K, V]):
    """Callers of one key share a run; nothing is kept once it ends, neither result nor error.

    The run belongs to no caller: each may be cancelled or run out of time without touching the others, and the run
    is cancelled only when nobody waits for it any more.
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[V]] = {}

    async def run(self, key: K, work: Callable[[], Awaitable[V]], *, deadline: Deadline) -> V:
        """The result of `work`, or of the run of the same key under way; its error is raised to each caller.

        Raises DeadlineExceeded when `deadline` comes first, Unavailable when the work keeps being cancelled.
        """
        for _ in range(_RUNS):
            flight = self._flights.get(key) or self._start(key, work)
            await self._wait(key, flight, deadline)
            if not flight.task.cancelled():
                return flight.task.result()
        raise Unavailable(f"the shared work was cancelled {_RUNS} times; try again")

    def _start(self, key: K, work: Callable[[], Awaitable[V]]) -> _Flight[V]:
        async def run() -> V:
            return await work()

        flight = self._flights[key] = _Flight(asyncio.create_task(run()))
        flight.task.add_done_callback(lambda task: self._end(key, flight))
        return flight

    async def _wait(self, key: K, flight: _Flight[V], deadline: Deadline) -> None:
        flight.waiters += 1
        try:
            await asyncio.wait({flight.task}, timeout=max(deadline.remaining_s(), 0.0))
            if not flight.task.done():
                raise DeadlineExceeded("no time left for the shared work")
        finally:
            flight.waiters -= 1
            if flight.waiters == 0 and not flight.task.done():
                self._forget(key, flight)
                flight.task.cancel()

    def _end(self, key: K, flight: _Flight[V]) -> None:
        self._forget(key, flight)
        if not flight.task.cancelled():
            flight.task.exception()  # seen here, so that a run whose callers have all left does not warn

    def _forget(self, key: K, flight: _Flight[V]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
