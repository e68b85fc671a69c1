"""Places: how many searches may run and wait at once."""

import threading


class Places:
    """Taken and left from any thread."""

    def __init__(self, count: int) -> None:
        self._free = self._count = count
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Takes a place; False when there is none."""
        with self._lock:
            if not self._free:
                return False
            self._free -= 1
            return True

    def leave(self) -> None:
        """Gives a place back."""
        with self._lock:
            self._free += 1

    @property
    def taken(self) -> int:
        """Searches that run or wait."""
        return self._count - self._free
