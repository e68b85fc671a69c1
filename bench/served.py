"""What is put under load: the sample shop in one process or as a suite, or one service alone."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from loadtest.suite import not_started, started
from vitrine.health_probe import is_serving

_START_S = 120.0
_SERVICES = ("embedder", "retriever", "ranker")
# Saturated, a search has to wait for its turn: with less time the gateway would rank fewer products for each.
_WHOLE = {"VITRINE_GATEWAY_RANK_TIMEOUT_S": "18", "VITRINE_GATEWAY_EMBED_TIMEOUT_S": "18"}
SHAPES = {"one process": (), "suite": ("--suite",)}


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def shop(folder: Path, shape: str, settings: dict[str, str] | None = None) -> Iterator[str]:
    """The sample shop in one of SHAPES; yields the gateway's target. The catalogue, in folder/data, is kept."""
    gateway, http, *services = free_ports(2 + len(_SERVICES))
    ports = {"VITRINE_GATEWAY_PORT": str(gateway), "VITRINE_GATEWAY_HTTP_PORT": str(http)}
    ports |= {f"VITRINE_{name.upper()}_PORT": str(port) for name, port in zip(_SERVICES, services, strict=True)}
    with started(folder, *SHAPES[shape], settings={**_WHOLE, **ports, **(settings or {})}):
        yield f"127.0.0.1:{gateway}"


@contextmanager
def service(folder: Path, name: str) -> Iterator[str]:
    """One service as a process of its own; yields its target. Raises SuiteNotReady when it does not come up."""
    (port,) = free_ports(1)
    environment = {**os.environ, f"VITRINE_{name.upper()}_PORT": str(port)}
    log = folder / f"{name}.log"
    with running(log, [sys.executable, "-m", f"services.{name}"], environment) as process:
        target = f"127.0.0.1:{port}"
        ends_at_s = time.monotonic() + _START_S
        while not is_serving(target):
            if process.poll() is not None or time.monotonic() > ends_at_s:
                raise not_started(name, log)
            time.sleep(0.2)
        yield target


@contextmanager
def running(log: Path, command: list[str], environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A process, its output in `log`; ended on the way out."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
