"""Streamed upserts: in order, each once, bounded, and on over a stream that breaks."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc.aio
import pytest

from tests.cli.conftest import Shelf
from vitrine.client import (
    Client,
    DeadlineExceeded,
    InvalidArgument,
    Patience,
    PermissionDenied,
    Product,
    ResourceExhausted,
    Unavailable,
    Upserted,
    VitrineError,
)
from vitrine.client.delivery import Delivery
from vitrine.v1 import catalog_service_pb2_grpc

Open = Callable[..., Awaitable[Client]]
QUICK = Patience(first_wait_s=0.001, give_up_s=60)


def products(count: int, begin: int = 0) -> list[Product]:
    return [Product(id=f"p{number}", title=f"Watch {number}") for number in range(begin, count)]


def ids(count: int) -> list[str]:
    return [product.id for product in products(count)]


async def until_it_ends(upserts: AsyncIterator[Upserted]) -> tuple[list[Upserted], Exception | None]:
    """What came, and what ended it."""
    done: list[Upserted] = []
    try:
        async for one in upserts:
            done.append(one)
    except Exception as error:
        return done, error
    return done, None


def failing(faults: dict[int, Exception]) -> Callable[[int], None]:
    """Raises at writes by their number, from 1, those that failed included."""
    numbers = itertools.count(1)

    def fault(_request: int) -> None:
        if (number := next(numbers)) in faults:
            raise faults[number]

    return fault


async def test_a_stream_that_is_cut_goes_on_without_loss_or_doubles(shelf: Shelf, client_of: Open) -> None:
    shelf.fault = failing(
        {3: Unavailable("cut"), 5: ResourceExhausted("full", retry_after_s=0.01), 9: Unavailable("cut")}
    )
    waits: list[VitrineError] = []
    patience = Patience(first_wait_s=0.001, on_wait=lambda wait_s, error: waits.append(error))
    client = await client_of(shelf.target)
    done = [one async for one in client.catalog.upsert(products(40), batch_products=4, window=3, patience=patience)]
    assert [one.id for one in done] == ids(40)
    assert [one.index for one in done] == list(range(40))
    assert all(one.error is None for one in done)
    assert list(shelf.products) == ids(40)
    assert len(waits) == 3
    # What was acknowledged was not sent again.
    assert shelf.written < 40 + 3 * 3 * 4


async def test_a_gateway_that_restarts_is_waited_for(start_server: Any, client_of: Open) -> None:
    shelf = Shelf()
    shelf.gate.set()

    def add(server: grpc.aio.Server) -> list[str]:
        catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(shelf, server)
        return ["vitrine.v1.CatalogService"]

    server = await start_server(add)
    client = await client_of(f"127.0.0.1:{server.port}")
    done = []
    async with aclosing(client.catalog.upsert(products(60), batch_products=2, window=3, patience=QUICK)) as upserts:
        async for one in upserts:
            done.append(one.id)
            if len(done) == 10:
                await server.stop(0)
                await start_server(add, port=server.port)
    assert done == list(shelf.products) == ids(60)


async def test_another_process_goes_on_where_the_one_before_ended(shelf: Shelf, client_of: Open) -> None:
    def revoked(_request: int) -> None:
        # From then on: a refusal that meets a request on its way is not heard, and the next stream's is.
        if shelf.written >= 15:
            raise PermissionDenied("revoked")

    shelf.fault = revoked
    client = await client_of(shelf.target)
    done, error = await until_it_ends(client.catalog.upsert(products(40), batch_products=5, window=2, patience=QUICK))
    assert isinstance(error, PermissionDenied)
    settled = done[-1].index + 1
    assert settled == len(shelf.products) == 15
    shelf.fault = lambda number: None
    rest = [one.id async for one in client.catalog.upsert(products(40, settled), batch_products=5)]
    assert rest == ids(40)[15:]
    assert list(shelf.products) == ids(40)
    assert shelf.written == 40


async def test_who_is_slow_slows_the_source(shelf: Shelf, client_of: Open) -> None:
    read = 0

    async def source() -> AsyncIterator[Product]:
        nonlocal read
        for product in products(100):
            read += 1
            yield product

    client = await client_of(shelf.target)
    shelf.gate.clear()
    async with aclosing(client.catalog.upsert(source(), batch_products=2, window=3)) as done:
        first = asyncio.ensure_future(anext(done))
        await shelf.has_received(3)
        # Three requests are under way; the product that did not fit into the third has been read, too.
        assert (len(shelf.requests), read) == (3, 7)
        shelf.gate.set()
        await first
        assert (await anext(done)).index == 1
        # Nobody came for more: two batches are settled and wait, and one is not read.
        assert read <= 7
        assert [one.index async for one in done] == list(range(2, 100))
    assert shelf.most_unanswered <= 3


async def test_a_source_that_pauses_is_not_waited_for(shelf: Shelf, client_of: Open) -> None:
    go_on = asyncio.Event()

    async def source() -> AsyncIterator[Product]:
        for product in products(5):
            if product.id == "p3":
                await go_on.wait()
            yield product

    client = await client_of(shelf.target)
    done = client.catalog.upsert(source(), batch_products=100)
    first = [(await anext(done)).id for _ in range(3)]
    go_on.set()
    assert first + [one.id async for one in done] == ids(5)
    assert shelf.requests == [["p0", "p1", "p2"], ["p3", "p4"]]


async def test_a_product_that_is_wrong_fails_alone_and_in_its_place(shelf: Shelf, client_of: Open) -> None:
    given = products(5)
    given[1].title = ""
    given[3].description = "x" * 5_000_000
    client = await client_of(shelf.target)
    done = [one async for one in client.catalog.upsert(given)]
    assert [one.id for one in done] == ids(5)
    assert [type(one.error) for one in done if one.error] == [InvalidArgument, InvalidArgument]
    assert "title" in str(done[1].error)
    assert "bytes as a message" in str(done[3].error)
    assert list(shelf.products) == ["p0", "p2", "p4"]


async def test_the_later_of_two_products_of_an_id_wins(shelf: Shelf, client_of: Open) -> None:
    client = await client_of(shelf.target)
    given = [Product(id="p", title="first"), Product(id="q", title="other"), Product(id="p", title="second")]
    assert [one.index async for one in client.catalog.upsert(given)] == [0, 1, 2]
    assert shelf.products["p"].title == "second"
    assert shelf.requests == [["p", "q"], ["p"]]


@pytest.mark.parametrize("is_async", [True, False])
async def test_what_a_source_raises_comes_after_all_before_it(shelf: Shelf, client_of: Open, is_async: bool) -> None:
    def broken() -> Any:
        yield from products(3)
        raise OSError("the feed broke off")

    async def broken_async() -> AsyncIterator[Product]:
        for product in broken():
            yield product

    client = await client_of(shelf.target)
    done, error = await until_it_ends(client.catalog.upsert(broken_async() if is_async else broken(), batch_products=2))
    assert isinstance(error, OSError)
    assert [one.id for one in done] == list(shelf.products) == ids(3)


async def test_patience_ends(shelf: Shelf, client_of: Open) -> None:
    def away(number: int) -> None:
        raise Unavailable("away")

    shelf.fault = away
    client = await client_of(shelf.target)
    waits: list[VitrineError] = []
    patience = Patience(give_up_s=0.2, first_wait_s=0.01, on_wait=lambda wait_s, error: waits.append(error))
    with pytest.raises(Unavailable, match="away"):
        [_ async for _ in client.catalog.upsert(products(3), patience=patience)]
    assert waits


async def test_patience_ends_with_a_gateway_that_takes_and_never_answers(shelf: Shelf, client_of: Open) -> None:
    shelf.gate.clear()
    client = await client_of(shelf.target)
    with pytest.raises(DeadlineExceeded, match=r"nothing was acknowledged for 0\.2 s"):
        [_ async for _ in client.catalog.upsert(products(3), patience=Patience(give_up_s=0.2))]


async def test_what_broke_an_idle_stream_is_not_told_of_a_later_one(
    shelf: Shelf, client_of: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = itertools.count()

    async def stream(delivery: Any) -> None:
        if next(streams) == 0:
            delivery._settle_first([None], 1)
            raise Unavailable("the connection was closed")
        raise TimeoutError

    async def changes() -> AsyncGenerator[Product, None]:
        yield products(1)[0]
        await acknowledged.wait()
        yield products(2)[1]
        await asyncio.Event().wait()

    acknowledged = asyncio.Event()
    monkeypatch.setattr(Delivery, "_stream", stream)
    client = await client_of(shelf.target)
    upserts = client.catalog.upsert(changes())
    assert (await anext(upserts)).id == "p0"
    acknowledged.set()
    with pytest.raises(DeadlineExceeded, match="nothing was acknowledged"):
        await anext(upserts)


async def test_a_source_that_pauses_for_longer_than_patience_is_waited_for(shelf: Shelf, client_of: Open) -> None:
    async def changes() -> AsyncGenerator[Product, None]:
        yield products(1)[0]
        await acknowledged.wait()
        # It is refused unsent: there is nothing to be acknowledged.
        yield Product(id="large", title="Watch", description="x" * 5_000_000)
        await asyncio.wait_for(asyncio.Event().wait(), 1.2 * patience.give_up_s)

    patience, acknowledged, done = Patience(give_up_s=3.0), asyncio.Event(), []
    client = await client_of(shelf.target)

    async def deliver() -> None:
        async for one in client.catalog.upsert(changes(), patience=patience):
            done.append(one.id)
            acknowledged.set()

    with pytest.raises(TimeoutError) as caught:
        await deliver()
    assert done == [*ids(1), "large"]
    assert type(caught.value) is TimeoutError


@pytest.mark.parametrize(
    ("wrong", "said"), [({"batch_products": 501}, "batch_products: is 501"), ({"window": 0}, "window: is 0")]
)
async def test_what_cannot_be_is_refused(shelf: Shelf, client_of: Open, wrong: dict[str, Any], said: str) -> None:
    client = await client_of(shelf.target)
    with pytest.raises(InvalidArgument, match=said):
        [_ async for _ in client.catalog.upsert(products(3), **wrong)]


async def test_leaving_early_leaves_nothing_running(shelf: Shelf, client_of: Open) -> None:
    client = await client_of(shelf.target)
    async with aclosing(client.catalog.upsert(products(30), batch_products=1, window=2)) as done:
        assert (await anext(done)).id == "p0"
    assert not [task for task in asyncio.all_tasks() if "Delivery." in repr(task)]


async def test_a_source_that_is_waited_for_may_be_closed_once_its_upsert_is_left(shelf: Shelf, client_of: Open) -> None:
    async def changes() -> AsyncGenerator[Product, None]:
        for product in products(1):
            yield product
        await asyncio.Event().wait()

    client = await client_of(shelf.target)
    async with aclosing(changes()) as source, aclosing(client.catalog.upsert(source)) as done:
        assert (await anext(done)).id == "p0"


async def test_nothing_to_write_is_no_call(free_port: int, client_of: Open) -> None:
    client = await client_of(f"127.0.0.1:{free_port}")
    assert [one async for one in client.catalog.upsert([])] == []


async def test_all_of_a_catalogue_is_listed_by_its_pages(shelf: Shelf, client_of: Open) -> None:
    client = await client_of(shelf.target)
    assert len([one async for one in client.catalog.upsert(products(20))]) == 20
    digests = [one async for one in client.catalog.digests()]
    assert [one.id for one in digests] == sorted(ids(20))
    assert len({one.digest for one in digests}) == 20
