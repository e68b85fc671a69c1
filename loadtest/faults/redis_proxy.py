"""A TCP proxy before a Redis that can be slow, away, or answer what it should not."""

import asyncio
import contextlib
from collections.abc import Callable
from urllib.parse import urlsplit


class RedisProxy:
    """Hands everything on, unless told to be at fault; faults begin and end between two replies.

    While `open` is cleared replies are held back, and `delay_s` delays each. `spoil` changes a reply, and with
    `hang_up` the connection ends after it. While `away` there is nobody: connections end at once. `requests` counts
    what came in, and `asked` is set by it.
    """

    def __init__(self, url: str = "") -> None:
        """`url` of the Redis behind, redis://host:port; until it is known (`behind`), nobody is there."""
        self.behind = url
        self.open = asyncio.Event()
        self.open.set()
        self.delay_s = 0.0
        self.spoil: Callable[[bytes], bytes] | None = None
        self.hang_up = False
        self.away = False
        self.asked = asyncio.Event()
        self.requests = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        """Listens on a free port."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Ends every connection and listens no more."""
        assert self._server is not None
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Ends every connection there is."""
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def mend(self) -> None:
        """Ends all faults."""
        self.open.set()
        self.delay_s, self.spoil, self.hang_up, self.away = 0.0, None, False, False

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        # Also of a task that was cancelled before it began.
        connection.add_done_callback(lambda _: writer.close())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        replies: asyncio.Task[None] | None = None
        try:
            if self.away or not self.behind:
                return
            behind = urlsplit(self.behind)
            upstream, upwriter = await asyncio.open_connection(behind.hostname, behind.port)
            writers.append(upwriter)
            replies = asyncio.create_task(self._replies(upstream, writer))
            while data := await reader.read(65_536):
                self.requests += 1
                self.asked.set()
                upwriter.write(data)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            if replies is not None:
                replies.cancel()
            for one in writers:
                one.close()
                with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                    await one.wait_closed()

    async def _replies(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await upstream.read(65_536):
                await self.open.wait()
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                writer.write(data if self.spoil is None else self.spoil(data))
                if self.hang_up:
                    writer.close()
                    return
