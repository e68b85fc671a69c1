"""The retriever's version, asked for once by all who want it at the same time."""

import asyncio
from collections.abc import Awaitable, Callable

from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded

_ASK_S = 1.0


class IndexVersion:
    """Callers share a question that has not been sent yet, never one that has: it may have been answered before they
    came, and a product that was deleted since would be shown."""

    def __init__(self, ask: Callable[[Deadline], Awaitable[str]]) -> None:
        self._ask = ask
        self._sent: asyncio.Task[str] | None = None
        self._next: asyncio.Task[str] | None = None

    async def current(self, *, deadline: Deadline) -> str:
        """The version at some moment after the call began. Raises DeadlineExceeded and what the retriever raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._asked(self._sent))
            self._next.add_done_callback(_seen)
        asked = self._next
        await asyncio.wait({asked}, timeout=max(deadline.remaining_s(), 0.0))
        if not asked.done():
            raise DeadlineExceeded("no time left while asking for the index's version")
        return asked.result()

    async def _asked(self, before: "asyncio.Task[str] | None") -> str:
        if before is not None:
            await asyncio.wait({before})
        self._sent, self._next = self._next, None
        return await self._ask(Deadline.after(_ASK_S))


def _seen(asked: "asyncio.Task[str]") -> None:
    if not asked.cancelled():
        asked.exception()  # so that a question whose callers have all left does not warn
