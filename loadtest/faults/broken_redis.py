"""A Redis that is slow, gone, full, flushed or answers garbage, while searches go on: what it costs, and what is wrong.

Each part asks texts that nobody asked before. Another gateway asks them first, while all is well: so its answers are
known, and its vectors lie in Redis, where they can be spoilt. Then the gateway under test is asked each of them twice
at once and once more later.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gateway.circuit_breaker import CircuitBreaker
from gateway.embedding_cache import EmbeddingCache, VectorSpace
from loadtest.faults.findings import Findings, kinds
from loadtest.faults.redis_proxy import RedisProxy
from loadtest.faults.scrape import Metrics
from loadtest.faults.searches import Load, Outcome, at_rate
from loadtest.mixes import fresh_queries
from vitrine.v1 import common_pb2
from vitrine.v1.search_service_pb2 import SearchRequest, SearchResponse

COLUMNS = (
    "Redis",
    "searches",
    "failed",
    "wrong vectors",
    "texts",
    "model calls",
    "p50 ms",
    "p99 ms",
    "p99 beside an empty Redis",
    "waited over 5 ms",
)
# Texts of one part for each three searches: two at once, and one of a text before.
_AGAIN = 3
# The breaker opens at the fifth failure; what waits until then is not counted.
_OPENING_S = 1.0
_LATE = 0.01
_BACK_S = 30.0
_SAME_COSINE = 0.02
_SAME_PRODUCTS = 0.8
_EMBEDDED = "vitrine_query_vectors_total"
_WAITED = "vitrine_cache_seconds"

Search = Callable[[SearchRequest], Awaitable[SearchResponse]]


@dataclass(frozen=True, slots=True)
class Shop:
    """Two gateways before one Redis: `search` asks the one under test, `metrics` reads it; `first` is the other."""

    search: Search
    metrics: Callable[[], Awaitable[Metrics]]
    first: Search
    first_metrics: Callable[[], Awaitable[Metrics]]
    proxy: RedisProxy
    redis: Any  # redis.asyncio.Redis of bytes, which its types do not know


Fault = Callable[[Shop], Coroutine[Any, Any, None]]


async def break_redis(
    shop: Shop, found: Findings, *, rate: float, seconds: float, seed: int, faults: "Mapping[str, Fault] | None" = None
) -> None:
    """Every fault in turn, or `faults`, for so long each, at so many searches a second."""
    faults = FAULTS if faults is None else faults
    count = max(4, int(rate * seconds / _AGAIN))
    texts = iter(fresh_queries(count * (len(faults) + 2), seed))

    def some() -> list[str]:
        return [next(texts) for _ in range(count)]

    await _part(shop, "as it should be", some(), _nothing, Findings(()), rate, seconds, 0.0)
    empty_ms = await _part(shop, "empty", some(), _emptied, found, rate, seconds, 0.0)
    for name, fault in faults.items():
        await _part(shop, name, some(), fault, found, rate, seconds, empty_ms)


async def _part(
    shop: Shop,
    name: str,
    texts: Sequence[str],
    fault: Fault,
    found: Findings,
    rate: float,
    seconds: float,
    empty_ms: float,
) -> float:
    """One fault; the p99 in milliseconds."""
    await shop.redis.flushall()
    known, allowed = await _known(shop, texts)
    # With nothing to compare, any answer would pass for right.
    unknown = [text for text, cosines in known.items() if not cosines]
    found.hold(not unknown, f"{name}: what {len(unknown)} texts should find is not known, such as {unknown[:1]}")
    wrong: list[str] = []
    load, asked = Load(), _asked(texts)

    async def search(_number: int) -> tuple[str, ...]:
        text, times = next(asked)
        answers = await asyncio.gather(*(shop.search(_request(text)) for _ in range(times)))
        wrong.extend(text for answer in answers if _differs(answer, known[text]))
        return tuple({common_pb2.Degradation.Name(kind) for answer in answers for kind in answer.degradations})

    embedded = await _embedded(shop.metrics)
    async with at_rate(rate * 2 / _AGAIN, search, load):
        breaking = asyncio.create_task(fault(shop))
        await asyncio.sleep(min(_OPENING_S, seconds / 2))
        before = await shop.metrics()
        await asyncio.sleep(max(seconds - _OPENING_S, seconds / 2))
    while not breaking.done():
        # Before Python 3.12 `asyncio.wait_for`, which redis-py calls, hides a cancellation that comes at the moment of
        # the reply (python/cpython#86296).
        breaking.cancel()
        await asyncio.wait({breaking}, timeout=1.0)
    after = await shop.metrics()
    calls = await _embedded(shop.metrics) - embedded
    await _mended(shop, name, found)
    outcomes = load.outcomes
    settled = load.since(min(one.due_s for one in outcomes) + min(_OPENING_S, seconds / 2))
    p50_ms, p99_ms = _percentiles(settled)
    waited = _late(after) - _late(before)
    searches = max(1, 3 * len(settled) // 2)
    failed = [one for one in outcomes if one.fault]
    found.add(
        name,
        f"{3 * len(outcomes) // 2:,}",
        str(len(failed)),
        str(len(wrong)),
        f"{allowed:,.0f}",
        f"{calls:,.0f}",
        f"{p50_ms:.1f}",
        f"{p99_ms:.1f}",
        f"{p99_ms - empty_ms:+.1f}" if empty_ms else "",
        f"{waited:.0f} ({waited / searches:.1%})",
    )
    found.hold(not failed, f"{name}: {len(failed)} failed: {kinds(failed)}")
    found.hold(not wrong, f"{name}: {len(wrong)} answers are of another vector, such as of {wrong[:1]}")
    found.hold(calls <= allowed, f"{name}: {calls:.0f} model calls for {allowed:.0f} texts")
    found.hold(waited <= _LATE * searches, f"{name}: {waited:.0f} of {searches} searches waited over 5 ms for Redis")
    return p99_ms


async def _known(shop: Shop, texts: Sequence[str]) -> tuple[Mapping[str, Mapping[str, float]], float]:
    """What each text's answer is, from the other gateway, and how many texts it gave to the model for that."""
    before = await _embedded(shop.first_metrics)
    known = {text: _cosines(await shop.first(_request(text))) for text in texts}
    return known, await _embedded(shop.first_metrics) - before


