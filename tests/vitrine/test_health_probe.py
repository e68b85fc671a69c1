"""The probe of a container's health check tells ready from not ready, and waits for a busy machine."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from vitrine.health_probe import is_serving

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@contextmanager
def served(servicer: health_pb2_grpc.HealthServicer) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


class SlowHealth(health_pb2_grpc.HealthServicer):
    """Answers 1.5 s late, as a machine does whose cores all load models."""

    def Check(self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext):
        threading.Event().wait(1.5)
        return health_pb2.HealthCheckResponse(status=SERVING)


def test_a_server_that_still_loads_is_not_ready_and_then_is() -> None:
    servicer = health.HealthServicer()
    servicer.set("", NOT_SERVING)
    with served(servicer) as target:
        assert not is_serving(target)
        servicer.set("", SERVING)
        assert is_serving(target)
        assert not is_serving(target, "vitrine.v1.NoSuchService")


def test_a_reply_later_than_one_second_is_still_a_reply() -> None:
    """microservices-demo#62 (case 37): probes with a limit of 1 s restarted what was only slow."""
    with served(SlowHealth()) as target:
        assert is_serving(target)
        assert not is_serving(target, timeout_s=0.2)


def test_proxy_variables_do_not_reach_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """serve#5966 (case 38): readiness was wrong where the surroundings name a proxy."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    servicer = health.HealthServicer()
    with served(servicer) as target:
        assert is_serving(target.replace("127.0.0.1", "localhost"))


def test_the_command_tells_by_its_exit_status() -> None:
    def probe(*targets: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vitrine.health_probe", *targets], capture_output=True, text=True, timeout=60
        )

    servicer = health.HealthServicer()
    with served(servicer) as target:
        assert probe(target).returncode == 0
        servicer.set("", NOT_SERVING)
        refused = probe(target)
    assert refused.returncode == 1
    assert f"{target} is not serving" in refused.stderr
    assert probe().returncode == 1
