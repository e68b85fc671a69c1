"""Load over HTTP: what counts as answered and what as failed."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.http_load import load_http


class Sometimes(BaseHTTPRequestHandler):
    """Fails what asks for it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(500 if b"fail" in body else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sometimes)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/recommend"
    server.shutdown()
    thread.join()
    server.server_close()


def test_answers_and_failures_are_told_apart(url: str) -> None:
    answered = load_http(url, ["good", "fail"], clients=2, seconds=0.3)
    assert answered.good > 10
    assert abs(answered.good - answered.errors) <= 2
    assert 0 < answered.p50_ms <= answered.p99_ms


def test_a_server_that_is_away_is_failures_alone() -> None:
    answered = load_http("http://127.0.0.1:9/recommend", ["good"], clients=1, seconds=0.05)
    assert (answered.good, answered.per_second) == (0, 0.0)
    assert answered.errors > 0