def _asked(texts: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Texts and how often at once: each twice, and one of those before once more; then those again."""
    draw = random.Random(1)
    while True:
        for number, text in enumerate(texts):
            yield text, 2
            yield texts[draw.randrange(number + 1)], 1


def _request(text: str) -> SearchRequest:
    return SearchRequest(query=text, rank_depth=0)


def _cosines(answer: SearchResponse) -> Mapping[str, float]:
    return {
        result.product.id: source.score
        for result in answer.results
        for source in result.sources
        if source.source == "dense"
    }


def _differs(answer: SearchResponse, known: Mapping[str, float]) -> bool:
    """Whether an answer was made by another vector than the known one; one by words alone has none."""
    if common_pb2.DEGRADATION_LEXICAL_ONLY in answer.degradations:
        return False
    cosines = _cosines(answer)
    both = cosines.keys() & known.keys()
    if len(both) < _SAME_PRODUCTS * len(known):
        return True
    return any(abs(cosines[one] - known[one]) > _SAME_COSINE for one in both)


async def _embedded(metrics: Callable[[], Awaitable[Metrics]]) -> float:
    return (await metrics()).sum(_EMBEDDED, origin="embedder")


def _late(metrics: Metrics) -> float:
    return metrics.sum(f"{_WAITED}_count") - metrics.sum(f"{_WAITED}_bucket", le="0.005")


def _percentiles(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    p50, p99 = np.percentile([one.took_s * 1e3 for one in outcomes], (50, 99))
    return float(p50), float(p99)


async def _mended(shop: Shop, name: str, found: Findings) -> None:
    """Ends a fault, and sees that the gateway asks Redis again."""
    shop.proxy.mend()
    await shop.redis.config_set("maxmemory", 0)
    ends_s, number = time.monotonic() + _BACK_S, 0
    while (await shop.metrics()).sum("vitrine_cache_breaker_open"):
        if time.monotonic() > ends_s:
            found.hold(False, f"{name}: Redis is back since {_BACK_S:.0f} s, and still left alone")
            return
        await shop.search(_request(f"{name} mended {number}"))
        number += 1
        await asyncio.sleep(0.1)


async def _nothing(_shop: Shop) -> None:
    pass


async def _emptied(shop: Shop) -> None:
    await shop.redis.flushall()


async def _slow(shop: Shop) -> None:
    shop.proxy.delay_s = 5.0


async def _gone(shop: Shop) -> None:
    shop.proxy.away = True
    await shop.proxy.cut()


async def _full(shop: Shop) -> None:
    await shop.redis.config_set("maxmemory-policy", "noeviction")
    await shop.redis.config_set("maxmemory", 1)


async def _flushed(shop: Shop) -> None:
    while True:
        await asyncio.sleep(0.5)
        await shop.redis.flushall()


async def _garbage(shop: Shop) -> None:
    draw = random.Random(2)
    shop.proxy.spoil = lambda reply: draw.randbytes(len(reply))


async def _torn(shop: Shop) -> None:
    shop.proxy.spoil = lambda reply: reply[: len(reply) // 2]
    shop.proxy.hang_up = True


async def _mixed_up(shop: Shop) -> None:
    """Each reply is the one before, as on a connection that somebody left half-way (redis-py#2665)."""
    last = [b"*1\r\n$-1\r\n"]

    def swapped(reply: bytes) -> bytes:
        last.append(reply)
        return last.pop(0)

    shop.proxy.spoil = swapped


def _values(spoilt: Callable[[Sequence[Any], int], bytes]) -> Fault:
    """Every value in Redis becomes another, made of all of them and a place among them."""

    async def fault(shop: Shop) -> None:
        keys = [key async for key in shop.redis.scan_iter(match="*:query:*", count=1_000)]
        values = await shop.redis.mget(keys)
        for place, key in enumerate(keys):
            await shop.redis.set(key, spoilt(values, place), px=600_000)

    return fault


def _flipped(values: Sequence[Any], place: int) -> bytes:
    value = bytearray(values[place])
    value[random.Random(place).randrange(len(value))] ^= 0x10
    return bytes(value)


def _shorter(values: Sequence[Any], place: int) -> bytes:
    return bytes(values[place][: len(values[place]) * 3 // 4])


def _other(values: Sequence[Any], place: int) -> bytes:
    return bytes(values[(place + 1) % len(values)])


def _halves(values: Sequence[Any], place: int) -> bytes:
    half = len(values[place]) // 2
    return bytes(values[place][:half] + _other(values, place)[half:])


async def _another_models(shop: Shop) -> None:
    """Right values, of another model of the same width."""
    keys = [key async for key in shop.redis.scan_iter(match="*:query:*", count=1_000)]
    dim = (len(await shop.redis.get(keys[0])) - 11) // 4
    cache = EmbeddingCache(
        shop.proxy.behind,
        prefix="another",
        dtype="float32",
        ttl_s=600,
        ttl_jitter=0,
        wait_s=5,
        command_timeout_s=5,
        breaker=CircuitBreaker(5, 1.0),
    )
    space, vector = VectorSpace("sha256:" + "0" * 64, dim), np.full(dim, dim**-0.5, np.float32)
    cache.write(space, "another", vector)
    await cache.close()
    value = await shop.redis.get(cache.key(space, "another"))
    for key in keys:
        await shop.redis.set(key, value, px=600_000)


FAULTS: Mapping[str, Fault] = {
    "slow, 5 s": _slow,
    "gone": _gone,
    "full": _full,
    "flushed each half second": _flushed,
    "answers random bytes": _garbage,
    "ends in the middle of a reply": _torn,
    "answers another call": _mixed_up,
    "one bit of each value flipped": _values(_flipped),
    "values cut": _values(_shorter),
    "values of other texts": _values(_other),
    "values torn of two": _values(_halves),
    "vectors of another model": _another_models,
}
