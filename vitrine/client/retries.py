"""Which faults a client tries again, how often, and after how long."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from vitrine.errors import DeadlineExceeded, ResourceExhausted, Unavailable, VitrineError

# What another attempt may mend.
PASSING = (Unavailable, ResourceExhausted, DeadlineExceeded)


def unheard(_wait_s: float, _error: VitrineError) -> None:
    """Tells nobody of a wait."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How a client tries again: never beyond a call's time, and never more than the budget of all its calls allows.

    What is tried again: a gateway that is away (UNAVAILABLE), and one that refuses and says when to come back
    (RESOURCE_EXHAUSTED with RetryInfo).
    """

    # Attempts at one call, the first included; None: as many as its time allows.
    attempts: int | None = 4
    # The wait before the second attempt, about; doubles with each, up to the longest.
    first_wait_s: float = 0.1
    longest_wait_s: float = 5.0
    # Further attempts in hand for all calls of the client, and what each call adds: where every call fails, attempts
    # are no more than this share above the calls. None: no budget.
    budget: float | None = 20.0
    budget_share: float = 0.1
    # With it an attempt that takes longer is given up and made again (of a gateway that hangs).
    attempt_timeout_s: float | None = None
    # Hears of each wait in seconds, and of the error before it.
    on_wait: Callable[[float, VitrineError], None] = unheard

    def wait_s(self, error: VitrineError, attempt: int) -> float | None:
        """Seconds to wait after the error of attempt number `attempt` (from 1); None: it is not tried again."""
        if self.attempts is not None and attempt >= self.attempts:
            return None
        if isinstance(error, ResourceExhausted) and error.retry_after_s is None:
            return None
        if isinstance(error, DeadlineExceeded) and self.attempt_timeout_s is None:
            return None
        return self.backoff_s(error, attempt) if isinstance(error, PASSING) else None

    def backoff_s(self, error: VitrineError, attempt: int) -> float:
        """Seconds to wait after the error of attempt number `attempt` (from 1): no sooner than it says, if so."""
        if isinstance(error, ResourceExhausted) and error.retry_after_s is not None:
            # Spread, as others were told the same.
            return error.retry_after_s * random.uniform(1.0, 1.25)
        # 2 ** 30 is beyond every longest wait, and no overflow.
        wait_s: float = self.first_wait_s * 2 ** min(attempt - 1, 30)
        return min(self.longest_wait_s, wait_s) * random.uniform(0.5, 1.0)

    @property
    def most_in_hand(self) -> float:
        """The budget as a number."""
        return math.inf if self.budget is None else self.budget
