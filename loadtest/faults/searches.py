"""Searches that begin at a fixed rate, whether or not those before have ended, each with the product it must find."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import grpc
import grpc.aio

from vitrine.product import Product
from vitrine.v1 import common_pb2, search_service_pb2, search_service_pb2_grpc

DEADLINE_S = 3.0
_PAGE = 50
_RANKED = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: when it was due, by the monotonic clock, and the seconds it took from then.

    `fault`: why it failed, or what was `wrong` with its answer; empty: nothing. `degraded`: what the answer names.
    """

    due_s: float
    took_s: float
    fault: str = ""
    wrong: bool = False
    degraded: tuple[str, ...] = ()


@dataclass(slots=True)
class Load:
    """Calls so far, in the order they ended, and those that have not."""

    outcomes: list[Outcome] = field(default_factory=list)
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    def since(self, begin_s: float, end_s: float = float("inf")) -> list[Outcome]:
        """Those that were due between two moments."""
        return [one for one in self.outcomes if begin_s <= one.due_s < end_s]

    async def settled(self) -> None:
        """Waits for those that are under way: what hangs fails last, and would be missed."""
        if self.under_way:
            await asyncio.wait(set(self.under_way))

    def faults(self, begin_s: float = 0.0) -> list[Outcome]:
        """Those since a moment that failed, or whose answer was wrong."""
        return [one for one in self.since(begin_s) if one.fault]


@asynccontextmanager
async def at_rate(rate: float, call: Callable[[int], Any], load: Load) -> AsyncIterator[None]:
    """Makes `call(0)`, `call(1)`, … so many a second until the end, and then waits for those under way.

    A call returns what its answer was degraded by; it raises ValueError where an answer is wrong, else it failed.
    """

    async def one(number: int, due_s: float) -> None:
        fault, wrong, degraded = "", False, ()
        try:
            degraded = await call(number)
        except grpc.aio.AioRpcError as error:
            fault = f"{error.code().name}: {error.details()}"
        except ValueError as error:
            fault, wrong = str(error), True
        except Exception as error:
            # Of an engine of this process, or of this code: it failed all the same.
            fault = repr(error)
        load.outcomes.append(Outcome(due_s, time.monotonic() - due_s, fault, wrong, degraded))

    async def go() -> None:
        begun_s = time.monotonic()
        for number in count():
            due_s = begun_s + number / rate
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            task = asyncio.create_task(one(number, due_s))
            load.under_way.add(task)
            task.add_done_callback(load.under_way.discard)

    going = asyncio.create_task(go())
    try:
        yield
    finally:
        going.cancel()
        await asyncio.wait({going, *load.under_way})


@asynccontextmanager
async def searching(
    channel: grpc.aio.Channel, products: Sequence[Product], rate: float, deadline_s: float = DEADLINE_S
) -> AsyncIterator[Load]:
    """Searches for products by their titles until the end; none is asked twice, since gateways keep answers.

    An answer without its product is wrong, unless it says what it did without: words alone do not find a title with a
    further word.
    """
    stub = search_service_pb2_grpc.SearchServiceStub(channel)
    load = Load()

    async def search(number: int) -> tuple[str, ...]:
        product = products[number % len(products)]
        request = search_service_pb2.SearchRequest(
            query=f"{product.title} {number}", page_size=_PAGE, rank_depth=_RANKED
        )
        answer = await stub.Search(request, timeout=deadline_s)
        if product.id not in {result.product.id for result in answer.results} and not answer.degradations:
            raise ValueError(f"a search for {product.title!r} did not find it")
        return tuple(map(common_pb2.Degradation.Name, answer.degradations))

    async with at_rate(rate, search, load):
        yield load
