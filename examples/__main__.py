"""`python -m examples [NAME ...]`: builds and runs each example that has a toolchain new enough, against a suite.

The suite is the one at ADDRESS (with API_KEY and CA where it needs them), else one started for this, with a sample
shop, on free ports, that wants a key.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cli.up.ports import free_port
from examples.client import CLIENTS, FOLDER, Client
from gateway.auth.api_keys import add_key, new_key
from gateway.auth.scopes import Scope
from loadtest.suite import SuiteNotReady, started

# Of an example's key: low enough for the example to meet it.
_RATE_PER_S = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 when every example that was not skipped did what it shows."""
    parser = argparse.ArgumentParser(prog="python -m examples", description="Builds and runs the examples.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these: " + ", ".join(c.name for c in CLIENTS))
    names = parser.parse_args(arguments).names
    if unknown := set(names) - {client.name for client in CLIENTS}:
        parser.error(f"there is no example {', '.join(sorted(unknown))}")
    chosen = [client for client in CLIENTS if not names or client.name in names]
    outcomes: dict[str, str] = {}
    ready = []
    for client in chosen:
        if lack := client.lack():
            outcomes[client.name] = f"skipped: {lack}"
        elif _fails(client.make):
            outcomes[client.name] = "FAILED to build"
        else:
            ready.append(client)
    if ready:
        try:
            with _suite(ready) as environments:
                for client in ready:
                    failed = _fails(partial(client.call, environments[client.name]))
                    outcomes[client.name] = "FAILED" if failed else "ran"
        except SuiteNotReady as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    print("\nexamples:")
    for client in chosen:
        print(f"  {client.name}: {outcomes[client.name]}")
    return int(any(outcome.startswith("FAILED") for outcome in outcomes.values()))


def _fails(step: Callable[[], None]) -> bool:
    try:
        step()
    except subprocess.CalledProcessError as error:
        print(f"error: {error}", file=sys.stderr)
        return True
    return False


@contextmanager
def _suite(clients: Sequence[Client]) -> Iterator[Mapping[str, Mapping[str, str]]]:
    """The suite at ADDRESS or one of our own; yields each client's environment by its name."""
    if os.environ.get("ADDRESS"):
        yield {client.name: os.environ for client in clients}
        return
    # Kept, for its log, until the next run.
    folder = FOLDER.parent / "build" / "examples"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    keys = folder / "keys.json"
    port = str(free_port())
    own = {
        client.name: {
            **os.environ,
            "ADDRESS": f"127.0.0.1:{port}",
            "API_KEY": _key(keys, client.name, Scope.SEARCH, Scope.EVENTS, Scope.CATALOGUE, rate_per_s=_RATE_PER_S),
        }
        for client in clients
    }
    settings = {
        "VITRINE_GATEWAY_PORT": port,
        "VITRINE_GATEWAY_HTTP_PORT": str(free_port()),
        "VITRINE_AUTH_KEYS_FILE": str(keys),
        "VITRINE_CLIENT_API_KEY": _key(keys, "sample-shop", Scope.CATALOGUE),
        "VITRINE_UP_SAMPLE_PRODUCTS": "600",
    }
    print("starting a suite with a sample shop", flush=True)
    with started(folder, settings=settings):
        yield own


def _key(keys: Path, name: str, *scopes: Scope, rate_per_s: float | None = None) -> str:
    """A new key, in the file that the gateway follows."""
    text, kept = new_key(name, scopes, rate_per_s, None)
    add_key(keys, kept)
    return text


if __name__ == "__main__":
    sys.exit(main())
