"""Admission at the door: a bounded number of calls inside, the rest refused at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from gateway.metrics import INSIDE, REFUSED
from vitrine.errors import ResourceExhausted

_MIN_RETRY_S = 0.05
_MAX_RETRY_S = 5.0
_WEIGHT = 0.1


class Admission:
    """Lets `limit` calls in at a time; what waits inside a slow stage is bounded by it, and so is memory."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._inside = 0
        self._shown_inside, self._shown_refused = INSIDE.labels(what), REFUSED.labels(what)
        self._duration_s = _MIN_RETRY_S

    @property
    def inside(self) -> int:
        """Calls inside now."""
        return self._inside

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Holds a place. Raises ResourceExhausted, with how long a call lately took as the time to wait, when full."""
        if self._inside >= self._limit:
            self._shown_refused.inc()
            raise ResourceExhausted(
                f"{self._limit} {self._what} are in flight already; try again",
                reason="TOO_MANY_IN_FLIGHT",
                retry_after_s=min(max(self._duration_s, _MIN_RETRY_S), _MAX_RETRY_S),
            )
        self._inside += 1
        self._shown_inside.inc()
        started_s = monotonic()
        try:
            yield
        finally:
            self._inside -= 1
            self._shown_inside.dec()
            self._duration_s += _WEIGHT * (monotonic() - started_s - self._duration_s)
