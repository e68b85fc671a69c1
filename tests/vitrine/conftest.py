"""A small real service for the tests of server, interceptor and channel: EmbedderService as the test says."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import pytest

from vitrine.call import Context
from vitrine.server import Server
from vitrine.v1 import embedder_service_pb2, embedder_service_pb2_grpc

Embed = Callable[[Any, Context], Awaitable[Any]]
EmbedStream = Callable[[AsyncIterator[Any], Context], AsyncIterator[Any]]


async def echo(request: Any, context: Context) -> Any:
    """Answers with the first text as prompt."""
    return embedder_service_pb2.EmbedResponse(prompt=request.texts[0])


async def echo_stream(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
    """Answers each request with its first text as prompt."""
    async for each in requests:
        response = embedder_service_pb2.EmbedResponse(prompt=each.request.texts[0])
        yield embedder_service_pb2.EmbedStreamResponse(response=response)


class Scripted(embedder_service_pb2_grpc.EmbedderServiceServicer):
    """Answers as the test says."""

    def __init__(self, embed: Embed, embed_stream: EmbedStream) -> None:
        self.Embed = embed
        self.EmbedStream = embed_stream


class ServeEmbed(Protocol):
    """Starts a server of EmbedderService; other keywords go to `start_server`."""

    async def __call__(
        self, embed: Embed = echo, *, embed_stream: EmbedStream = echo_stream, **keywords: Any
    ) -> Server: ...


@pytest.fixture
def serve_embed(start_server: Any) -> ServeEmbed:
    """Starts servers whose Embed and EmbedStream are the test's."""

    async def serve(embed: Embed = echo, *, embed_stream: EmbedStream = echo_stream, **keywords: Any) -> Server:
        def add_services(server: Any) -> list[str]:
            embedder_service_pb2_grpc.add_EmbedderServiceServicer_to_server(Scripted(embed, embed_stream), server)
            return ["vitrine.v1.EmbedderService"]

        server: Server = await start_server(add_services, **keywords)
        return server

    return serve


@pytest.fixture
def stub_to(channel_to: Any) -> Callable[..., Any]:
    """Makes EmbedderService stubs; arguments as of `channel_to`."""

    def make(target: str | int, **settings: Any) -> Any:
        return embedder_service_pb2_grpc.EmbedderServiceStub(channel_to(target, **settings))

    return make


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
