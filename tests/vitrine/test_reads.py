"""Reads: what one replica does not answer, or fails, is answered by the next, within a budget."""

import asyncio
import random
import time
from typing import Any

import pytest

from vitrine.call import Context
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Internal, NotFound
from vitrine.reads import Reads
from vitrine.v1.embedder_service_pb2 import EmbedRequest, EmbedResponse

REQUEST = EmbedRequest(texts=["watch"])


async def well(message: Any, context: Context) -> Any:
    return EmbedResponse(prompt="well")


async def hangs(message: Any, context: Context) -> Any:
    await asyncio.Event().wait()


async def fails(message: Any, context: Context) -> Any:
    raise RuntimeError("CUDA assert")


@pytest.mark.parametrize("ill", [hangs, fails])
async def test_one_that_hangs_or_fails_loses_no_read(serve_embed: Any, stub_to: Any, ill: Any) -> None:
    ports = [(await serve_embed(embed)).port for embed in (ill, well)]
    stub = stub_to("ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports))
    reads = Reads(patience_s=0.3)
    for _ in range(12):
        answer = await reads.call(stub.Embed, REQUEST, deadline=Deadline.after(20))
        assert answer.prompt == "well"


async def test_a_read_that_met_one_that_hangs_is_answered_by_the_next_try(serve_embed: Any, stub_to: Any) -> None:
    """Beside others, whose calls move the turns: of tries one by one a sixteenth met it four times, and failed."""
    ports = [(await serve_embed(embed)).port for embed in (hangs, well)]
    stub = stub_to("ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports))
    reads = Reads(patience_s=0.5)

    async def read(place: int) -> float:
        await asyncio.sleep(random.uniform(0, 1))
        started_s = time.monotonic()
        assert (await reads.call(stub.Embed, REQUEST, deadline=Deadline.after(20))).prompt == "well"
        return time.monotonic() - started_s

    # Of so many about 20 meet it, each of which takes two of the 100 tries in hand.
    waited_s = sorted(await asyncio.gather(*map(read, range(40))))
    assert waited_s[-1] < 2 * 0.5, waited_s


async def test_where_all_fail_tries_come_to_an_end(serve_embed: Any, stub_to: Any) -> None:
    """A retry storm: at most a tenth more calls than are made, once what was in hand is used up."""
    tried = 0

    async def embed(message: Any, context: Context) -> Any:
        nonlocal tried
        tried += 1
        raise RuntimeError("CUDA assert")

    stub = stub_to((await serve_embed(embed)).port)
    reads = Reads(patience_s=5)
    for _ in range(400):
        with pytest.raises(Internal):
            await reads.call(stub.Embed, REQUEST, deadline=Deadline.after(20))
    assert 400 < tried <= 400 + 100 + 40


async def test_one_read_that_all_fail_leaves_tries_for_others(serve_embed: Any, stub_to: Any) -> None:
    tried = 0

    async def embed(message: Any, context: Context) -> Any:
        nonlocal tried
        tried += 1
        raise RuntimeError("CUDA assert")

    stub = stub_to((await serve_embed(embed)).port)
    with pytest.raises(Internal):
        await Reads(patience_s=5).call(stub.Embed, REQUEST, deadline=Deadline.after(20))
    assert tried <= 4


async def test_a_read_that_is_wrong_is_not_repeated_and_the_whole_deadline_holds(
    serve_embed: Any, stub_to: Any
) -> None:
    tried = 0

    async def embed(message: Any, context: Context) -> Any:
        nonlocal tried
        tried += 1
        if message.texts[0] == "hang":
            await asyncio.Event().wait()
        raise NotFound("no such text")

    stub = stub_to((await serve_embed(embed)).port)
    reads = Reads(patience_s=0.2)
    with pytest.raises(NotFound):
        await reads.call(stub.Embed, REQUEST, deadline=Deadline.after(20))
    assert tried == 1
    with pytest.raises(DeadlineExceeded):
        await reads.call(stub.Embed, EmbedRequest(texts=["hang"]), deadline=Deadline.after(0.5))
