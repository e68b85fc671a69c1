"""API keys: the file of their hashes, and the file that holds the key of this machine."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, warning
from cli.doctor.machine import Machine
from gateway.auth.api_keys import read_keys
from gateway.auth.settings import AuthSettings
from vitrine.client.settings import ClientSettings
from vitrine.errors import FailedPrecondition

_SOON_S = 14 * 86_400.0


@check(
    "keys.file",
    "machine",
    tells="the file of API keys can be read, others cannot write it, and no key is about to expire",
)
async def keys_file(_machine: Machine) -> AsyncIterator[Finding]:
    """VITRINE_AUTH_KEYS_FILE: who can write it can let himself in."""
    path = AuthSettings().keys_file
    if path is None:
        yield ok("no file of keys is set")
        return
    try:
        keys = read_keys(path).keys
    except FailedPrecondition as error:
        yield problem(error.message, "make it anew: vitrine key create")
        return
    if path.stat().st_mode & 0o022:
        yield problem(f"others may write {path}, and so give themselves keys", f"chmod go-w {path}")
    if not keys:
        yield problem(f"{path} holds no key: nobody is let in", "vitrine key create")
    for key in keys:
        left_s = key.expire_time.timestamp() - time.time() if key.expire_time else _SOON_S
        if left_s <= 0:
            yield warning(f"key {key.name} has expired", f"vitrine key revoke {key.name}, and create another")
        elif left_s < _SOON_S:
            yield warning(
                f"key {key.name} expires in {left_s / 86_400:.1f} days", "vitrine key create another, and hand it out"
            )
    yield ok(f"{path} holds {len(keys)} keys")


@check(
    "keys.own",
    "machine",
    tells="the file of this machine's key (VITRINE_CLIENT_API_KEY_FILE) can be read, and not by others",
)
async def own_key(_machine: Machine) -> AsyncIterator[Finding]:
    """What the command line shows to the gateway."""
    settings = ClientSettings()
    path: Path | None = settings.api_key_file
    try:
        credentials = settings.credentials()
    except FailedPrecondition as error:
        yield problem(error.message, "set VITRINE_CLIENT_API_KEY_FILE to a file that holds one")
        return
    if path is not None and os.stat(path).st_mode & 0o077:
        yield problem(f"others may read {path}, which holds a key", f"chmod 600 {path}")
    elif path is not None and not credentials:
        yield problem(f"{path} is empty", "write the key that `vitrine key create` printed into it")
    else:
        yield ok("the key of this machine is its user's alone" if credentials else "no key of this machine is set")
