"""Calls that only read: what one replica fails, or does not answer in time, is asked of the next."""

from typing import Any

from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Internal
from vitrine.retry_budget import RetryBudget

# Further tries that may be in hand, and what each call adds: where all are slow, they are a tenth of the load at most.
_MOST = 50.0
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
            except Internal:
                pass
            self._budget.take()
        return await call(method, request, deadline=deadline)
