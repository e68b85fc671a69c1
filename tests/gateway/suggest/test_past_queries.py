"""Past queries: found by how they begin, read anew in the background, kept while the store is away."""

import asyncio
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from gateway.suggest.past_queries import PastQueries, QueryList
from vitrine.deadline import Deadline
from vitrine.errors import Unavailable

TEXTS = st.text(alphabet="ab 蓝", min_size=1, max_size=6).map(str.strip).filter(bool)


class Store:
    """Answers what it is told to, or that it is away; counts how often."""

    def __init__(self, **weights: float) -> None:
        self.weights: dict[str, float] = weights
        self.away = False
        self.reads = 0
        self.open = asyncio.Event()
        self.open.set()

    async def queries(self, least_weight: float, limit: int, *, deadline: Deadline) -> dict[str, float]:
        self.reads += 1
        await self.open.wait()
        if self.away:
            raise Unavailable("the event store is away")
        found = {query: weight for query, weight in self.weights.items() if weight >= least_weight}
        return dict(list(found.items())[:limit])


async def texts(queries: PastQueries, text: str) -> list[str]:
    return [found.text for found in await queries.beginning(text, 10)]


async def until(queries: PastQueries, told: Callable[[list[str]], bool]) -> None:
    """Asks again, each call letting the reading in the background go on, until what is told is so."""
    async with asyncio.timeout(30):
        while not told(await texts(queries, "la")):
            await asyncio.to_thread(lambda: None)


@given(st.dictionaries(TEXTS, st.floats(0.1, 100), max_size=20), TEXTS)
def test_every_query_is_found_by_the_beginning_of_each_of_its_words(weights: dict[str, float], text: str) -> None:
    found = QueryList(weights).beginning(text, 100)
    assert {one.text for one in found} == {query for query in weights if query.startswith(text) or f" {text}" in query}
    assert len({one.text for one in found}) == len(found)
    assert all(one.text[one.start :].startswith(text) for one in found)
    shares = [one.share for one in found]
    assert shares == sorted(shares, reverse=True)


def test_the_most_asked_come_first_and_no_query_takes_two_places() -> None:
    weights = {f"red red red {number}": float(number) for number in range(1, 100)}
    found = QueryList(weights).beginning("red", 5)
    assert [one.text for one in found] == [f"red red red {number}" for number in (99, 98, 97, 96, 95)]
    assert {one.start for one in found} == {0}
    assert found[0].share == 1.0


async def test_the_list_is_read_once_until_it_is_time_again() -> None:
    store = Store(lamp=5.0, desk=1.0)
    queries = PastQueries(store, least_weight=2.5, limit=10, refresh_s=1_000)
    assert not queries.is_current
    assert await asyncio.gather(texts(queries, "la"), texts(queries, "d")) == [["lamp"], []]
    assert queries.is_current
    assert await texts(queries, "lamp") == ["lamp"]
    assert store.reads == 1
    await queries.close()


async def test_a_later_reading_holds_nobody_up() -> None:
    store = Store(lamp=5.0)
    queries = PastQueries(store, least_weight=2.5, limit=10, refresh_s=1e-9)
    assert await texts(queries, "la") == ["lamp"]
    store.open.clear()
    store.weights = {"lantern": 3.0}
    assert await texts(queries, "la") == ["lamp"]
    store.open.set()
    await until(queries, lambda found: found == ["lantern"])
    await queries.close()


async def test_while_the_store_is_away_the_last_list_holds_and_it_is_told() -> None:
    store = Store(lamp=5.0)
    queries = PastQueries(store, least_weight=2.5, limit=10, refresh_s=1e-9)
    assert await texts(queries, "la") == ["lamp"]
    store.away = True
    await until(queries, lambda found: found == ["lamp"] and not queries.is_current)
    assert await texts(queries, "la") == ["lamp"]
    await queries.close()


async def test_without_a_store_there_are_none() -> None:
    queries = PastQueries(None, least_weight=2.5, limit=10, refresh_s=1)
    assert await texts(queries, "la") == []
    assert not queries.is_current
    await queries.close()
