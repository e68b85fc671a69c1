"""Generations over Milvus: what is read while one is dropped, and what was measured of one that comes again."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import pytest

from services.retriever.filters import FilterPlan
from services.retriever.milvus.collection import Collection
from services.retriever.milvus.connection import Milvus
from services.retriever.releases.vectors import Kept, kept_models
from services.retriever.settings import RetrieverSettings
from tests.services.retriever.releases.test_generations import COUNT, NEW, OLD, Store, soon
from vitrine.errors import Unavailable


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


async def test_a_start_clears_away_what_a_crash_left_of_a_model_that_is_kept_no_more(
    open_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Milvus Lite forgets a collection's description, in which its model is named.
    named: dict[str, str] = {}
    create = Milvus.create

    def creating(milvus: Milvus, name: str, dims: Mapping[str, int], model_digest: str) -> Collection:
        named[name] = model_digest
        return create(milvus, name, dims, model_digest)

    monkeypatch.setattr(Milvus, "create", creating)
    monkeypatch.setattr(Milvus, "_model_of", lambda _milvus, name: named.get(name, ""))
    settings = {"backend": "milvus", "milvus_index": "FLAT"}
    engine = await open_engine(**settings)
    store = Store(engine, engine, engine.releases)
    await store.begin()
    await store.embed()
    generations = engine._generations
    # A build that is cut off before it is searched, and a removal that so finds nothing to remove.
    [kept] = engine._catalogue.read(kept_models)
    half = await asyncio.to_thread(generations._made, kept, read_saved=False)
    half.views.close()
    left, file = half.views._collection, generations._words_file(NEW)
    file.touch()
    await engine.close()
    engine = await open_engine(**settings)
    # The next build would go on with it.
    assert engine._milvus.collection(left.name, left.dims) is not None
    await engine.releases.remove_release("new", deadline=soon())
    file.touch()
    await engine.close()
    engine = await open_engine(**settings)
    assert engine._milvus.collection(left.name, left.dims) is None
    assert not file.exists()
    assert await Store(engine, engine, engine.releases).nearest(OLD, 7) == "p007"


def test_a_collection_that_another_retriever_has_just_cleared_away_stops_no_start(
    milvus_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    milvus = Milvus(RetrieverSettings(milvus_uri=milvus_uri, milvus_index="FLAT"))
    monkeypatch.setattr(milvus.client, "list_collections", lambda **_: ["vitrine_shop_gone", "other"])
    assert milvus.models("vitrine_shop_") == {"vitrine_shop_gone": ""}
    # One that is there and cannot be told of is no reason to go on.
    monkeypatch.setattr(milvus.client, "has_collection", lambda *_, **__: True)
    with pytest.raises(Unavailable):
        milvus.models("vitrine_shop_")
    milvus.close()
