"""Calls that only read: what one replica fails, or does not answer in time, is asked of others."""

import asyncio
from typing import Any

from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Internal, VitrineError
from vitrine.retry_budget import RetryBudget

# Further tries that may be in hand, and what each call adds: where all are slow, they are a tenth of the load at most.
_MOST = 100.0
_SHARE = 0.1
# Of one call: what every replica fails at once would use up what is in hand for one that hangs.
_MOST_OF_A_CALL = 3


class Reads:
    """Calls over one channel, which goes round the replicas: one that hangs costs a wait, and no answer."""

    def __init__(self, patience_s: float) -> None:
        """`patience_s`: how long a replica may take, while there are further tries in hand."""
        self._patience_s = patience_s
        self._budget = RetryBudget(_MOST, _SHARE)

    async def call(self, method: Any, request: Any, *, deadline: Deadline) -> Any:
        """As `vitrine.channel.call`."""
        self._budget.begin_call()
        for _ in range(_MOST_OF_A_CALL):
            if not self._budget.is_left:
                break
            try:
                patience = Deadline.after(self._patience_s)
                return await call(method, request, deadline=min(patience, deadline, key=lambda one: one.at_s))
            except DeadlineExceeded:
                if deadline.remaining_s() <= 0:
                    raise
                return await self._asked_of_two(method, request, deadline)
            except Internal:
                self._budget.take()
        return await call(method, request, deadline=deadline)

    async def _asked_of_two(self, method: Any, request: Any, deadline: Deadline) -> Any:
        """The first answer of two calls, which have all the time left.

        Calls that begin together go to different replicas. Of one after another each may meet the one that hangs: the
        turns in which replicas are asked are those of all callers.
        """
        tries = [asyncio.create_task(call(method, request, deadline=deadline)) for _ in range(2) if self._budget.take()]
        try:
            for first in asyncio.as_completed(tries):
                try:
                    return await first
                except VitrineError as error:
                    failed = error
            raise failed
        finally:
            for one in tries:
                one.cancel()
            await asyncio.wait(tries)
