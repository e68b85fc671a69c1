"""The audit log: who wrote what, one JSON object a line, on its way to the disk before the caller has the answer."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from gateway.auth.principal import Principal
from vitrine.errors import Unavailable, VitrineError
from vitrine.status import grpc_code
from vitrine.tracing import trace_id

# A batch may have thousands of ids; `count` says how many.
_MAX_IDS = 20

Response = TypeVar("Response")


class AuditLog:
    """A file that only grows (one that was moved away is begun anew), or stderr for None."""

    def __init__(self, path: Path | None) -> None:
        """Raises Unavailable when the file cannot be opened."""
        self._path = path
        self._file = sys.stderr.fileno() if path is None else self._opened(path)

    def write(self, **entry: Any) -> None:
        """Adds a line. Raises Unavailable when that fails: a write that leaves no trace is not acknowledged."""
        line = json.dumps({"time": datetime.now(UTC).isoformat(), "log": "audit", **entry}, ensure_ascii=False) + "\n"
        if self._path is not None:
            self._reopen_if_moved(self._path)
        try:
            os.write(self._file, line.encode())
        except OSError as error:
            raise _unwritten(error) from error

    def close(self) -> None:
        """Closes the file."""
        if self._path is not None:
            os.close(self._file)

    def _reopen_if_moved(self, path: Path) -> None:
        try:
            moved = not os.path.samestat(os.stat(path), os.fstat(self._file))
        except FileNotFoundError:
            moved = True
        except OSError as error:
            raise _unwritten(error) from error
        if moved:
            opened = self._opened(path)
            os.close(self._file)
            self._file = opened

    @staticmethod
    def _opened(path: Path) -> int:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritten(error) from error


def _unwritten(error: OSError) -> Unavailable:
    return Unavailable(
        f"the audit log cannot be written ({error.strerror}); the write may be done, and may be sent again",
        reason="AUDIT_UNAVAILABLE",
    )


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom the current call is by, and where it is written down."""

    principal: Principal
    method: str
    peer: str
    audit: AuditLog

    def write(self, outcome: str, **entry: Any) -> None:
        """Adds a line on this call to the audit log; `outcome` is the name of a gRPC code."""
        self.audit.write(
            principal=self.principal.name,
            method=self.method,
            peer=self.peer,
            outcome=outcome,
            **entry,
            trace_id=trace_id(),
        )


CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)


def audited(
    what: Callable[[Any], Iterable[str] | int],
) -> Callable[[Callable[..., Awaitable[Response]]], Callable[..., Awaitable[Response]]]:
    """Writes down each call of an API method that changes something; `what` gives the request's ids, or a count alone.

    Names of visitors do not belong into a log: methods on them give digests or counts.
    """

    def decorate(method: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        @wraps(method)
        async def call(self: Any, request: Any, *arguments: Any, **named: Any) -> Response:
            caller = CALLER.get()
            if caller is None:
                return await method(self, request, *arguments, **named)
            entry = _items(what(request))
            try:
                response = await method(self, request, *arguments, **named)
            except asyncio.CancelledError:
                # The caller left or ran out of time; what was begun may have been done.
                caller.write("CANCELLED", **entry)
                raise
            except Exception as error:
                reason = {"reason": error.reason} if isinstance(error, VitrineError) else {}
                caller.write(grpc_code(error).name, **entry, **reason)
                raise
            caller.write("OK", **entry, **_refused(response))
            return response

        return call

    return decorate


def _items(found: Iterable[str] | int) -> dict[str, Any]:
    if isinstance(found, int):
        return {"count": found}
    ids = list(found)
    return {"count": len(ids), "ids": ids[:_MAX_IDS]} if ids else {}


def _refused(response: Any) -> dict[str, int]:
    """How many items of a batch were refused, where the answer says."""
    if "outcomes" not in response.DESCRIPTOR.fields_by_name:
        return {}
    return {"refused": sum(outcome.HasField("status") for outcome in response.outcomes)}
