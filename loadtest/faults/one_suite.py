"""Suites of one replica of each service, for faults that are not of a replica: of Redis, of load, of time."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import psutil
import redis.asyncio

from loadtest.faults import broken_redis, overload, soak
from loadtest.faults.findings import Findings
from loadtest.faults.redis_proxy import RedisProxy
from loadtest.faults.scrape import Metrics, scraped
from loadtest.faults.searches import DEADLINE_S
from loadtest.faults.shop import fill, shop
from loadtest.faults.suite import SERVICES, Suite, running
from loadtest.mixes import fresh_queries
from vitrine.channel import open_channel
from vitrine.v1 import search_service_pb2_grpc

_PRODUCTS = 500
_FRESH = 40_000


async def broken_redis_found(folder: Path, found: Findings, *, rate: float, seconds: float) -> None:
    """Breaks the cache's Redis in every way; see `broken_redis`."""
    proxy = RedisProxy()
    await proxy.start()
    redis_url = {"VITRINE_GATEWAY_REDIS_URL": proxy.url}
    async with running(folder, {"gateway": 2}, redis_url, postgres=False) as suite, AsyncExitStack() as stack:
        proxy.behind = suite.cache_url
        async with suite.gateway() as both:
            await fill(both, shop(_PRODUCTS))
        client = await stack.enter_async_context(_client(suite.cache_url))
        searches, metrics = [], []
        for number in (0, 1):
            channel = await stack.enter_async_context(open_channel(suite.address("gateway", number)))
            searches.append(partial(search_service_pb2_grpc.SearchServiceStub(channel).Search, timeout=DEADLINE_S))
            metrics.append(partial(scraped, suite.metrics_url("gateway", number)))
        stand = broken_redis.Shop(searches[0], metrics[0], searches[1], metrics[1], proxy, client)
        await broken_redis.break_redis(stand, found, rate=rate, seconds=seconds, seed=secrets.randbits(32))
    await proxy.stop()


async def overload_found(folder: Path, found: Findings, *, factor: float, seconds: float, calm_s: float) -> None:
    """Asks more than can be answered; see `overload`."""
    async with running(folder, 1, postgres=False) as suite, AsyncExitStack() as stack:
        channel = await stack.enter_async_context(suite.gateway())
        await fill(channel, shop(_PRODUCTS))
        health = {name: await stack.enter_async_context(open_channel(suite.address(name, 0))) for name in SERVICES}
        processes = [psutil.Process(number) for number in _process_ids(suite).values()]

        async def metrics() -> Sequence[Metrics]:
            return await asyncio.gather(
                *(scraped(suite.metrics_url(name, 0)) for name in ("embedder", "ranker", "gateway"))
            )

        overloaded = overload.Suite(
            search_service_pb2_grpc.SearchServiceStub(channel).Search,
            iter(fresh_queries(_FRESH, secrets.randbits(32))),
            health,
            lambda: sum(process.memory_info().rss for process in processes),
            metrics,
        )
        await overload.overload(overloaded, found, factor=factor, seconds=seconds, calm_s=calm_s)


async def soak_found(
    folder: Path, memory: Findings, calls: Findings, *, minutes: float, warm_up: float, share: float, rate: float | None
) -> None:
    """Runs for so many minutes after warm-up at a share of the capacity, or at a rate; see `soak`."""
    async with running(folder, 1, soak.SETTINGS, postgres=False) as suite, suite.gateway() as channel:
        async with _client(suite.cache_url) as client:
            await client.config_set("maxmemory", soak.CACHE_BYTES)
        products = shop(_PRODUCTS)
        await fill(channel, products)
        mix = soak.Mix(channel, products, secrets.randbits(32), cold=_FRESH)
        await mix.fill_lists()
        await soak.crowd(mix, 60.0)
        if rate is None:
            most = await soak.capacity(mix, 30.0)
            rate = share * most
            print(f"capacity {most:.1f} calls a second, soaked at {rate:.1f}", file=sys.stderr)
        await soak.soak(
            mix,
            _process_ids(suite),
            rate,
            seconds=(warm_up + minutes) * 60,
            warm_up_s=warm_up * 60,
            memory=memory,
            calls=calls,
        )


def _process_ids(suite: Suite) -> dict[str, int]:
    return {part.name: part.pid for part in suite.parts}


@asynccontextmanager
async def _client(url: str) -> AsyncIterator[Any]:
    async with cast(Any, redis.asyncio).from_url(url) as client:
        yield client
