"""Generations over Milvus: what is read while one is dropped, and what was measured of one that comes again."""

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest

from services.retriever.filters import FilterPlan
from services.retriever.releases.vectors import Kept
from tests.services.retriever.releases.test_generations import COUNT, NEW, OLD, Store, soon


@pytest.fixture
async def store(open_engine: Any) -> Store:
    engine = await open_engine(backend="milvus", milvus_index="FLAT")
    return Store(engine, engine, engine.releases)


async def test_a_generation_that_is_dropped_stays_while_it_is_read(store: Store) -> None:
    await store.begin()
    await store.embed()
    await store.build()
    # As a search that is under way does.
    held: Any = store.engine._generations.of(NEW)
    collection, seen = held.collection, held.seen(FilterPlan())
    dropping = asyncio.create_task(store.releases.remove_release("new", deadline=soon()))
    while NEW in (await store.retriever.get_index(deadline=soon())).model_digests:
        await asyncio.wait({dropping}, timeout=0.01)
    await asyncio.wait({dropping}, timeout=0.05)
    assert not dropping.done()
    assert collection.count(seen, soon()) == COUNT
    del held
    await dropping
    engine: Any = store.engine
    assert engine._milvus.collection(collection.name, collection.dims) is None


async def test_recall_is_measured_anew_of_what_was_made_anew(store: Store) -> None:
    generations: Any = store.engine._generations
    generations._recalls = {(digest, 3): Future() for digest in (OLD, NEW)}
    generations._taken(Kept(NEW, 24, 3, True))
    assert list(generations._recalls) == [(OLD, 3)]
