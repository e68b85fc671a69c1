"""The debug port: what a process is doing, over HTTP, from threads of its own that answer when the event loop does not.

It knows no callers: it listens on this machine alone, unless it is told otherwise.
"""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import structlog

from vitrine.errors import FailedPrecondition
from vitrine.profiling import folded, sampled_stacks, stacks

MAX_PROFILE_S = 60.0
_PROFILE_S = 10.0
_LAG_S = 1.0
_POLL_S = 0.05
_PAGES = f"""\
/debug/health             how long the event loop takes to answer, tasks, threads
/debug/stacks             what every thread does, and where every task waits
/debug/profile?seconds=N  stacks of all threads over N seconds, at most {MAX_PROFILE_S:.0f}: for speedscope.app
"""

_log = structlog.get_logger(__name__)


@contextmanager
def debug_server(host: str, port: int, loop: asyncio.AbstractEventLoop) -> Iterator[int]:
    """Answers while the block runs; yields the port. Raises FailedPrecondition when it cannot be had."""
    try:
        server = _Server((host, port), loop)
    except OSError as error:
        raise FailedPrecondition(f"cannot debug on {host}:{port}: {error}; is it in use?") from error
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), name="debug", daemon=True)
    thread.start()
    _log.info("debugging", host=host, debug_port=server.server_port)
    try:
        yield server.server_port
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(address, _Handler)
        self.loop = loop
        self.started_s = time.monotonic()
        self.stopping = threading.Event()
        self.profiling = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        """Answers one of the pages."""
        parts = urlsplit(self.path)
        if parts.path in ("/", "/debug", "/debug/"):
            self._answer(HTTPStatus.OK, _PAGES)
        elif parts.path == "/debug/health":
            self._answer(HTTPStatus.OK, json.dumps(self._health()) + "\n", "application/json")
        elif parts.path == "/debug/stacks":
            self._answer(HTTPStatus.OK, stacks(self.server.loop))
        elif parts.path == "/debug/profile":
            self._profile(parse_qs(parts.query).get("seconds", [str(_PROFILE_S)])[-1])
        else:
            self._answer(HTTPStatus.NOT_FOUND, _PAGES)

    def log_message(self, format: str, *args: object) -> None:
        """Logs a request as the process logs all else."""
        _log.info("debug request", request=format % args)

    def _health(self) -> dict[str, float | int | None]:
        """`event_loop_lag_ms` is null when the event loop did not answer within a second."""
        answered: Future[float] = Future()
        asked_s = time.perf_counter()
        self.server.loop.call_soon_threadsafe(lambda: answered.set_result(time.perf_counter()))
        try:
            lag_ms = round((answered.result(_LAG_S) - asked_s) * 1e3, 3)
        except TimeoutError:
            lag_ms = None
        return {
            "event_loop_lag_ms": lag_ms,
            "tasks": len(asyncio.all_tasks(self.server.loop)),
            "threads": threading.active_count(),
            "up_s": round(time.monotonic() - self.server.started_s, 1),
        }

    def _profile(self, asked: str) -> None:
        try:
            seconds = float(asked)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= MAX_PROFILE_S:
            self._answer(
                HTTPStatus.BAD_REQUEST, f"seconds is {asked!r}; give more than 0, at most {MAX_PROFILE_S:.0f}\n"
            )
        elif not self.server.profiling.acquire(blocking=False):
            self._answer(HTTPStatus.CONFLICT, "another profile is being taken; wait for its end\n")
        else:
            try:
                found = sampled_stacks(seconds, self.server.stopping)
            finally:
                self.server.profiling.release()
            self._answer(HTTPStatus.OK, folded(found))

    def _answer(self, status: HTTPStatus, text: str, kind: str = "text/plain") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
