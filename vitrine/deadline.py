"""How much time a call has left, handed from hop to hop."""

import time
from dataclasses import dataclass

from vitrine.errors import DeadlineExceeded


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, in seconds, after which nobody waits for the answer."""

    at_s: float

    @classmethod
    def after(cls, timeout_s: float) -> "Deadline":
        """The moment `timeout_s` seconds from now."""
        return cls(time.monotonic() + timeout_s)

    def remaining_s(self) -> float:
        """Seconds left; 0 or less when the time is over."""
        return self.at_s - time.monotonic()

    def check(self, what: str) -> None:
        """Raises DeadlineExceeded, naming `what` was left, when the time is over."""
        if self.remaining_s() <= 0:
            raise DeadlineExceeded(f"no time left for {what}")
