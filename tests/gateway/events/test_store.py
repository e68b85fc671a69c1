"""The event store over a real Valkey, which is killed, filled and searched byte by byte."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from gateway.events.settings import EventsSettings
from gateway.events.store import EventStore
from tests.gateway.events.conftest import StoreServer
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, InvalidArgument, ResourceExhausted, Unavailable
from vitrine.user_event import EventProduct, EventType, UserEvent, visitor_digest

NOW = datetime.now(UTC).replace(microsecond=0)


def in_time() -> Deadline:
    return Deadline.after(60)


def event(event_id: str, product_id: str = "p1", visitor_id: str = "ana", **fields: Any) -> UserEvent:
    fields = {"event_type": EventType.VIEW_ITEM, "event_time": NOW, **fields}
    return UserEvent(event_id, visitor_id=visitor_id, products=(EventProduct(product_id),), **fields)


async def written(store: EventStore, *events: UserEvent) -> list[Any]:
    return await store.write(events, deadline=in_time())


async def all_events(store: EventStore, page_size: int = 500) -> list[UserEvent]:
    found: list[UserEvent] = []
    token = ""
    while True:
        page = await store.list_events(page_size, token, deadline=in_time())
        found += page.events
        if page.next_page_token == token:
            return found
        token = page.next_page_token


async def history(store: EventStore, visitor_id: str = "ana") -> list[tuple[str, str]]:
    found = await store.history(visitor_id, deadline=in_time())
    return [(action.event_type.value, action.product_id or action.query) for action in found]


async def popular(store: EventStore, limit: int = 10, **segment: str) -> dict[str, float]:
    found = await store.popular(limit, deadline=in_time(), **segment)
    return {product.product_id: round(product.weight, 2) for product in found}


async def test_an_event_comes_back_as_it_was_written(store: EventStore) -> None:
    full = UserEvent(
        event_id="e1",
        event_type=EventType.PURCHASE,
        visitor_id="安娜",
        session_id="s1",
        event_time=NOW - timedelta(days=900, milliseconds=7),
        query="红色 鞋",
        products=(EventProduct("p1", 3, 19.9, 4, "Shoes > Running"), EventProduct("p2")),
        currency_code="CNY",
        transaction_id="t1",
        attribution_token="a1",
        placement="search",
        country_code="CN",
    )
    assert await written(store, full) == [True]
    assert await all_events(store) == [full]


async def test_an_id_is_written_once_for_its_visitor(store: EventStore) -> None:
    assert await written(store, event("e1"), event("e1", "p2"), event("e2")) == [True, False, True]
    assert await written(store, event("e1"), event("e1", visitor_id="bob")) == [False, True]
    assert [(one.event_id, one.visitor_id) for one in await all_events(store)] == [
        ("e1", "ana"),
        ("e2", "ana"),
        ("e1", "bob"),
    ]
    assert await history(store) == [("view_item", "p1"), ("view_item", "p1")]


async def test_a_history_is_by_event_time_whatever_the_order_of_arrival(store: EventStore) -> None:
    minutes = {"p3": 3, "p1": 1, "p2": 2}
    await written(
        store, *(event(product, product, event_time=NOW - timedelta(minutes=age)) for product, age in minutes.items())
    )
    await written(store, event("s", event_type=EventType.SEARCH, query="shoes", event_time=NOW))
    await written(store, event("list", "p9", event_type=EventType.VIEW_ITEM_LIST))
    assert await history(store) == [
        ("search", "shoes"),
        ("view_item", "p1"),
        ("view_item", "p2"),
        ("view_item", "p3"),
    ]
    assert await history(store, "nobody") == []


async def test_a_history_keeps_the_latest_only(events_settings: EventsSettings) -> None:
    store = EventStore(events_settings.model_copy(update={"history_actions": 3}))
    ages = [5, 1, 4, 2, 3]
    await written(store, *(event(f"e{age}", f"p{age}", event_time=NOW - timedelta(hours=age)) for age in ages))
    assert [product for _, product in await history(store)] == ["p1", "p2", "p3"]
    assert len(await all_events(store)) == 5
    await store.close()


async def test_nothing_acknowledged_is_lost_when_the_store_is_killed(
    store: EventStore, store_server: StoreServer
) -> None:
    """Four writers, the store killed in their midst. What was not acknowledged is sent again, and is there once."""
    acknowledged: set[str] = set()
    enough = [asyncio.Event(), asyncio.Event()]
    lost_calls = 0

    async def write(writer: int) -> None:
        nonlocal lost_calls
        for number in range(40):
            batch = [event(f"{writer}-{number}-{item}", visitor_id=f"v{item}") for item in range(10)]
            while True:
                try:
                    assert all(isinstance(result, bool) for result in await written(store, *batch))
                    break
                except Unavailable:
                    lost_calls += 1
                    await store_server.restarts()
            acknowledged.update(one.event_id for one in batch)
            for moment, after in zip(enough, (300, 900), strict=True):
                if len(acknowledged) >= after:
                    moment.set()

    async def kill() -> None:
        for moment in enough:
            await moment.wait()
            store_server.kill()
            await store_server.restarts()

    await asyncio.gather(kill(), *map(write, range(4)))
    store_server.kill()
    await store_server.restarts()
    kept = [one.event_id for one in await all_events(store)]
    assert len(acknowledged) == 1600
    assert sorted(kept) == sorted(acknowledged)
    assert lost_calls >= 1


async def test_events_written_while_reading_follow_the_token(store: EventStore) -> None:
    await written(store, *(event(f"e{number}") for number in range(7)))
    first = await store.list_events(5, "", deadline=in_time())
    await written(store, event("late", event_time=NOW - timedelta(days=30)))
    rest = await store.list_events(500, first.next_page_token, deadline=in_time())
    assert [one.event_id for one in (*first.events, *rest.events)] == [*(f"e{n}" for n in range(7)), "late"]
    end = await store.list_events(500, rest.next_page_token, deadline=in_time())
    assert end.events == ()
    assert end.next_page_token == rest.next_page_token
    with pytest.raises(InvalidArgument, match="page_token"):
        await store.list_events(5, "no token", deadline=in_time())


async def test_an_erased_visitor_is_nowhere(
    store: EventStore, store_server: StoreServer, raw: "redis.asyncio.Redis"
) -> None:
    """Neither in a key, a value or an entry, nor in the files once the log is written anew."""
    await raw.config_set("rdbcompression", "no")
    days = [NOW - timedelta(days=day) for day in range(3)]
    await written(store, *(event(f"ana-{n}", f"p{n}", event_time=days[n % 3]) for n in range(300)))
    await written(store, event("ana-s", event_type=EventType.SEARCH, query="secret wish"))
    await written(store, *(event(f"bob-{n}", visitor_id="bob") for n in range(5)))
    assert await appears(raw, b"ana")
    assert holds(store_server.folder, b'"ana"')
    rewrites = (await raw.info("persistence"))["aof_rewrites"]
    assert await store.delete_visitor("ana", deadline=in_time()) == 301
    assert await history(store) == []
    kept = await store.get_visitor("ana", deadline=in_time())
    assert (kept.history, kept.event_count) == ((), 0)
    assert kept.erase_time is not None
    assert {one.visitor_id for one in await all_events(store)} == {"bob"}
    assert not await appears(raw, b"ana", b"secret wish")
    await until_rewritten(raw, rewrites)
    assert holds(store_server.folder, b'"bob"')
    assert not holds(store_server.folder, b'"ana"', b"secret wish", b"ana-1")
    # Of the visitor's keys none is left: the digest stands in the list of erasures, and nowhere else.
    assert [key async for key in raw.scan_iter(match=f"*{visitor_digest('ana').hex()}*")] == []
    assert [digest for digest, _ in await store.list_erased(None, deadline=in_time())] == [visitor_digest("ana")]


async def test_an_erased_visitors_old_events_are_refused_and_new_ones_begin_anew(store: EventStore) -> None:
    await written(store, event("e1"))
    await store.delete_visitor("ana", deadline=in_time())
    erase_time = (await store.get_visitor("ana", deadline=in_time())).erase_time
    assert erase_time is not None
    results = await written(
        store,
        event("e1"),
        event("late", event_time=NOW - timedelta(days=3)),
        event("new", "p2", event_time=erase_time + timedelta(milliseconds=1)),
    )
    assert [getattr(result, "reason", result) for result in results] == ["VISITOR_ERASED", "VISITOR_ERASED", True]
    assert await history(store) == [("view_item", "p2")]
    assert await store.delete_visitor("ana", deadline=in_time()) == 1
    assert await store.delete_visitor("ana", deadline=in_time()) == 0


async def test_a_burst_of_one_visitor_makes_nothing_popular(store: EventStore) -> None:
    """9,000 purchases of a bot weigh as much as one of a shopper, and 1,000 products that it views: 99 of them 1."""
    for start in range(0, 9_000, 500):
        await written(
            store,
            *(event(f"bot{n}", "pushed", "bot", event_type=EventType.PURCHASE) for n in range(start, start + 500)),
        )
    await written(store, *(event(f"many{n}", f"x{n}", "bot") for n in range(1_000)))
    for visitor in ("ana", "bob"):
        await written(store, event("v", "liked", visitor), event("b", "liked", visitor, event_type=EventType.PURCHASE))
    assert await popular(store, 2) == pytest.approx({"liked": 10.0, "pushed": 5.0}, rel=0.01)  # it decays meanwhile
    found = await store.popular(2_000, deadline=in_time())
    assert sum(product.product_id.startswith("x") for product in found) == 99


async def test_popularity_fades_and_late_events_count_what_they_should(events_settings: EventsSettings) -> None:
    store = EventStore(events_settings.model_copy(update={"half_life_days": 2.0}))
    now = datetime.now(UTC)
    ages = {"new": 0, "old": 4, "older": 8}
    for order in (ages, dict(reversed(ages.items()))):
        await written(
            store,
            *(
                event(product, product, f"v{len(order)}", event_time=now - timedelta(days=age))
                for product, age in order.items()
            ),
        )
    assert await popular(store) == {"new": 1.0, "old": 0.25, "older": 0.06}
    await store.close()


async def test_what_visitors_turn_to_more_than_they_used_to_is_trending(store: EventStore) -> None:
    weeks = [
        event(f"{product}{visitor}{day}", product, visitor, event_type=EventType.PURCHASE,
              event_time=NOW - timedelta(days=day))
        for day in range(3, 11) for product in ("steady", "quiet") for visitor in ("ana", "ben")
        if product == "steady" or day > 9
    ]  # fmt: skip
    await written(store, *weeks)
    assert await store.trending(10, deadline=in_time()) == ()
    today = [event(f"{visitor}", "quiet", visitor, event_type=EventType.PURCHASE) for visitor in ("cem", "dan", "eve")]
    await written(store, *today, event("steady", "steady", "cem", event_type=EventType.PURCHASE))
    (found,) = await store.trending(10, deadline=in_time())
    assert found.product_id == "quiet"
    assert found.weight > 1.0  # more than twice its usual share


async def test_popularity_is_kept_by_category_and_country(store: EventStore) -> None:
    shoe = (EventProduct("shoe", category="Sport > Shoes"),)
    await written(
        store,
        replace(event("e1", visitor_id="a", country_code="CN"), products=shoe),
        replace(event("e2", visitor_id="b", country_code="DE"), products=shoe),
        event("e3", "tea", "c", country_code="CN"),
    )
    assert await popular(store) == {"shoe": 2.0, "tea": 1.0}
    assert await popular(store, category="Sport") == {"shoe": 2.0}
    assert await popular(store, category="Sport > Shoes") == {"shoe": 2.0}
    assert await popular(store, country_code="CN") == {"shoe": 1.0, "tea": 1.0}
    assert await popular(store, category="Nothing") == {}


async def test_what_is_counted_is_bounded(events_settings: EventsSettings) -> None:
    store = EventStore(events_settings.model_copy(update={"popular_products": 2}))
    await written(
        store, *(event(f"{p}{v}", p, f"v{v}") for p, count in (("a", 3), ("b", 2), ("c", 1)) for v in range(count))
    )
    assert await popular(store) == {"a": 3.0, "b": 2.0}
    await store.close()


async def test_a_full_store_refuses_by_event_and_loses_nothing(store: EventStore, raw: "redis.asyncio.Redis") -> None:
    await written(store, event("e1"))
    await raw.config_set("maxmemory", "1mb")
    try:
        (full,) = await written(store, event("e2"))
        assert isinstance(full, ResourceExhausted)
        assert [one.event_id for one in await all_events(store)] == ["e1"]
    finally:
        await raw.config_set("maxmemory", "1gb")
    assert await written(store, event("e2")) == [True]


@pytest.mark.parametrize(
    ("setting", "value", "usual", "fault"),
    [
        ("appendonly", "no", "yes", "keeps no append-only file"),
        ("maxmemory-policy", "allkeys-lru", "noeviction", "evicts keys"),
    ],
)
async def test_a_store_that_may_lose_events_is_refused(
    store: EventStore, raw: "redis.asyncio.Redis", setting: str, value: str, usual: str, fault: str
) -> None:
    await raw.config_set(setting, value)
    try:
        with pytest.raises(FailedPrecondition, match=fault):
            await written(store, event("e1"))
    finally:
        await raw.config_set(setting, usual)
    assert await written(store, event("e1")) == [True]


async def test_a_store_that_reads_its_log_is_away_and_not_wrong(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Restarted after a kill it writes no log until it has read its own: an import ended for good at that."""
    info = redis.asyncio.Redis.info

    async def loading(self: Any, *sections: str) -> dict[str, Any]:
        return {**await info(self, *sections), "loading": 1, "aof_enabled": 0}

    with monkeypatch.context() as patched:
        patched.setattr(redis.asyncio.Redis, "info", loading)
        with pytest.raises(Unavailable, match="reads its log"):
            await written(store, event("e1"))
    assert await written(store, event("e1")) == [True]


