"""What the gateway's tests share: a Redis that can be made slow, and caches."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest

from gateway.circuit_breaker import CircuitBreaker
from gateway.embedding_cache import EmbeddingCache


class SlowProxy:
    """A TCP proxy that holds back replies while `open` is cleared, and can answer garbage instead."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.open = asyncio.Event()
        self.open.set()
        self.garbage: bytes | None = None
        self.asked = asyncio.Event()
        self.requests = 0

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        upstream, upwriter = await asyncio.open_connection(self._host, self._port)
        replies = asyncio.create_task(self._replies(upstream, writer))
        try:
            while data := await reader.read(65_536):
                self.requests += 1
                self.asked.set()
                upwriter.write(data)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            replies.cancel()
            upwriter.close()
            writer.close()
            self._connections.discard(task)

    async def _replies(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await upstream.read(65_536):
                await self.open.wait()
                writer.write(data if self.garbage is None else self.garbage)


@pytest.fixture
async def slow_redis(redis_url: str) -> AsyncIterator[SlowProxy]:
    """The test's Valkey behind a proxy that can be made slow."""
    parts = urlsplit(redis_url)
    assert parts.hostname
    assert parts.port
    proxy = SlowProxy(parts.hostname, parts.port)
    await proxy.start()
    yield proxy
    await proxy.stop()


OpenCache = Callable[..., EmbeddingCache]


@pytest.fixture
async def open_cache(redis_url: str) -> AsyncIterator[OpenCache]:
    """Opens caches that are closed after the test; by default on the test's Valkey, patient, with a breaker of 3."""
    caches: list[EmbeddingCache] = []

    def opened(url: str = redis_url, **settings: object) -> EmbeddingCache:
        given: dict[str, object] = {
            "prefix": "test",
            "dtype": "float32",
            "ttl_s": 100.0,
            "ttl_jitter": 0.1,
            "wait_s": 5.0,
            "command_timeout_s": 5.0,
            "breaker": CircuitBreaker(3, 60.0),
        } | settings
        caches.append(EmbeddingCache(url, **given))  # type: ignore[arg-type]
        return caches[-1]

    yield opened
    for cache in caches:
        await cache.close()
