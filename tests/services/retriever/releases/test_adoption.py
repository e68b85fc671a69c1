"""A new embedder becomes the catalogue's own: in one step, with the old one for the way back, and then without it."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from tests.services.retriever.releases.test_generations import (
    COUNT,
    DIMS,
    NEW,
    OLD,
    OpenStore,
    Store,
    open_store,
    product,
    soon,
    store,
    vectors,
)
from vitrine.errors import FailedPrecondition
from vitrine.offer import Offer
from vitrine.ports import KEEP_VECTOR
from vitrine.ports.release import Release

__all__ = ["open_store", "store"]
BEFORE = Release("before-new", OLD)


async def serve_new(store: Store) -> None:
    """The new model's release serves."""
    await store.begin()
    await store.embed()
    await store.build()
    await store.releases.serve_release("new", expected_serving="", deadline=soon())


async def adopt(store: Store) -> None:
    await store.releases.adopt_generation(NEW, before=BEFORE, deadline=soon())


async def own_and_further(store: Store) -> tuple[str, ...]:
    return (await store.retriever.get_index(deadline=soon())).model_digests


async def write(store: Store, number: int, own: str, *further: str) -> None:
    """Writes a product with the vectors of these models, as a gateway does that takes the first for the catalogue's."""
    written = await store.retriever.upsert_products(
        [product(number)],
        vectors(own, [number]),
        model_digest=own,
        deadline=soon(),
        further={digest: vectors(digest, [number]) for digest in further},
    )
    assert written.outcomes[0].error is None


async def check(store: Store, numbers: range, *digests: str) -> None:
    for digest in digests:
        for number in (*numbers[:-2:7], *numbers[-2:]):
            assert await store.nearest(digest, number) == f"p{number:03}", (digest, number)


async def test_both_are_searched_before_and_after_and_a_restart_finds_it_so(open_store: OpenStore) -> None:
    store = await open_store()
    await serve_new(store)
    await adopt(store)
    assert await own_and_further(store) == (NEW, OLD)
    record = await store.releases.get_releases(deadline=soon())
    assert [(one.model_digest, one.missing, one.searchable) for one in record.generations] == [
        (NEW, 0, True),
        (OLD, 0, True),
    ]
    # What served before had no name; by one it is kept.
    assert (record.serving, record.previous) == ("new", "before-new")
    await check(store, range(COUNT), OLD, NEW)
    # Told again, as after a call whose answer was lost, it changes nothing.
    await adopt(store)
    # By a gateway that knows, and by one that does not yet.
    await write(store, COUNT, NEW, OLD)
    await write(store, COUNT + 1, OLD, NEW)
    offered = await store.retriever.update_offers([Offer("p007", 5.0, currency_code="EUR")], deadline=soon())
    kept = await store.retriever.upsert_products(
        [product(8, attributes={})],
        np.empty((0, DIMS[NEW]), np.float32),
        model_digest=NEW,
        deadline=soon(),
        vector_index=[KEEP_VECTOR],
    )
    assert (offered.outcomes[0].error, kept.outcomes[0].error) == (None, None)
    await store.retriever.delete_products(["p001"], deadline=soon())
    for _ in range(2):
        await check(store, range(2, COUNT + 2), OLD, NEW)
        assert await store.nearest(OLD, 1) != "p001" != await store.nearest(NEW, 1)
        await store.engine.self_test()
        await store.engine.close()
        store = await open_store()
        assert await own_and_further(store) == (NEW, OLD)
        assert (await store.retriever.get_index(deadline=soon())).alerts == ()


async def test_the_way_back_and_back_again(open_store: OpenStore) -> None:
    store = await open_store(exact_rows=20)
    await serve_new(store)
    await adopt(store)
    await write(store, COUNT, NEW, OLD)
    await store.releases.serve_release("before-new", expected_serving="new", deadline=soon())
    await store.releases.adopt_generation(OLD, before=Release("before-old", NEW), deadline=soon())
    assert await own_and_further(store) == (OLD, NEW)
    await write(store, COUNT + 1, OLD, NEW)
    await check(store, range(COUNT + 2), OLD, NEW)
    await store.engine.close()
    store = await open_store(exact_rows=20)
    await check(store, range(COUNT + 2), OLD, NEW)
    await store.releases.serve_release("new", expected_serving="before-new", deadline=soon())
    await adopt(store)
    await write(store, COUNT + 2, NEW, OLD)
    await check(store, range(COUNT + 3), OLD, NEW)


