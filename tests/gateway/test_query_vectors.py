"""Tests of query vectors in front of a real Valkey and the real embedder."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest

from gateway.circuit_breaker import CircuitBreaker
from gateway.embedding_cache import EmbeddingCache, VectorSpace
from gateway.query_vectors import QueryVectors
from vitrine.deadline import Deadline
from vitrine.errors import InvalidArgument, Unavailable
from vitrine.ports import EmbeddedItem, Embeddings, ModelInfo, ServedModels

DIGEST = "sha256:" + "ef" * 32


class NumberEmbedder:
    """Makes a vector of the text's own characters at once, and counts."""

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self.error: Exception | None = None
        self.item = EmbeddedItem(tokens=3)

    async def embed(self, texts: Any, **_named: Any) -> Embeddings:
        if self.error is not None:
            raise self.error
        self.embedded += texts
        seeds = [np.frombuffer(text.encode(), np.uint8).sum() for text in texts]
        rows = [np.random.default_rng(seed).normal(size=384) for seed in seeds]
        return Embeddings(np.array(rows, np.float32), (self.item,) * len(texts), DIGEST, "")

    async def get_models(self, **_named: Any) -> ServedModels:
        return ServedModels((ModelInfo("test", "1", DIGEST, 384, 128, ("en",), "none"),))


def soon() -> Deadline:
    return Deadline.after(60)


@pytest.fixture
def counting() -> NumberEmbedder:
    return NumberEmbedder()


async def vector_of(vectors: QueryVectors, text: str) -> Any:
    lookup = await vectors.lookup(text)
    return lookup.found or await vectors.embed(text, deadline=soon())


async def test_a_thousand_callers_of_one_cold_query_cost_one_run(
    embedder: Any, open_cache: Callable[..., EmbeddingCache]
) -> None:
    """cacheable#888 (case 123)"""
    runs = []

    class Counting:
        async def embed(self, texts: Any, **named: Any) -> Any:
            runs.append(texts)
            return await embedder.embed(texts, **named)

    vectors = QueryVectors(Counting(), open_cache(), kept=10, embed_timeout_s=60)  # type: ignore[arg-type]
    found = await asyncio.gather(*(vector_of(vectors, "黑色 跑步鞋") for _ in range(1_000)))
    assert runs == [["黑色 跑步鞋"]]
    assert all(np.array_equal(one.vector, found[0].vector) for one in found)


async def test_another_process_finds_it_in_redis(
    counting: NumberEmbedder, open_cache: Callable[..., EmbeddingCache]
) -> None:
    first, second = (QueryVectors(counting, open_cache(), kept=10, embed_timeout_s=60) for _ in range(2))
    await second.refresh_model(deadline=soon())
    made = await first.embed("watch", deadline=soon())
    await first.close()
    found = (await second.lookup("watch")).found
    assert found is not None
    assert np.array_equal(found.vector, made.vector)
    assert counting.embedded == ["watch"]


async def test_a_cache_of_our_own_is_asked_once_vectors_had_to_go(
    counting: NumberEmbedder, open_cache: Callable[..., EmbeddingCache]
) -> None:
    cache = open_cache()
    vectors = QueryVectors(counting, cache, kept=2, embed_timeout_s=60, cache_is_own=True)
    asked: list[Any] = []
    read = cache.read

    async def counted(space: VectorSpace, texts: Any) -> Any:
        asked.extend(texts)
        return await read(space, texts)

    cache.read = counted  # type: ignore[method-assign]
    for text in ("one", "two", "one"):
        await vector_of(vectors, text)
    assert asked == []
    # Of the others "two" was used less lately, and goes.
    await vector_of(vectors, "three")
    await vectors.drain()
    assert (await vectors.lookup("two")).found is not None
    assert asked == ["two"]
    assert counting.embedded == ["one", "two", "three"]


async def test_a_cache_of_our_own_that_writes_found_away_is_found_back(
    counting: NumberEmbedder, open_cache: Callable[..., EmbeddingCache]
) -> None:
    """Nothing read from it before a vector had to go, so it was left alone for ever, and kept none of these vectors."""
    clock = [0.0]
    cache = open_cache(breaker=CircuitBreaker(1, 1.0, lambda: clock[0]))
    vectors = QueryVectors(counting, cache, kept=10, embed_timeout_s=60, cache_is_own=True)
    await vector_of(vectors, "one")
    await vectors.drain()
    cache.breaker.failed()
    assert (await vectors.lookup("two")).cache_missing
    clock[0] = 2.0
    await vectors.lookup("two")
    await cache.breaker.close()
    assert not (await vectors.lookup("two")).cache_missing
    assert not cache.breaker.is_open


async def test_errors_are_not_kept(counting: NumberEmbedder, open_cache: Callable[..., EmbeddingCache]) -> None:
    vectors = QueryVectors(counting, open_cache(), kept=10, embed_timeout_s=60)
    counting.error = Unavailable("away")
    with pytest.raises(Unavailable):
        await vectors.embed("watch", deadline=soon())
    counting.error = None
    assert (await vectors.embed("watch", deadline=soon())).model_digest == DIGEST


async def test_a_failed_item_is_an_error_of_the_query_and_not_kept(counting: NumberEmbedder) -> None:
    vectors = QueryVectors(counting, None, kept=10, embed_timeout_s=60)
    counting.item = EmbeddedItem(error=InvalidArgument())
    with pytest.raises(InvalidArgument, match=r"^query: "):
        await vectors.embed("watch", deadline=soon())
    assert (await vectors.lookup("watch")).found is None


async def test_the_process_keeps_what_was_used_last(counting: NumberEmbedder) -> None:
    vectors = QueryVectors(counting, None, kept=2, embed_timeout_s=60)
    for text in ("one", "two", "one", "three"):
        await vector_of(vectors, text)
    assert [(await vectors.lookup(text)).found is not None for text in ("one", "two", "three")] == [True, False, True]


async def test_ten_thousand_misses_do_not_grow_the_process(counting: NumberEmbedder) -> None:
    """The recommendation server of the OpenTelemetry demo, flag recommendationCacheFailure: a cache that only grew."""
    vectors = QueryVectors(counting, None, kept=500, embed_timeout_s=60)

    async def miss(numbers: range) -> None:
        for number in numbers:
            await vector_of(vectors, f"query {number}")

    await miss(range(2_000))
    counting.embedded.clear()
    gc.collect()
    before = psutil.Process().memory_info().rss
    await miss(range(2_000, 12_000))
    gc.collect()
    # Kept for ever, these vectors alone would take 15 MB.
    assert psutil.Process().memory_info().rss - before < 5_000_000
    assert len(counting.embedded) == 10_000
