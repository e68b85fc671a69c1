"""Turns of the event loop: what many wait for together does not set all of them to work in a row."""

import asyncio
from collections import deque
from typing import Any

# What epoll waits at least.
_LEAST_REST_S = 0.001
# Several times what a turn takes: where one took longer, the process stood still, and nobody had the loop.
_MOST_REST_S = 0.02


class Turns:
    """Lets those who wait go on one by one, in the order they came; after each the loop is others' about as long.

    A run of a model ends for all its searches in one round of the event loop. In a row they would hold it up for as
    long as all of them take, and a call that comes in needs a dozen rounds until it is refused, or told how we are.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._taken = False
        self._last: asyncio.Task[Any] | None = None
        self._began_s = 0.0

    async def next(self) -> None:
        """Returns when it is the caller's turn, at once where nobody else has had one just now.

        It lasts until the caller waits for anything; who is cancelled meanwhile leaves the line.
        """
        task = asyncio.current_task()
        if self._taken and (self._waiting or self._last is not task):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        elif not self._taken:
            self._taken = True
            self._let_go_on()
        self._last = task

    def _end(self) -> None:
        loop = asyncio.get_running_loop()
        took_s = loop.time() - self._began_s
        loop.call_later(min(max(took_s, _LEAST_REST_S), _MOST_REST_S), self._begin)

    def _begin(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._let_go_on()
                return
        self._taken, self._last = False, None

    def _let_go_on(self) -> None:
        loop = asyncio.get_running_loop()
        self._began_s = loop.time()
        # In the next round of the loop, right behind the one whose turn it is.
        loop.call_soon(self._end)