async def test_without_the_old_embedder_products_are_written_and_its_release_is_dropped(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = await open_store()
    await serve_new(store)
    with pytest.raises(FailedPrecondition, match="the vectors are of model"):
        await write(store, COUNT, NEW)
    await adopt(store)
    await write(store, COUNT, NEW)
    _, old = (await store.releases.get_releases(deadline=soon())).generations
    assert (old.missing, old.searchable) == (1, False)
    with pytest.raises(FailedPrecondition, match="1 products have no vector"):
        await store.releases.serve_release("before-new", expected_serving="new", deadline=soon())
    with pytest.raises(FailedPrecondition, match="is kept for rollback"):
        await store.releases.remove_release("before-new", deadline=soon())
    await store.releases.remove_release("before-new", force=True, deadline=soon())
    assert await own_and_further(store) == (NEW,)
    assert (await store.releases.get_releases(deadline=soon())).previous is None
    await write(store, COUNT + 1, NEW)
    await check(store, range(COUNT + 2), NEW)
    await store.engine.close()
    assert not (tmp_path / "generations" / f"{OLD[7:23]}-0").exists()
    store = await open_store()
    assert not (tmp_path / "views").exists()
    await check(store, range(COUNT + 2), NEW)
    # The old one may come again, as any other model: what it embedded is not embedded twice.
    await store.releases.write_release(Release("again", OLD), deadline=soon())
    assert len(await store.releases.list_unembedded(OLD, 100, deadline=soon())) == 2


async def test_only_what_serves_whole_is_adopted(store: Store) -> None:
    await store.begin()
    with pytest.raises(FailedPrecondition, match=f"no release of {NEW} serves; flip to one first"):
        await adopt(store)
    await store.embed()
    await store.build()
    await store.releases.serve_release("new", expected_serving="", deadline=soon())
    await store.write(COUNT, both=False)
    with pytest.raises(FailedPrecondition, match="1 products have no vector"):
        await adopt(store)
    assert await own_and_further(store) == (OLD, NEW)


async def test_an_emptied_catalogue_takes_the_further_model_as_its_own(store: Store) -> None:
    await serve_new(store)
    await store.retriever.delete_products([f"p{number:03}" for number in range(COUNT)], deadline=soon())
    await write(store, 1, NEW)
    await write(store, 2, NEW, OLD)
    assert await own_and_further(store) == (NEW,)
    assert len((await store.releases.get_releases(deadline=soon())).generations) == 1
    await check(store, range(1, 3), NEW)


@pytest.mark.parametrize("committed", [False, True])
async def test_killed_at_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: bool) -> None:
    """What lies on the disk just before and just after the step is what kill -9 leaves; a start goes on from it."""
    engine = await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path / "data"))
    store = Store(engine, engine, engine.releases)
    await serve_new(store)
    if committed:
        # Killed between the commit and what follows in memory.
        monkeypatch.setattr(engine._generations, "follow", lambda: None)
        await adopt(store)
        # Until it follows, it answers as before.
        await check(store, range(3), OLD, NEW)
    shutil.copytree(tmp_path / "data", tmp_path / "killed")
    await engine.close()
    engine = await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path / "killed"))
    store = Store(engine, engine, engine.releases)
    assert await own_and_further(store) == ((NEW, OLD) if committed else (OLD, NEW))
    await adopt(store)
    await write(store, COUNT, NEW, OLD)
    await check(store, range(COUNT + 1), OLD, NEW)
    await engine.close()


async def test_writes_and_searches_go_on_meanwhile(store: Store) -> None:
    await serve_new(store)
    adopted = asyncio.Event()

    async def writing() -> None:
        number = COUNT
        while not adopted.is_set() or number < COUNT + 20:
            await write(store, number, *((OLD, NEW) if number % 2 else (NEW, OLD)) if adopted.is_set() else (OLD, NEW))
            number += 1

    async def searching(digest: str) -> None:
        number = 0
        while not adopted.is_set() or number < COUNT:
            assert await store.nearest(digest, number % COUNT) == f"p{number % COUNT:03}"
            number += 1

    async def adopting() -> None:
        await asyncio.sleep(0)
        await adopt(store)
        adopted.set()

    await asyncio.gather(writing(), searching(OLD), searching(NEW), adopting())


async def test_retrievers_of_one_catalogue_follow(tmp_path: Path, postgres_url: str) -> None:
    """One that searches both models follows in a step; one that has not made the new one yet says so, and makes it."""
    shared: dict[str, Any] = {"catalogue_url": postgres_url, "catalogue_poll_s": 0.02}
    engines: list[RetrieverEngine] = []

    async def opened(name: str) -> Store:
        engines.append(await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path / name, **shared)))
        return Store(engines[-1], engines[-1], engines[-1].releases)

    async def until(reached: Any) -> None:
        async with asyncio.timeout(60):
            while not await reached():  # noqa: ASYNC110 (of another retriever)
                await asyncio.sleep(0.01)

    one, late = await opened("one"), await opened("late")
    try:
        await one.begin()
        await one.embed()
        await one.build()
        other = await opened("other")
        await one.releases.serve_release("new", expected_serving="", deadline=soon())
        await other.releases.adopt_generation(NEW, before=BEFORE, deadline=soon())
        await write(one, COUNT, OLD, NEW)
        await write(late, COUNT + 1, OLD, NEW)
        for store in (one, late, other):

            async def is_of_new(store: Store = store) -> bool:
                index = await store.retriever.get_index(deadline=soon())
                return index.model_digest == NEW and index.products == COUNT + 2

            await until(is_of_new)
            await check(store, range(COUNT + 2), NEW)
        await check(one, range(COUNT + 2), OLD, NEW)

        async def has_both() -> bool:
            record = await late.releases.get_releases(deadline=soon())
            return [one.searchable for one in record.generations] == [True, True]

        await until(has_both)
        await check(late, range(COUNT + 2), OLD)
    finally:
        for engine in engines:
            await engine.close()
