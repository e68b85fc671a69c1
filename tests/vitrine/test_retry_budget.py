"""Retries have a budget: a part that is away for all is not called once more for each call that it fails."""

import asyncio
from typing import Any

import pytest

from vitrine.call import Context
from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.errors import ResourceExhausted, Unavailable
from vitrine.v1.embedder_service_pb2 import EmbedRequest, EmbedResponse

REQUEST = EmbedRequest(texts=["watch"])
CALLS = 400
# gRPC's throttle holds 100 tokens, a failure costs one, and below half of them nothing is tried again.
BUDGET = 50


async def test_11_retries_do_not_storm(serve_embed: Any, stub_to: Any) -> None:
    """grpc#16210 of another kind: clients that come back at once keep a server down."""
    tried = 0

    async def embed(message: Any, context: Context) -> Any:
        nonlocal tried
        tried += 1
        raise Unavailable("away")

    server = await serve_embed(embed)
    stub = stub_to(server.port)

    async def one() -> bool:
        try:
            await call(stub.Embed, REQUEST, deadline=Deadline.after(60))
        except Unavailable:
            return False
        return True

    # Some at a time, as callers come: those that are under way when the budget ends may each be tried once more.
    at_once = 10
    for _ in range(CALLS // at_once):
        assert not any(await asyncio.gather(*(one() for _ in range(at_once))))
    assert CALLS <= tried <= CALLS + BUDGET + 3 * at_once


async def test_a_refusal_is_not_tried_again_unasked(serve_embed: Any, stub_to: Any) -> None:
    """Who is refused for load waits as long as he is told: the channel does not come back by itself."""
    tried = 0

    async def embed(message: Any, context: Context) -> Any:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise ResourceExhausted("full", retry_after_s=0.25)
        return EmbedResponse()

    server = await serve_embed(embed)
    stub = stub_to(server.port)
    with pytest.raises(ResourceExhausted) as caught:
        await call(stub.Embed, REQUEST, deadline=Deadline.after(60))
    assert (tried, caught.value.retry_after_s) == (1, 0.25)
    await call(stub.Embed, REQUEST, deadline=Deadline.after(60))
    assert tried == 2
