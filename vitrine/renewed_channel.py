"""A channel that is opened anew when its certificates change, and sends headers with every call."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import grpc
import grpc.aio

from vitrine.followed_file import FollowedFile

# Calls that are under way on the channel before get this long to end.
_OLD_CHANNEL_S = 60.0

# Asked for each call: a token may be another by then.
Headers = Callable[[], Sequence[tuple[str, str]]]


def no_headers() -> Sequence[tuple[str, str]]:
    """None."""
    return ()


class RenewedChannel(grpc.aio.Channel):
    """Stands for a grpc.aio channel, the one that `opened` gives; new calls go over the newest."""

    def __init__(
        self, opened: Callable[[], grpc.aio.Channel], followed: FollowedFile[Any] | None, headers: Headers = no_headers
    ) -> None:
        """`followed`: the files that the channel depends on; `headers`: what goes with every call."""
        self._opened = opened
        self._followed = followed
        self.headers = headers
        self._known = followed.current if followed else None
        self._channel = opened()
        self._closing: set[asyncio.Task[None]] = set()

    def current(self) -> grpc.aio.Channel:
        """The channel for a new call."""
        if self._followed is not None and (now := self._followed.value()) is not self._known:
            self._known = now
            closing = asyncio.ensure_future(self._channel.close(_OLD_CHANNEL_S))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            self._channel = self._opened()
        return self._channel

    async def __aenter__(self) -> "RenewedChannel":
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Closes it; those before it too, at once."""
        for closing in self._closing:
            closing.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """State of the newest channel."""
        return self.current().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits until the newest channel's state is another."""
        await self.current().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Waits until the newest channel is connected."""
        await self.current().channel_ready()

    def unary_unary(self, *arguments: Any, **named: Any) -> Any:
        """A method with one request and one answer."""
        return _Method(self, "unary_unary", arguments, named)

    def unary_stream(self, *arguments: Any, **named: Any) -> Any:
        """A method with one request and many answers."""
        return _Method(self, "unary_stream", arguments, named)

    def stream_unary(self, *arguments: Any, **named: Any) -> Any:
        """A method with many requests and one answer."""
        return _Method(self, "stream_unary", arguments, named)

    def stream_stream(self, *arguments: Any, **named: Any) -> Any:
        """A method with many requests and many answers."""
        return _Method(self, "stream_stream", arguments, named)


class _Method:
    """A method of whichever channel is the newest."""

    __slots__ = ("_arguments", "_bound", "_channel", "_kind", "_method", "_named", "_of")

    def __init__(self, channel: RenewedChannel, kind: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._channel = channel
        self._kind = kind
        self._arguments = arguments
        self._named = named
        self._of: grpc.aio.Channel | None = None
        self._bound: Any = None
        # As grpc.aio's own methods have it, by which spans are named.
        self._method: bytes = arguments[0].encode()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        channel = self._channel.current()
        if channel is not self._of:
            self._bound = getattr(channel, self._kind)(*self._arguments, **self._named)
            self._of = channel
        if headers := self._channel.headers():
            named["metadata"] = (*(named.get("metadata") or ()), *headers)
        return self._bound(*arguments, **named)
