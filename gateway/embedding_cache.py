"""Query vectors in Redis: verified when read, never waited for long, never a reason for a search to fail.

Key: prefix, model digest, input type, number format and a hash of the normalised text, so that another model is a miss.
Value: a header (mark, number format, width, CRC-32 over key and numbers), then the numbers, little-endian.
"""

import asyncio
import random
import struct
import zlib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np
import redis.asyncio
from opentelemetry.trace import SpanKind
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from gateway.circuit_breaker import CircuitBreaker
from gateway.metrics import CACHE_BREAKER_OPEN, CACHE_FAILURES, CACHE_SECONDS, CACHE_VALUES_REFUSED
from vitrine.ports import InputType
from vitrine.tracing import span
from vitrine.vectors import FloatArray, VectorDtype, pack_vectors

_HEADER = struct.Struct("<2sBII")
_MARK = b"q1"
_FORMATS: dict[VectorDtype, tuple[int, np.dtype[Any]]] = {
    "float32": (0, np.dtype("<f4")),
    "float16": (1, np.dtype("<f2")),
}
# A reply of 5,000 vectors would hold up every other reply on its connection (and some proxies refuse it).
_CHUNK_KEYS = 100
_CONNECTIONS = 16
_MAX_WRITES = 64
# The search that has just had the vector made goes on first.
_WRITE_AFTER_S = 0.01


class CacheUnavailable(Exception):
    """Redis is slow, away or talks nonsense; the search goes on without it."""


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """Whose vectors are meant: a model's digest and the width of its vectors."""

    digest: str
    dim: int


