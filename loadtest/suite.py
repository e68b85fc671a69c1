"""The suite under test: one that runs, or one started for the test in one of its shapes."""

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

from cli.up.ports import free_port
from vitrine.health_probe import is_serving

_START_TIMEOUT_S = 300.0
SHAPES: dict[str, tuple[str, ...]] = {"one process": (), "suite": ("--suite",)}
# Saturated, a search has to wait for its turn: with less time the gateway would rank fewer products for each.
_WHOLE = {"VITRINE_GATEWAY_RANK_TIMEOUT_S": "18", "VITRINE_GATEWAY_EMBED_TIMEOUT_S": "18"}
# What `vitrine up` prints once the sample shop is in.
_UP = "Vitrine is up"
# Of a log, shown where it is not up: of several processes the one that failed need not have the last word.
_LAST_LINES = 5


class SuiteNotReady(Exception):
    """Some parts of the suite do not answer."""


def not_started(name: str, log: Path, data: Path | None = None) -> SuiteNotReady:
    """That `name` did not come up: the end of its log, which says why and what to do, and the data folder it had."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    last = [f"  {line}" for line in lines if line.strip()][-_LAST_LINES:]
    place = [] if data is None else [f"its data folder is {data}"]
    return SuiteNotReady("\n".join([f"{name} did not start; {log} ends with", *last, *place]))


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
def running_shape(shape: str, folder: Path, products: int, recommender: Path) -> Iterator[Targets]:
    """A sample shop of so many products in one of SHAPES, on ports of its own, with its catalogue in `folder`.

    Of one process all targets are the gateway's. Raises SuiteNotReady when it does not come up.
    """
    names = ("GATEWAY", "GATEWAY_HTTP", "EMBEDDER", "RETRIEVER", "RANKER")
    ports = {name: free_port() for name in names}
    settings = {f"VITRINE_{name}_PORT": str(port) for name, port in ports.items()}
    settings |= {"VITRINE_UP_SAMPLE_PRODUCTS": str(products), "VITRINE_UP_SAMPLE_REVIEWS": "0"}
    settings["VITRINE_GATEWAY_OPS"] = "true"
    options = [*SHAPES[shape], "--recommender", str(recommender)]
    with started(folder, *options, settings={**_WHOLE, **settings}):
        gateway = f"127.0.0.1:{ports['GATEWAY']}"
        if shape != "suite":
            yield Targets(gateway, gateway, gateway, gateway)
        else:
            yield Targets(gateway, *(f"127.0.0.1:{ports[name]}" for name in names[2:]))


def require_serving(targets: Targets) -> None:
    """Raises SuiteNotReady, naming what does not answer."""
    silent = [f"{name} ({target})" for name, target in targets.all().items() if not is_serving(target)]
    if silent:
        raise SuiteNotReady(f"{', '.join(silent)} does not answer; start it, or name where it is")


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
                    raise not_started("the suite", log, folder / "data")
                time.sleep(0.5)
            yield
        finally:
            suite.send_signal(signal.SIGTERM)
            suite.wait(timeout=60)
