"""The rule book: the rules of a file that is read anew when it changes; the last good ones while it is wrong."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import structlog

from services.retriever.metrics import RULES_REFUSED
from services.retriever.rules import Rules, read_rules
from vitrine.errors import VitrineError

_log = structlog.get_logger(__name__)


class RuleBook:
    """The rules of now, for every thread. `fault` says what is wrong with the file, None: nothing."""

    def __init__(self, path: Path | None) -> None:
        """None: there are none. Raises FailedPrecondition where the file is wrong."""
        self._path = path
        self._version = _version(path)
        self._rules = Rules() if path is None else read_rules(path)
        self._reading = threading.Lock()
        self.fault: str | None = None

    def current(self) -> Rules:
        """The rules; whoever finds the file changed reads it, and nobody waits for that."""
        if self._path is not None and _version(self._path) != self._version and self._reading.acquire(blocking=False):
            try:
                self._read(self._path)
            finally:
                self._reading.release()
        return self._rules

    def version(self) -> str:
        """What holds now by the file as it is, read or not: while it is the same, so are the rulings."""
        return self._named(_version(self._path))

    def version_read(self) -> str:
        """The same of the file as it was read; what `current` gives afterwards is at least as new."""
        return self._named(self._version)

    def _named(self, file: tuple[int, ...]) -> str:
        return "-".join(map(str, (*file, self._rules.turns_before(datetime.now(UTC)))))

    def _read(self, path: Path) -> None:
        # Before it is read: what changes meanwhile is read again.
        version = _version(path)
        try:
            self._rules = read_rules(path)
        except VitrineError as error:
            RULES_REFUSED.set(1)
            self.fault = f"the rules were refused, and those before hold: {error.message}"
            _log.error("rules refused, those before hold", error=error.message)
        else:
            RULES_REFUSED.set(0)
            self.fault = None
            _log.info("rules read", file=str(path))
        self._version = version


def _version(path: Path | None) -> tuple[int, ...]:
    """What changes with the file; nothing while it is away."""
    try:
        status = path.stat() if path is not None else None
    except OSError:
        status = None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status is not None else ()
