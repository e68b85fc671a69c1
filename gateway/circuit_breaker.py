"""A breaker that leaves a failing part alone for a while (M. Nygard, Release It!)."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any


class CircuitBreaker:
    """Opens after `failures` in a row; tries then run beside the calls, one in `cool_down_s`, until one succeeds.

    No call waits for a part that was away a moment ago: where each try took a caller's patience, every hundredth
    search of a shop with a hundred a second would be late.
    """

    def __init__(self, failures: int, cool_down_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._cool_down_s = cool_down_s
        self._clock = clock
        self._failures = 0
        self._next_try_s = 0.0
        self._try: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are being held back."""
        return self._failures >= self._limit

    def allows(self, attempt: Callable[[], Coroutine[Any, Any, object]]) -> bool:
        """Whether the caller may go on. Where not, and the cool-down is over, `attempt` is begun in its place.

        It is what the caller would have done, and says by `succeeded` or `failed` how that went; what it raises is
        nobody's.
        """
        if not self.is_open:
            return True
        if self._clock() >= self._next_try_s and (self._try is None or self._try.done()):
            self._next_try_s = self._clock() + self._cool_down_s
            self._try = asyncio.create_task(_quietly(attempt()))
        return False

    def succeeded(self) -> None:
        """A call went well: the breaker closes."""
        self._failures = 0

    def failed(self) -> None:
        """A call went wrong."""
        self._failures += 1
        if self._failures == self._limit:
            self._next_try_s = self._clock() + self._cool_down_s

    async def close(self) -> None:
        """Waits for the try under way."""
        # One that has ended may be of an event loop that is closed, and cannot be waited for in another.
        if self._try is not None and not self._try.done():
            await asyncio.wait({self._try})


async def _quietly(attempt: Coroutine[Any, Any, object]) -> None:
    with contextlib.suppress(Exception):
        await attempt
