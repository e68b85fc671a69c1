"""What the containers are: small, not root, within their limits."""

import pytest

from tests.compose.suite import SERVICES, Client, compose, docker, inspect

# Of torch alone there would be a gigabyte more.
MAX_IMAGE_BYTES = 750_000_000


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_is_small_and_has_no_torch(client: Client, service: str) -> None:
    assert int(docker("image", "inspect", "--format", "{{.Size}}", f"vitrine-{service}")) <= MAX_IMAGE_BYTES
    finds_torch = "import importlib.util; print(importlib.util.find_spec('torch'))"
    assert compose("exec", "-T", service, "python", "-c", finds_torch).strip() == "None"


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_runs_the_service_itself_and_not_as_root(client: Client, service: str) -> None:
    container = inspect(service)
    assert container["Path"] == "python"
    assert container["Args"][0] == "-m"
    assert compose("exec", "-T", service, "id", "-u").strip() == "10001"
    assert container["HostConfig"]["ReadonlyRootfs"]
    assert container["State"]["Health"]["Status"] == "healthy"
    assert container["RestartCount"] == 0


@pytest.mark.parametrize("service", SERVICES)
def test_threads_follow_the_cpu_limit(client: Client, service: str) -> None:
    """text-embeddings-inference#170 (case 67): threads were sized to the host and not to the quota."""
    limit = inspect(service)["HostConfig"]["NanoCpus"] // 1_000_000_000
    assert limit >= 1
    quota = "from vitrine.compute import thread_quota; print(thread_quota())"
    assert int(compose("exec", "-T", service, "python", "-c", quota)) == limit


def test_the_event_store_is_durable_and_evicts_nothing(client: Client) -> None:
    wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "slowlog-max-len": "0"}
    answer = compose("exec", "-T", "events", "redis-cli", "config", "get", *wanted).split()
    assert dict(zip(answer[::2], answer[1::2], strict=True)) == wanted


def test_redis_is_a_bounded_cache(client: Client) -> None:
    answer = compose("exec", "-T", "redis", "redis-cli", "config", "get", "maxmemory*").split()
    settings = dict(zip(answer[::2], answer[1::2], strict=True))
    assert settings["maxmemory"] == str(256 * 1024 * 1024)
    assert settings["maxmemory-policy"] == "allkeys-lru"
