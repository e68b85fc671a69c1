"""Running ghz: what it measures is the suite's, what it fails at is its own."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from loadtest.ghz import ToolFailed, find_ghz, read_report, run_call
from loadtest.methods import NO_OP
from loadtest.requests import write_descriptors, write_messages

REPORT = {
    "count": 20,
    "rps": 12.5,
    "options": {"concurrency": 4},
    "statusCodeDistribution": {"OK": 17, "Unavailable": 3},
    "latencyDistribution": [
        {"percentage": 50, "latency": 1_500_000},
        {"percentage": 95, "latency": 4_000_000},
        {"percentage": 99, "latency": 9_000_000},
    ],
}


def test_a_report_is_read_with_its_errors() -> None:
    row = read_report("rank", REPORT)
    assert (row.p50_ms, row.p95_ms, row.p99_ms, row.rps, row.calls, row.errors) == (1.5, 4.0, 9.0, 12.5, 20, 3)


def test_a_report_without_calls_is_the_tools_fault() -> None:
    with pytest.raises(ToolFailed, match="made no call at rank"):
        read_report("rank", {**REPORT, "count": 0})


def test_a_missing_ghz_is_named_with_its_install_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolFailed, match=r"go install github.com/bojand/ghz"):
        find_ghz()


def test_a_ghz_that_fails_is_not_blamed_on_the_suite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ghz#169 (case 39): the tool's own failures were taken for the server's."""
    broken = tmp_path / "ghz"
    broken.write_text("#!/bin/sh\necho 'no such method' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ToolFailed, match="ghz failed at noop: no such method"):
        run_call("noop", NO_OP, "127.0.0.1:1", data=tmp_path, descriptors=tmp_path, in_flight=1, ends=["--total", "1"])


class Health(health_pb2_grpc.HealthServicer):
    """Refuses each call that names the service "away"."""

    def __init__(self) -> None:
        self.callers: set[str] = set()

    def Check(
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        self.callers.add(context.peer())
        if request.service == "away":
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


@pytest.fixture
def served() -> Iterator[tuple[str, Health]]:
    server, health = grpc.server(ThreadPoolExecutor(4)), Health()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", health
    server.stop(None).wait()


@pytest.mark.skipif(shutil.which("ghz") is None, reason="ghz is not on PATH")
def test_every_message_is_sent_and_every_failure_counted(served: tuple[str, Health], tmp_path: Path) -> None:
    target, health = served
    names = ("", "here", "away", "there", "{{not for ghz")
    messages = [health_pb2.HealthCheckRequest(service=name) for name in names]
    write_messages(tmp_path / "data.bin", messages)
    write_descriptors(tmp_path / "vitrine.binpb")
    load = partial(run_call, "noop", NO_OP, target, data=tmp_path / "data.bin", descriptors=tmp_path / "vitrine.binpb")
    row = load(in_flight=4, ends=["--total", "40"])
    assert row.codes == {"OK": 30, "Unavailable": 10}
    # ghz#103 (case 14): one connection loads one replica.
    assert len(health.callers) == 4
    assert 0 < row.p50_ms <= row.p95_ms <= row.p99_ms
    # ghz#169 (case 39): calls in flight at the end were counted as failed.
    timed = load(in_flight=4, ends=["--duration", "0.5s"])
    assert timed.errors == timed.codes["Unavailable"]
    begun = load(in_flight=4, ends=["--total", "40"], rate=200)
    assert (begun.codes, begun.in_flight) == (row.codes, 4)
    assert set(begun.percentiles_ms) >= {10, 50, 90, 99}
