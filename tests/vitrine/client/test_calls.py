"""Calls: which faults are tried again, after how long, how often in all, and what an error carries."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.vitrine.client.conftest import Searching
from vitrine.client import (
    Client,
    DeadlineExceeded,
    FieldViolation,
    InvalidArgument,
    ResourceExhausted,
    Retries,
    Unavailable,
    VitrineError,
)
from vitrine.client.calls import Method
from vitrine.v1.search_service_pb2 import SearchRequest, SearchResponse

Serve = Callable[[Any], Awaitable[Searching]]
Open = Callable[..., Awaitable[Client]]


def failing(*faults: Exception) -> Callable[..., Any]:
    """A search that fails with these, one call each, and answers then."""
    left = list(faults)

    async def search(request: Any, context: Any) -> None:
        if left:
            raise left.pop(0)

    return search


async def test_a_refusal_is_tried_again_after_the_delay_that_it_gives(serve_search: Serve, client_of: Open) -> None:
    waits: list[float] = []
    retries = Retries(first_wait_s=0.001, on_wait=lambda wait_s, error: waits.append(wait_s))
    server = await serve_search(failing(Unavailable("away"), ResourceExhausted("full", retry_after_s=0.2)))
    client = await client_of(server.target, retries=retries)
    assert (await client.search("watch")).attribution_token == "found"
    assert len(server.requests) == 3
    assert waits[0] < 0.01
    assert 0.2 <= waits[1] <= 0.25


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (ResourceExhausted("full", retry_after_s=3600.0), {"retry_after_s": 3600.0}),
        (ResourceExhausted("the store is full"), {"retry_after_s": None}),
        (InvalidArgument(FieldViolation("page_size", "is 0")), {"violations": (FieldViolation("page_size", "is 0"),)}),
    ],
)
async def test_what_no_further_attempt_mends_is_raised_at_once(
    serve_search: Serve, client_of: Open, fault: Any, named: dict[str, Any]
) -> None:
    server = await serve_search(failing(fault))
    client = await client_of(server.target)
    with pytest.raises(type(fault)) as raised:
        await client.search("watch")
    assert {name: getattr(raised.value, name) for name in named} == named
    assert raised.value.reason == fault.reason
    assert len(server.requests) == 1


async def test_a_call_comes_to_an_end_of_attempts(serve_search: Serve, client_of: Open) -> None:
    server = await serve_search(failing(*[Unavailable("away")] * 9))
    client = await client_of(server.target, retries=Retries(attempts=3, first_wait_s=0.001))
    with pytest.raises(Unavailable, match="away"):
        await client.search("watch")
    assert len(server.requests) == 3


async def test_a_retry_storm_is_held_by_the_budget(serve_search: Serve, client_of: Open) -> None:
    """Where every call fails, attempts are a tenth more than calls, and what was in hand."""
    calls, in_hand = 300, 20

    async def search(request: Any, context: Any) -> None:
        raise Unavailable("away")

    server = await serve_search(search)
    client = await client_of(server.target, retries=Retries(first_wait_s=0.001, budget=in_hand, budget_share=0.1))

    async def one() -> None:
        with pytest.raises(Unavailable):
            await client.search("watch")

    for _ in range(calls // 10):
        await asyncio.gather(*(one() for _ in range(10)))
    assert calls + in_hand <= len(server.requests) <= calls + in_hand + calls * 0.1


async def test_a_calls_time_is_that_of_all_its_attempts(serve_search: Serve, client_of: Open) -> None:
    async def search(request: Any, context: Any) -> None:
        raise Unavailable("away")

    server = await serve_search(search)
    client = await client_of(server.target, retries=Retries(attempts=None, first_wait_s=0.001, longest_wait_s=0.01))
    # The wait that would end after it is not begun, or the budget of tries ends first; never a hang.
    with pytest.raises((Unavailable, DeadlineExceeded)):
        await client.search("watch", timeout_s=0.2)
    assert len(server.requests) > 1


async def test_an_attempt_that_hangs_is_made_again(serve_search: Serve, client_of: Open) -> None:
    hangs = True

    async def search(request: Any, context: Any) -> None:
        nonlocal hangs
        if hangs:
            hangs = False
            await asyncio.Event().wait()

    server = await serve_search(search)
    client = await client_of(server.target, retries=Retries(first_wait_s=0.001, attempt_timeout_s=0.5))
    assert (await client.search("watch")).attribution_token == "found"
    with pytest.raises(DeadlineExceeded):
        await client.search("watch", timeout_s=0)


async def test_what_must_not_come_twice_is_never_repeated(serve_search: Serve, client_of: Open) -> None:
    server = await serve_search(failing(Unavailable("away")))
    client = await client_of(server.target)
    once = Method("SearchService/Search", SearchRequest, SearchResponse, is_repeatable=False)
    with pytest.raises(Unavailable, match="away"):
        await client._calls.answer(once, SearchRequest(query="watch"))
    assert len(server.requests) == 1


async def test_what_is_not_made_again_has_all_of_the_calls_time(serve_search: Serve, client_of: Open) -> None:
    left_s: list[float] = []

    async def search(request: Any, context: Any) -> None:
        left_s.append(context.time_remaining())

    server = await serve_search(search)
    client = await client_of(server.target, retries=Retries(attempt_timeout_s=60))
    for is_repeatable in (True, False):
        method = Method("SearchService/Search", SearchRequest, SearchResponse, is_repeatable=is_repeatable)
        await client._calls.answer(method, SearchRequest(query="watch"), 600)
    assert left_s[0] < 120 < left_s[1]


async def test_keywords_become_the_contracts_fields(serve_search: Serve, client_of: Open) -> None:
    server = await serve_search(failing())
    client = await client_of(server.target)
    await client.visitor("ana").search(
        "watch", filter="price < 300", facets=["brand"], order_by="price desc", personalize=False, page_size=3
    )
    await client.search("watch", page_token="next")
    first, second = server.requests
    assert first == SearchRequest(
        query="watch",
        filter={"expression": "price < 300"},
        facets=[{"key": "brand"}],
        order_by="price desc",
        personalize=False,
        page_size=3,
        visitor_id="ana",
    )
    assert first.HasField("personalize")
    assert second == SearchRequest(query="watch", page_token="next")
    assert not second.HasField("personalize")


async def test_pages_are_asked_for_when_they_are_needed(serve_search: Serve, client_of: Open) -> None:
    async def search(request: Any, context: Any) -> SearchResponse:
        first = int(request.page_token or 0)
        results = [{"product": {"id": f"p{number}"}} for number in range(first, first + 3)]
        return SearchResponse(results=results, next_page_token=str(first + 3) if first < 6 else "")

    server = await serve_search(search)
    client = await client_of(server.target)
    assert [one.product.id async for one in client.search_all("watch", limit=4)] == ["p0", "p1", "p2", "p3"]
    assert len(server.requests) == 2
    assert [one.product.id async for one in client.search_all("watch")] == [f"p{number}" for number in range(9)]
    assert len([one async for one in client.search_all("watch", limit=3)]) == 3
    assert len(server.requests) == 6


async def test_a_client_that_is_not_open_says_so(serve_search: Serve) -> None:
    server = await serve_search(failing())
    client = Client(server.target)
    with pytest.raises(RuntimeError, match="async with Client"):
        await client.search("watch")
    async with client:
        await client.search("watch")
        with pytest.raises(RuntimeError, match="open already"):
            await client.__aenter__()
    with pytest.raises(RuntimeError, match="not open"):
        await client.search("watch")


async def test_a_call_under_way_when_the_client_closes_fails_and_is_not_repeated(serve_search: Serve) -> None:
    came = asyncio.Event()

    async def search(request: Any, context: Any) -> None:
        came.set()
        await asyncio.Event().wait()

    server = await serve_search(search)
    async with Client(server.target, timeout_s=60) as client:
        under_way = asyncio.create_task(client.search("watch"))
        await came.wait()
    with pytest.raises(VitrineError):
        await under_way
    assert len(server.requests) == 1
