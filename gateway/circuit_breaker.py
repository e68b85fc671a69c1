"""A breaker that leaves a failing part alone for a while (M. Nygard, Release It!)."""

import time
from collections.abc import Callable


class CircuitBreaker:
    """Opens after `failures` in a row; after `cool_down_s` it lets one call at a time try, until one succeeds."""

    def __init__(self, failures: int, cool_down_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._cool_down_s = cool_down_s
        self._clock = clock
        self._failures = 0
        self._closed_at_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are being held back."""
        return self._failures >= self._limit

    def allows(self) -> bool:
        """Whether the caller may try now; a try while open starts the cool-down anew."""
        if not self.is_open:
            return True
        now_s = self._clock()
        if now_s < self._closed_at_s:
            return False
        self._closed_at_s = now_s + self._cool_down_s
        return True

    def succeeded(self) -> None:
        """A call went well: the breaker closes."""
        self._failures = 0

    def failed(self) -> None:
        """A call went wrong."""
        self._failures += 1
        if self._failures == self._limit:
            self._closed_at_s = self._clock() + self._cool_down_s
