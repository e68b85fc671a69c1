"""How often each caller may call: token buckets in Redis that all gateways share, and buckets here while it is away."""

import asyncio
import weakref
from collections import OrderedDict
from functools import partial
from importlib import resources
from time import monotonic

import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript

from gateway.auth.principal import Rate
from gateway.circuit_breaker import CircuitBreaker
from gateway.metrics import RATE_LIMITS_LOCAL
from vitrine.errors import FailedPrecondition, ResourceExhausted

log = structlog.get_logger(__name__)

# Tokens are taken from Redis for this long ahead, so that a busy caller costs ten commands a second and not one a call.
# They are out of the shared bucket when they are taken: together gateways never let in more than the rate.
_LEASE_S = 0.1
_LEASE_KEPT_S = 1.0
_CONNECTIONS = 8
_MAX_CALLERS = 10_000


class _Bucket:
    """What is known here of one caller: tokens taken from Redis, and a bucket for while it is away."""

    __slots__ = ("asking", "at_s", "lease", "lease_ends_s", "refused_until_s", "tokens")

    def __init__(self, rate: Rate) -> None:
        self.asking = asyncio.Lock()
        self.lease = 0
        self.lease_ends_s = 0.0
        self.refused_until_s = 0.0
        self.tokens = rate.burst
        self.at_s = monotonic()

    def take_leased(self) -> bool:
        """Takes a token that Redis gave before."""
        if not self.lease or monotonic() > self.lease_ends_s:
            return False
        self.lease -= 1
        return True

    def take_local(self, rate: Rate) -> float:
        """Takes a token of this process; the seconds until there is one, 0 when it was taken."""
        now_s = monotonic()
        self.tokens = min(rate.burst, self.tokens + (now_s - self.at_s) * rate.per_s)
        self.at_s = now_s
        if self.tokens < 1:
            return (1 - self.tokens) / rate.per_s
        self.tokens -= 1
        return 0.0


class RateLimits:
    """Token buckets by caller's name."""

    def __init__(self, redis_url: str, *, prefix: str, wait_s: float, command_timeout_s: float) -> None:
        """`redis_url` empty: buckets of this process alone. A call waits `wait_s` for Redis at most.

        Raises FailedPrecondition when redis_url is not an address.
        """
        self._prefix = prefix
        self._wait_s = wait_s
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._commands: set[asyncio.Task[list[int]]] = set()
        # What came after the wait was over says that Redis is slow, and does not close the breaker.
        self._late: weakref.WeakSet[asyncio.Task[list[int]]] = weakref.WeakSet()
        self._breaker = CircuitBreaker(failures=3, cool_down_s=1.0)
        self._client: redis.asyncio.Redis | None = None
        self._script: AsyncScript | None = None
        if not redis_url:
            return
        try:
            self._client = redis.asyncio.Redis.from_url(
                redis_url,
                max_connections=_CONNECTIONS,
                socket_timeout=command_timeout_s,
                socket_connect_timeout=command_timeout_s,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:
            # Not what is wrong with it: an address may hold a password.
            raise FailedPrecondition("redis_url is not an address such as redis://127.0.0.1:6379") from None
        lua = resources.files("gateway.auth").joinpath("token_bucket.lua").read_text(encoding="utf-8")
        self._script = self._client.register_script(lua)

    async def take(self, name: str, rate: Rate) -> None:
        """Counts a call. Raises ResourceExhausted, with the time until the next may come, when there were too many."""
        if wait_s := await self._wait_s_of(name, rate):
            raise ResourceExhausted(
                f"{name} may call {rate.per_s:g} times a second; slow down", reason="RATE_LIMITED", retry_after_s=wait_s
            )

    async def wait(self, name: str, rate: Rate) -> None:
        """Counts a call, once it may come."""
        while True:
            wait_s = await self._wait_s_of(name, rate)
            if not wait_s:
                return
            await asyncio.sleep(wait_s)

    async def close(self) -> None:
        """Closes the connections."""
        await self._breaker.close()
        if self._commands:
            await asyncio.wait(self._commands)
        if self._client is not None:
            await self._client.aclose()

    async def _wait_s_of(self, name: str, rate: Rate) -> float:
        """Counts a call, where it may come now: 0 then, else the seconds until the next may."""
        bucket = self._bucket(name, rate)
        if bucket.take_leased():
            return 0.0
        wait_s = bucket.refused_until_s - monotonic()
        return wait_s if wait_s > 0 else await self._asked(name, bucket, rate)

    def _bucket(self, name: str, rate: Rate) -> _Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(rate)
            if len(self._buckets) > _MAX_CALLERS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
        return bucket

    async def _asked(self, name: str, bucket: _Bucket, rate: Rate) -> float:
        """Asks Redis, or this process while it is away; the seconds to wait, 0 when the call may go on."""
        if self._client is None:
            return bucket.take_local(rate)
        async with bucket.asking:
            if bucket.take_leased():
                return 0.0
            asked = partial(self._lent, name, bucket, rate)
            wait_s = await asked() if self._breaker.allows(asked) else None
            if wait_s is not None:
                bucket.lease -= not wait_s
                return wait_s
            return bucket.take_local(rate)

    async def _lent(self, name: str, bucket: _Bucket, rate: Rate) -> float | None:
        """Has Redis lend the bucket tokens; the seconds until it has some, 0 when it had, None while it is away."""
        command = asyncio.create_task(self._leased(name, rate))
        self._commands.add(command)
        command.add_done_callback(self._settled)
        # Never cancelled: a reply that nobody reads would be the next command's.
        await asyncio.wait({command}, timeout=self._wait_s)
        if not command.done():
            self._late.add(command)
            self._failed(TimeoutError())
        if not command.done() or command.exception() is not None:
            return None
        taken, wait_us = command.result()
        if not taken:
            bucket.refused_until_s = monotonic() + wait_us / 1e6
            return wait_us / 1e6
        bucket.lease, bucket.lease_ends_s = taken, monotonic() + _LEASE_KEPT_S
        return 0.0

    async def _leased(self, name: str, rate: Rate) -> list[int]:
        assert self._script is not None
        wanted = max(1, int(rate.per_s * _LEASE_S))
        arguments = (f"{rate.per_s:.6f}", f"{rate.burst:.6f}", str(wanted))
        reply = await self._script(keys=[f"{self._prefix}:rate:{name}"], args=arguments)
        return [int(number) for number in reply]

    def _settled(self, command: "asyncio.Task[list[int]]") -> None:
        self._commands.discard(command)
        if command.cancelled() or command in self._late:
            return
        error = command.exception()
        if error is None:
            if self._breaker.is_open:
                log.warning("rates are shared again")
            self._breaker.succeeded()
            RATE_LIMITS_LOCAL.set(0)
        elif isinstance(error, Exception):
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        was_open = self._breaker.is_open
        self._breaker.failed()
        RATE_LIMITS_LOCAL.set(1)
        if self._breaker.is_open and not was_open:
            log.warning("each gateway counts rates alone until Redis answers again", error=type(error).__name__)