async def test_an_event_that_is_too_large_fails_alone(store: EventStore) -> None:
    many = tuple(EventProduct(f"p{n}", category="c" * 400) for n in range(100))
    good, large = event("good"), replace(event("large"), products=many)
    results = await written(store, large, good, large)
    assert [type(result) for result in results] == [InvalidArgument, bool, InvalidArgument]
    assert [one.event_id for one in await all_events(store)] == ["good"]


async def appears(raw: "redis.asyncio.Redis", *words: bytes) -> bool:
    """Whether a key, or anything that the store gives out, holds one of the words."""
    kept: list[bytes] = []
    async for key in raw.scan_iter(count=1_000):
        kept.append(key)
        reads: dict[bytes, Callable[[], Any]] = {
            b"stream": lambda key=key: raw.xrange(key),
            b"hash": lambda key=key: raw.hgetall(key),
            b"zset": lambda key=key: raw.zrange(key, 0, -1),
            b"set": lambda key=key: raw.smembers(key),
        }
        kept.append(repr(await reads[await raw.type(key)]()).encode())
    kept.append(repr(await raw.execute_command("SLOWLOG", "GET", "-1")).encode())
    return any(word in text for text in kept for word in words)


def holds(folder: Path, *words: bytes) -> bool:
    """Whether a file of the store holds one of the words."""
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return any(word in text for text in texts for word in words)


async def until_rewritten(raw: "redis.asyncio.Redis", before: int) -> None:
    """Waits for one more rewrite of the log than there were before."""
    async with asyncio.timeout(30):
        while True:
            info = await raw.info("persistence")
            if info["aof_rewrites"] > before and not info["aof_rewrite_in_progress"]:
                return
            await asyncio.sleep(0.01)
