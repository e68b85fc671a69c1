"""What visitors searched for, counted: once for each visitor, fading, and taken back by an erasure."""

from datetime import timedelta
from typing import Any

import pytest
import redis.asyncio

from gateway.events.settings import EventsSettings
from gateway.events.store import EventStore
from tests.gateway.events.conftest import StoreServer
from tests.gateway.events.test_store import NOW, in_time
from vitrine.user_event import EventType, UserEvent


async def asked(store: EventStore, visitor_id: str, *queries: str, **fields: Any) -> None:
    fields = {"event_time": NOW, **fields}
    events = [
        UserEvent(f"{visitor_id}-{number}-{query}", EventType.SEARCH, visitor_id, query=query, **fields)
        for number, query in enumerate(queries)
    ]
    assert await store.write(events, deadline=in_time()) == [True] * len(events)


async def queries(store: EventStore, least_weight: float = 0.0001, limit: int = 100) -> dict[str, float]:
    found = await store.queries(least_weight, limit, deadline=in_time())
    return {query: round(weight, 2) for query, weight in found.items()}


async def test_a_query_counts_once_for_each_visitor_however_it_is_written(store: EventStore) -> None:
    await asked(store, "ana", "Smart Watch", "smart  watch", "ｓｍａｒｔ watch", "蓝牙耳机")
    await asked(store, "bob", "smart watch", "phone")
    assert await queries(store) == {"smart watch": 2.0, "phone": 1.0, "蓝牙耳机": 1.0}


async def test_a_visitors_weight_halves_with_each_half_life(store: EventStore) -> None:
    await asked(store, "ana", "lamp", event_time=NOW - timedelta(days=7))
    await asked(store, "bob", "lamp", event_time=NOW - timedelta(days=14))
    await asked(store, "cem", "lamp")
    assert await queries(store) == {"lamp": 1.75}


async def test_only_what_weighs_enough_is_told_the_heaviest_first(store: EventStore) -> None:
    for visitor, asks in {"ana": ["a1", "b1", "c1"], "bob": ["a1", "b1"], "cem": ["b1"]}.items():
        await asked(store, visitor, *asks)
    assert list(await queries(store, least_weight=1.5)) == ["b1", "a1"]
    assert list(await queries(store, limit=1)) == ["b1"]


async def test_many_queries_are_read_in_parts(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.events.popular_lists._QUERIES_AT_ONCE", 3)
    await asked(store, "ana", *(f"query {number}" for number in range(10)))
    assert len(await queries(store)) == 10
    assert len(await queries(store, limit=7)) == 7


async def test_what_is_pasted_is_not_counted(store: EventStore) -> None:
    await asked(store, "ana", "x" * 81, "y" * 80)
    assert list(await queries(store)) == ["y" * 80]


async def test_an_erasure_takes_a_visitors_queries_back_and_nobody_elses(
    store: EventStore, raw: "redis.asyncio.Redis"
) -> None:
    await asked(store, "bob", "lamp", "desk", event_time=NOW - timedelta(days=28))
    await asked(store, "ana", "lamp", "my own name")
    await store.delete_visitor("ana", deadline=in_time())
    assert await queries(store) == {"lamp": 0.06, "desk": 0.06}
    assert not [key async for key in raw.scan_iter(match="*asked*") if await raw.hexists(key, "my own name")]


async def test_one_visitor_can_make_only_so_many_queries_popular(store_server: StoreServer, store: EventStore) -> None:
    few = EventStore(EventsSettings(redis_url=store_server.url, visitor_queries=3))
    await asked(few, "ana", *(f"query {number}" for number in range(5)))
    assert len(await queries(few)) == 3
    await few.close()
