"""Admission at the door: a bounded number of calls inside, the rest refused at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from gateway.metrics import INSIDE, REFUSED
from vitrine.deadline import Deadline
from vitrine.errors import ResourceExhausted

_MIN_RETRY_S = 0.05
_MAX_RETRY_S = 5.0
_WEIGHT = 0.1
# Searches leave in bursts, as the models' runs end: within one they seem to leave far more often than they do.
_LEAST_GAP_WEIGHT = 0.02
# So many are let in whatever is expected: what is expected is known from calls that were let in.
_ALWAYS = 8
# More would leave no room for a search that takes longer than those before it.
_SHARE = 0.5


class Admission:
    """Lets `limit` calls in at a time; what waits inside a slow stage is bounded by it, and so is memory.

    Fewer where they would be late: as many as are inside, so often as one leaves, is how long the next will be there
    (Little's law). A call let in too late takes the processor from those that could still be answered.
    """

    def __init__(self, limit: int, what: str, clock: Callable[[], float] = monotonic) -> None:
        self._limit = limit
        self._what = what
        self._inside = 0
        self._shown_inside, self._shown_refused = INSIDE.labels(what), REFUSED.labels(what)
        self._duration_s = _MIN_RETRY_S
        self._clock = clock
        self._gap_s, self._gaps = 0.0, 0
        self._left_at_s: float | None = None

    @property
    def inside(self) -> int:
        """Calls inside now."""
        return self._inside

    def check(self, deadline: Deadline | None = None) -> None:
        """Raises ResourceExhausted, with how long a call lately took as the time to wait, when full, or when the call
        would be late."""
        if self._inside >= self._limit:
            raise self._refusal(f"{self._limit} {self._what} are in flight already; try again", "TOO_MANY_IN_FLIGHT")
        expected_s = (self._inside + 1) * self._gap_s
        if deadline is not None and self._inside >= _ALWAYS and expected_s > _SHARE * deadline.remaining_s():
            fault = f"{self._inside} {self._what} are in flight and one more takes {expected_s:.1f} s, too long for its"
            raise self._refusal(f"{fault} deadline; try again", "TOO_SLOW_NOW")

    @contextmanager
    def admit(self, deadline: Deadline | None = None) -> Iterator[None]:
        """Holds a place. Raises what `check` raises."""
        self.check(deadline)
        started_s = self._clock()
        self._inside += 1
        self._shown_inside.inc()
        try:
            yield
        finally:
            self._inside -= 1
            self._shown_inside.dec()
            now_s = self._clock()
            self._duration_s += _WEIGHT * (now_s - started_s - self._duration_s)
            # The first to leave an empty place tells how long a call takes, not how often one leaves: of many that came
            # at once, and share the processor, it leaves about when the last does. And where few are inside, they leave
            # as often as they come: that is no measure of how often they could.
            if self._left_at_s is not None:
                self._gaps += 1
                weight = max(_LEAST_GAP_WEIGHT, 1 / self._gaps)
                self._gap_s += weight * (now_s - self._left_at_s - self._gap_s)
            # One fewer than are always let in: else, with all others refused, none would ever count again.
            self._left_at_s = now_s if self._inside >= _ALWAYS - 1 else None

    def _refusal(self, message: str, reason: str) -> ResourceExhausted:
        self._shown_refused.inc()
        retry_after_s = min(max(self._duration_s, _MIN_RETRY_S), _MAX_RETRY_S)
        return ResourceExhausted(message, reason=reason, retry_after_s=retry_after_s)
