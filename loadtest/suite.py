"""The suite under test: the one that runs, or one started for the test."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from vitrine.health_probe import is_serving

_START_TIMEOUT_S = 300.0
# What `vitrine up` prints once the sample shop is in.
_UP = "Vitrine is up"


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
def running_suite(targets: Targets, folder: Path) -> Iterator[str]:
    """Yields what is tested: the suite that runs at `targets`, or, when no part of it answers, one started for it,
    which listens where its settings say.

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
        with started(folder, "--suite"):
            yield "a suite started for it"


@contextmanager
def started(folder: Path, *options: str, settings: Mapping[str, str] | None = None) -> Iterator[None]:
    """`vitrine up` with these options and settings, and the sample shop, whose catalogue lies in `folder`.

    Raises SuiteNotReady when it does not come up.
    """
    log = folder / "suite.log"
    command = [sys.executable, "-m", "cli", "up", *options]
    places = {
        "VITRINE_RETRIEVER_DATA_DIR": str(folder / "data"),
        "VITRINE_UP_CACHE_DIR": str(folder / "cache"),
        "VITRINE_EVENTS_DATA_DIR": str(folder / "events"),
    }
    environment = {**os.environ, **places, **(settings or {})}
    with log.open("wb") as output:
        suite = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            give_up_s = time.monotonic() + _START_TIMEOUT_S
            while _UP.encode() not in log.read_bytes():
                if suite.poll() is not None or time.monotonic() > give_up_s:
                    raise SuiteNotReady(f"the suite did not start; {log} says why")
                time.sleep(0.5)
            yield
        finally:
            suite.send_signal(signal.SIGTERM)
            suite.wait(timeout=60)
