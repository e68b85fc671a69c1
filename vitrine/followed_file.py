"""What files hold, read anew when they change; what is wrong is refused, and what held before goes on."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog
from prometheus_client import Gauge

from vitrine.errors import VitrineError

_log = structlog.get_logger("vitrine.followed_file")

FILE_REFUSED = Gauge(
    "vitrine_file_refused", "1 while a file that changed is wrong and what it held before goes on, by which.", ("file",)
)
_LOOK_EVERY_S = 1.0

Value = TypeVar("Value")


class FollowedFile(Generic[Value]):
    """What `read` makes of the files at `paths`: `current`, as it was at the last look.

    `what` names them in logs and metrics. Raises what `read` raises.
    """

    def __init__(self, what: str, paths: Sequence[Path], read: Callable[[], Value]) -> None:
        self._what = what
        self._paths = paths
        self._read = read
        # Before the files are read: a change in between is seen afterwards.
        self._version = self._version_now()
        self.current = read()
        self._looked_at_s = time.monotonic()
        FILE_REFUSED.labels(what).set(0)

    def value(self) -> Value:
        """What holds now; the files are looked at once a second."""
        now_s = time.monotonic()
        if now_s - self._looked_at_s >= _LOOK_EVERY_S:
            self._looked_at_s = now_s
            self.look()
        return self.current

    def look(self) -> bool:
        """Looks at the files at once; whether there is a new value."""
        version = self._version_now()
        if version == self._version:
            return False
        self._version = version
        try:
            self.current = self._read()
        except VitrineError as error:
            FILE_REFUSED.labels(self._what).set(1)
            _log.error("file refused, what it held before goes on", file=self._what, error=error.message)
            return False
        FILE_REFUSED.labels(self._what).set(0)
        _log.info("file read anew", file=self._what)
        return True

    def _version_now(self) -> tuple[tuple[int, ...], ...]:
        """What changes with the files; nothing for one that is away."""
        return tuple(map(_version, self._paths))


def _version(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_mtime_ns, status.st_size, status.st_ino)
