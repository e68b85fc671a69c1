"""The suite under test: the one that runs, or one started for the test."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from vitrine.health_probe import is_serving

_START_TIMEOUT_S = 300.0


class SuiteNotReady(Exception):
    """Some parts of the suite do not answer."""


@dataclass(frozen=True, slots=True)
class Targets:
    """host:port of each service; a name that stands for several replicas is spread over all of them."""

    gateway: str
    embedder: str
    retriever: str
    ranker: str

    def all(self) -> dict[str, str]:
        """Targets by the name of the service."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def replicas(target: str) -> list[str]:
    """The addresses that a target stands for."""
    host, _, port = target.rpartition(":")
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return sorted({f"{address[0]!s}:{port}" for *_, address in found})


@contextmanager
def running_suite(targets: Targets, log: Path) -> Iterator[str]:
    """Yields what is tested: the suite that runs at `targets`, or, when no part of it answers, one started there.

    Raises SuiteNotReady when only some parts answer: the one-process shape has no embedder, retriever or ranker to
    load alone.
    """
    answering = [name for name, target in targets.all().items() if is_serving(target)]
    if len(answering) == len(fields(Targets)):
        yield "the suite that was running"
    elif answering:
        silent = ", ".join(f"{name} ({target})" for name, target in targets.all().items() if name not in answering)
        raise SuiteNotReady(f"{', '.join(answering)} answers, but not {silent}; run `make up-suite`, or stop all of it")
    else:
        with _started(targets, log):
            yield "a suite started for it"


@contextmanager
def _started(targets: Targets, log: Path) -> Iterator[None]:
    command = shutil.which("vitrine", path=str(Path(sys.executable).parent)) or "vitrine"
    with log.open("wb") as output:
        suite = subprocess.Popen([command, "up", "--suite"], stdout=output, stderr=subprocess.STDOUT)
        try:
            give_up_s = time.monotonic() + _START_TIMEOUT_S
            while not all(is_serving(target) for target in targets.all().values()):
                if suite.poll() is not None or time.monotonic() > give_up_s:
                    raise SuiteNotReady(f"the suite did not start; {log} says why")
                time.sleep(0.5)
            yield
        finally:
            suite.send_signal(signal.SIGTERM)
            suite.wait(timeout=60)
