"""Who waits for the same thing goes on one by one, and the loop is others' in between."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from gateway.turns import Turns

OpenShop = Callable[..., Awaitable[Any]]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection, as one that a call comes in by."""
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    yield ends
    for end in ends:
        end.close()


async def test_what_comes_in_is_read_between_two_turns(pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    turns, free, seen = Turns(), asyncio.Event(), []

    def read() -> None:
        here.recv(100)
        seen.append("read")

    async def work(number: int) -> None:
        await free.wait()
        await turns.next()
        seen.append(str(number))
        there.send(b"!")

    asyncio.get_running_loop().add_reader(here, read)
    tasks = [asyncio.create_task(work(number)) for number in range(5)]
    await asyncio.sleep(0)
    free.set()
    await asyncio.gather(*tasks)
    asyncio.get_running_loop().remove_reader(here)
    # In the order they came; what the last one sent may still be on its way.
    assert seen[:9] == ["0", "read", "1", "read", "2", "read", "3", "read", "4"]


async def test_who_is_alone_does_not_wait() -> None:
    turns = Turns()
    rounds = 0

    def count() -> None:
        nonlocal rounds
        rounds += 1

    asyncio.get_running_loop().call_soon(count)
    await turns.next()
    # Further on in the same answer.
    await turns.next()
    assert rounds == 0


async def test_a_process_that_stood_still_does_not_rest_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, rests = Turns(), []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def recorded(delay_s: float, *call: Any) -> asyncio.TimerHandle:
        rests.append(delay_s)
        return call_later(delay_s, *call)

    async def work() -> None:
        await turns.next()
        time.sleep(0.1)  # noqa: ASYNC251

    monkeypatch.setattr(loop, "call_later", recorded)
    await asyncio.gather(work(), work())
    assert rests
    assert max(rests) <= 0.02


async def test_who_leaves_the_line_holds_up_nobody() -> None:
    turns, went = Turns(), []

    async def work(number: int) -> None:
        await turns.next()
        went.append(number)

    tasks = [asyncio.create_task(work(number)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert went == [0, 3]
    # The line is as it was at first.
    await asyncio.gather(*(work(number) for number in (4, 5)))
    assert went == [0, 3, 4, 5]


async def test_searches_that_one_run_of_the_embedder_sets_free_go_on_in_rounds_of_their_own(
    open_shop: OpenShop,
) -> None:
    shop = await open_shop(rank_depth=0)
    embedded, all_wait, free = 0, asyncio.Event(), asyncio.Event()
    embed, retrieve = shop.embedder.port.embed, shop.retriever.port.retrieve
    rounds, searched_in = 0, []

    class Embedder:
        async def embed(self, *args: Any, **named: Any) -> Any:
            nonlocal embedded
            vectors = await embed(*args, **named)
            embedded += 1
            if embedded == 6:
                all_wait.set()
            await free.wait()
            return vectors

    class Retriever:
        async def retrieve(self, query: Any, **named: Any) -> Any:
            if query.vector is not None:
                searched_in.append(rounds)
            return await retrieve(query, **named)

    async def go_round() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    shop.embedder.port, shop.retriever.port = Embedder(), Retriever()
    going = asyncio.create_task(go_round())
    searches = [asyncio.create_task(shop.search(f"red shoes {number}")) for number in range(6)]
    async with asyncio.timeout(60):
        await all_wait.wait()
        free.set()
        answers = await asyncio.gather(*searches)
    going.cancel()
    assert all(answer.hits and not answer.degradations for answer in answers)
    assert len(searched_in) == 6
    # A round in between: what the one before sent, and who called, is seen to.
    assert all(later - earlier >= 2 for earlier, later in pairwise(searched_in))
