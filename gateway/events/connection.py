"""The connection to the event store: bounded waits, a store that is durable or refused, and its scripts."""

import asyncio
import hashlib
from collections.abc import Awaitable, Sequence
from importlib import resources
from typing import Any, cast

import redis.asyncio
import structlog
from opentelemetry.trace import SpanKind
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from gateway.events.settings import EventsSettings
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, FailedPrecondition, Unavailable
from vitrine.tracing import span

_CONNECTIONS = 16
_REWRITE_AGAIN_S = 1.0

log = structlog.get_logger(__name__)


class Script:
    """A Lua script that ships."""

    def __init__(self, name: str, package: str = "gateway.events") -> None:
        self.text = resources.files(package).joinpath(f"{name}.lua").read_text(encoding="utf-8")
        self._digest = hashlib.sha1(self.text.encode()).hexdigest()

    def add_to(self, pipeline: Any, keys: Sequence[str], arguments: Sequence[Any], *, known: bool) -> None:
        """Adds a call; `known`: the pipeline holds one before it, after which the server knows the text."""
        command = ("EVALSHA", self._digest) if known else ("EVAL", self.text)
        pipeline.execute_command(*command, len(keys), *keys, *arguments)


class Connection:
    """A pool of connections. Commands are never cancelled (redis-py#2665): one whose caller has left ends by itself."""

    def __init__(self, settings: EventsSettings) -> None:
        """Raises FailedPrecondition when redis_url is not one."""
        self._timeout_s = settings.command_timeout_s
        self._commands: set[asyncio.Future[Any]] = set()
        self._rewriting: asyncio.Task[None] | None = None
        self._trusted = False
        try:
            pool = redis.asyncio.BlockingConnectionPool.from_url(
                settings.redis_url,
                max_connections=_CONNECTIONS,
                timeout=self._timeout_s,
                socket_timeout=self._timeout_s,
                socket_connect_timeout=self._timeout_s,
                # Once again: a restart of the store may have closed the connection, and writes go by id.
                retry=Retry(NoBackoff(), 1),
            )
        except ValueError:
            # Not what is wrong with it: an address may hold a password.
            raise FailedPrecondition(
                "VITRINE_EVENTS_REDIS_URL is not an address such as redis://127.0.0.1:6379"
            ) from None
        self.redis = redis.asyncio.Redis.from_pool(pool)

    async def reply(self, command: Awaitable[Any], deadline: Deadline) -> Any:
        """The command's reply.

        Raises Unavailable when the store is away, DeadlineExceeded when it is late, and ResponseError, which only some
        callers expect, when it refuses.
        """
        task = asyncio.ensure_future(command)
        self._commands.add(task)
        task.add_done_callback(self._ended)
        with span("events", SpanKind.CLIENT, {"db.system": "redis"}):
            await asyncio.wait({task}, timeout=max(deadline.remaining_s(), 0.0))
        if not task.done():
            raise DeadlineExceeded("the event store did not answer in time")
        error = task.exception()
        if isinstance(error, (RedisError, OSError)) and not isinstance(error, ResponseError):
            # What answers next may be another store.
            self._trusted = False
            raise Unavailable(f"the event store is away: {error}", reason="EVENT_STORE_AWAY") from error
        return task.result()

    async def require_durable(self, deadline: Deadline) -> None:
        """Raises FailedPrecondition when the store may lose what it acknowledged, and what `reply` raises."""
        if self._trusted:
            return
        info = await self.reply(cast(Awaitable[Any], self.redis.info("persistence", "memory")), deadline)
        if info["loading"]:
            # It says then that it keeps no log, for it writes none while it reads one.
            raise Unavailable("the event store is away: it reads its log", reason="EVENT_STORE_AWAY")
        if not info["aof_enabled"]:
            fault = "keeps no append-only file: set appendonly yes, and appendfsync always"
        elif (policy := info["maxmemory_policy"]) != "noeviction":
            fault = f"evicts keys ({policy}): set maxmemory-policy noeviction, and give the cache a Redis of its own"
        else:
            self._trusted = True
            return
        raise FailedPrecondition(f"the event store {fault}", reason="EVENT_STORE_NOT_DURABLE")

    def rewrite_log(self) -> None:
        """Has the store write its log on disk anew, in the background, so that what was erased is gone there too."""
        if self._rewriting is None or self._rewriting.done():
            self._rewriting = asyncio.create_task(self._rewrite_log())

    async def close(self) -> None:
        """Closes the connections once the commands under way have ended."""
        if self._rewriting is not None:
            self._rewriting.cancel()
        if self._commands:
            await asyncio.wait(self._commands, timeout=self._timeout_s)
        await self.redis.aclose()

    async def _rewrite_log(self) -> None:
        while True:
            try:
                await self.redis.bgrewriteaof()
                return
            except ResponseError as error:
                # The one in progress may have begun before the erasure.
                if "already in progress" not in str(error):
                    log.warning("the event store's log is not rewritten after an erasure", error=str(error))
                    return
            except (RedisError, OSError) as error:
                log.warning("the event store is away while its log is to be rewritten", error=str(error))
            await asyncio.sleep(_REWRITE_AGAIN_S)

    def _ended(self, command: "asyncio.Future[Any]") -> None:
        self._commands.discard(command)
        if not command.cancelled():
            command.exception()  # seen here: a command whose caller has left has nobody else to look at its error