class EmbeddingCache:
    """Vectors of query texts by model and text.

    Commands are not cancelled: a caller that leaves, or whose few milliseconds are over, leaves its command to end
    by itself, so that no reply is left on a connection for the next caller (redis-py#2665).
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str,
        dtype: VectorDtype,
        ttl_s: float,
        ttl_jitter: float,
        wait_s: float,
        command_timeout_s: float,
        breaker: CircuitBreaker,
    ) -> None:
        """`wait_s` is what a search waits; `command_timeout_s` bounds the command itself, connecting included."""
        self._url = url
        self._prefix = prefix
        self._dtype: VectorDtype = dtype
        self._ttl_s = ttl_s
        self._ttl_jitter = ttl_jitter
        self._wait_s = wait_s
        self._command_timeout_s = command_timeout_s
        self.breaker = breaker
        self._redis = self._connected()
        self._commands: set[asyncio.Future[Any]] = set()
        self._writes = 0

    def key(self, space: VectorSpace, text: str) -> str:
        """The Redis key of a normalised query text."""
        digest = space.digest.removeprefix("sha256:")[:32]
        return f"{self._prefix}:{digest}:{InputType.QUERY.value}:{self._dtype}:{_hash(text)}"

    async def read(self, space: VectorSpace, texts: Sequence[str]) -> list[FloatArray | None]:
        """A (dim,) float32 vector for each normalised text; None where there is none, or a value that is not right.

        Raises CacheUnavailable.
        """
        keys = [self.key(space, text) for text in texts]
        values: list[object] = []
        for start in range(0, len(keys), _CHUNK_KEYS):
            asked = partial(self._values, keys[start : start + _CHUNK_KEYS])
            if not self.breaker.allows(asked):
                raise CacheUnavailable("Redis is left alone after several failures")
            with CACHE_SECONDS.time(), span("MGET", SpanKind.CLIENT, {"db.system": "redis"}):
                values += await asked()
        vectors = [self._vector(key, value, space.dim) for key, value in zip(keys, values, strict=True)]
        refused = sum(value is not None for value in values) - sum(vector is not None for vector in vectors)
        CACHE_VALUES_REFUSED.inc(refused)
        return vectors

    def write(self, space: VectorSpace, text: str, vector: FloatArray) -> None:
        """Keeps a (dim,) vector, in the background; dropped while Redis is away or behind."""
        if self.breaker.is_open or self._writes >= _MAX_WRITES:
            return
        self._writes += 1

        async def set_soon() -> None:
            await asyncio.sleep(_WRITE_AFTER_S)
            key = self.key(space, text)
            code, _ = _FORMATS[self._dtype]
            numbers = pack_vectors(vector, self._dtype)
            value = _HEADER.pack(_MARK, code, vector.size, _checksum(key, numbers)) + numbers
            # Jitter, so that what was written in one burst does not expire in one burst.
            ttl_s = self._ttl_s * (1 + self._ttl_jitter * random.uniform(-1, 1))
            await self._redis.set(key, value, px=max(int(ttl_s * 1000), 1))

        self._started(set_soon()).add_done_callback(self._written)

    async def check(self) -> None:
        """Asks Redis for a sign of life, with time to connect. Raises CacheUnavailable."""
        await self._reply(self._redis.ping(), self._command_timeout_s)

    async def drain(self) -> None:
        """Waits until the commands under way, writes included, have ended."""
        if self._commands:
            await asyncio.wait(self._commands, timeout=self._command_timeout_s)

    async def close(self) -> None:
        """Closes the connections once the commands under way have ended; what is asked later opens new ones.

        A command that takes longer than `command_timeout_s` ends here: the connection that has its reply goes, too.
        """
        await self.breaker.close()
        await self.drain()
        if late := set(self._commands):
            for command in late:
                command.cancel()
            await asyncio.wait(late)
        await self._redis.aclose()
        # A new client, because the old one belongs to the event loop that ends now (redis-py#2633).
        self._redis = self._connected()

    def _vector(self, key: str, value: object, dim: int) -> FloatArray | None:
        if not isinstance(value, bytes) or len(value) < _HEADER.size:
            return None
        code, number = _FORMATS[self._dtype]
        mark, found_code, found_dim, checksum = _HEADER.unpack_from(value)
        numbers = value[_HEADER.size :]
        if (mark, found_code, found_dim, len(numbers)) != (_MARK, code, dim, dim * number.itemsize):
            return None
        if _checksum(key, numbers) != checksum:
            return None
        vector = np.frombuffer(numbers, number).astype(np.float32, copy=False)
        return vector if np.isfinite(vector).all() else None

    async def _values(self, keys: Sequence[str]) -> list[object]:
        """What Redis holds under the keys. Raises CacheUnavailable; the breaker is told how it went."""
        try:
            reply = await self._reply(self._redis.mget(keys), self._wait_s)
            if not isinstance(reply, list) or len(reply) != len(keys):
                raise CacheUnavailable("Redis answered MGET with something else")
        except CacheUnavailable:
            self._failed()
            raise
        self.breaker.succeeded()
        CACHE_BREAKER_OPEN.set(0)
        return reply

    async def _reply(self, command: Awaitable[Any], wait_s: float) -> Any:
        loop = asyncio.get_running_loop()
        task = self._started(command)
        started_s = loop.time()
        await asyncio.wait({task}, timeout=wait_s)
        if not task.done() and loop.time() - started_s > 2 * wait_s:
            # It was this loop that was late, not Redis: the reply may be lying in the socket.
            await asyncio.wait({task}, timeout=wait_s)
        if not task.done():
            raise CacheUnavailable(f"Redis did not answer within {wait_s * 1000:g} ms")
        if error := task.exception():
            raise CacheUnavailable(f"Redis: {error!r}") from error
        return task.result()

    def _written(self, command: "asyncio.Future[Any]") -> None:
        self._writes -= 1
        if command.cancelled() or (error := command.exception()) is None:
            return
        # A full Redis refuses writes (redis#2746) but still answers reads.
        if isinstance(error, ResponseError):
            CACHE_FAILURES.inc()
        else:
            self._failed()

    def _failed(self) -> None:
        CACHE_FAILURES.inc()
        self.breaker.failed()
        CACHE_BREAKER_OPEN.set(self.breaker.is_open)

    def _started(self, command: Awaitable[Any]) -> "asyncio.Future[Any]":
        task = asyncio.ensure_future(command)
        self._commands.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, command: "asyncio.Future[Any]") -> None:
        self._commands.discard(command)
        if not command.cancelled():
            command.exception()  # seen here: a command whose caller has left has nobody else to look at its error

    def _connected(self) -> "redis.asyncio.Redis":
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            self._url,
            max_connections=_CONNECTIONS,
            timeout=self._command_timeout_s,
            socket_timeout=self._command_timeout_s,
            socket_connect_timeout=self._command_timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
        return redis.asyncio.Redis.from_pool(pool)


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _checksum(key: str, numbers: bytes) -> int:
    return zlib.crc32(numbers, zlib.crc32(key.encode()))
