"""A second model's vectors beside the first one's: written, built, searched, kept through writes and restarts."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

import grpc.aio
import numpy as np
import pytest

from gateway.clients.release_store import ReleaseStoreClient
from gateway.clients.retriever import RetrieverClient
from services.retriever import index_keeper
from services.retriever.backend import open_engine as open_backend
from services.retriever.engine import RetrieverEngine
from services.retriever.releases.servicer import ReleaseStoreServicer
from services.retriever.servicer import RetrieverServicer
from services.retriever.settings import RetrieverSettings
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from vitrine.offer import Offer
from vitrine.ports import KEEP_VECTOR, Anchor, RetrievalQuery, Retriever, SimilarQuery
from vitrine.ports.release import Generation, Release, ReleaseStore
from vitrine.product import Product
from vitrine.v1 import release_store_service_pb2_grpc, retriever_service_pb2_grpc
from vitrine.vectors import FloatArray, l2_normalized

OLD, NEW = (f"sha256:{digit * 64}" for digit in "12")
COUNT, DIMS = 60, {OLD: 16, NEW: 24}


def soon() -> Deadline:
    return Deadline.after(60)


def product(number: int, **fields: Any) -> Product:
    return Product(id=f"p{number:03}", title=f"watch {number}", **fields)


def vectors(digest: str, numbers: Sequence[int]) -> FloatArray:
    """What a model makes of products: apart for each product and model."""
    made = [np.random.default_rng([number, DIMS[digest]]).normal(size=DIMS[digest]) for number in numbers]
    return l2_normalized(np.array(made, np.float32))


class Store:
    """A retriever with its store of releases, in one process or over gRPC."""

    def __init__(self, engine: RetrieverEngine, retriever: Retriever, releases: ReleaseStore) -> None:
        self.engine = engine
        self.retriever = retriever
        self.releases = releases

    async def write(self, *numbers: int, both: bool = True) -> None:
        """Writes products with the vectors of both models, or of the old one alone."""
        further = {NEW: vectors(NEW, numbers)} if both else None
        written = await self.retriever.upsert_products(
            [product(number) for number in numbers],
            vectors(OLD, numbers),
            model_digest=OLD,
            deadline=soon(),
            further=further,
        )
        assert [outcome.error for outcome in written.outcomes] == [None] * len(numbers)

    async def embed(self) -> int:
        """Embeds what the new model has not seen; how many."""
        count = 0
        while found := await self.releases.list_unembedded(NEW, 25, deadline=soon()):
            numbers = [int(one.id[1:]) for _, one in found]
            await self.releases.write_vectors(NEW, [row for row, _ in found], vectors(NEW, numbers), deadline=soon())
            count += len(found)
        return count

    async def build(self) -> tuple[Generation, float]:
        """Builds the new generation until it is searchable."""
        async with asyncio.timeout(60):
            while True:
                generation, recall = await self.releases.build_generation(NEW, deadline=soon())
                if recall is not None:
                    return generation, recall
                await asyncio.sleep(0.01)

    async def begin(self) -> None:
        """A catalogue of the old model, and a release of the new one."""
        await self.write(*range(COUNT), both=False)
        await self.releases.write_release(Release("new", NEW), deadline=soon())

    async def nearest(self, digest: str, number: int) -> str:
        """Which product a model's vector of a product finds first."""
        query = RetrievalQuery(vector=vectors(digest, [number])[0], model_digest=digest, depth=3)
        return (await self.retriever.retrieve(query, deadline=soon())).candidates[0].product_id

    async def is_searchable(self) -> bool:
        """Whether the last generation is."""
        return (await self.releases.get_releases(deadline=soon())).generations[-1].searchable

    async def tells_of_failure(self) -> bool:
        """Whether it says that the new generation could not be built."""
        alerts = (await self.retriever.get_index(deadline=soon())).alerts
        return any(f"the generation of {NEW} could not be built" in alert for alert in alerts)


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Waits for what another thread or retriever does."""
    async with asyncio.timeout(60):
        while not await reached():  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0.01)


def away(*_: object, **__: object) -> Any:
    """Stands for what makes views."""
    raise Unavailable("it is away")


OpenStore = Callable[..., Any]


@pytest.fixture(params=["one process", "gRPC", "milvus"])
async def open_store(
    request: pytest.FixtureRequest, tmp_path: Path, start_server: Any, channel_to: Any
) -> AsyncIterator[OpenStore]:
    engines: list[RetrieverEngine] = []

    async def opened(**settings: Any) -> Store:
        if request.param == "milvus":
            uri = request.getfixturevalue("milvus_uri")
            settings |= {"backend": "milvus", "milvus_uri": uri, "milvus_index": "FLAT"}
        # The engine over Milvus has the same methods.
        engine = cast(RetrieverEngine, await open_backend(RetrieverSettings(data_dir=tmp_path, **settings)))
        engines.append(engine)
        if request.param != "gRPC":
            return Store(engine, engine, engine.releases)

        def add(server: grpc.aio.Server) -> Sequence[str]:
            retriever_service_pb2_grpc.add_RetrieverServiceServicer_to_server(RetrieverServicer(engine, 60.0), server)
            store = ReleaseStoreServicer(engine.releases, 60.0)
            release_store_service_pb2_grpc.add_ReleaseStoreServiceServicer_to_server(store, server)
            return ["vitrine.v1.RetrieverService"]

        channel = channel_to((await start_server(add)).port)
        return Store(engine, RetrieverClient(channel), ReleaseStoreClient(channel))

    yield opened
    for engine in engines:
        await engine.close()


@pytest.fixture
async def store(open_store: OpenStore) -> Any:
    return await open_store()


async def test_both_models_are_searched_side_by_side(store: Store) -> None:
    await store.begin()
    with pytest.raises(FailedPrecondition, match=f"the vector is of model {NEW}"):
        await store.nearest(NEW, 7)
    assert await store.embed() == COUNT
    generation, recall = await store.build()
    assert (generation.model_digest, generation.dim, generation.vectors, generation.missing) == (NEW, 24, COUNT, 0)
    assert (generation.searchable, recall) == (True, 1.0)
    for digest in (OLD, NEW):
        assert await store.nearest(digest, 7) == "p007"
    index = await store.retriever.get_index(deadline=soon())
    assert index.model_digests == (OLD, NEW)
    first, second = (await store.releases.get_releases(deadline=soon())).generations
    assert (first.model_digest, second) == (OLD, generation)


async def test_while_many_products_come_the_first_cells_of_both_models_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a half of what is being loaded they would soon be made anew; those of one that is being made do not wait."""
    monkeypatch.setattr(index_keeper, "LOADED_AGAIN_S", 0.01)
    engine = await RetrieverEngine.open(RetrieverSettings(data_dir=tmp_path, exact_rows=COUNT))
    store = Store(engine, engine, engine.releases)

    def kinds() -> list[str]:
        for keeper in (engine._keeper, engine._generations._keepers[NEW]):
            keeper.settle()
        return [one.dense.kind for one in engine._published.all()]

    try:
        await store.begin()
        await store.embed()
        await store.build()
        engine._preparers.many = 1
        await store.write(*range(COUNT, 2 * COUNT))
        assert await asyncio.to_thread(kinds) == ["exact", "exact"]
        await store.write(2 * COUNT, both=False)
        assert await store.embed() == 1
        await store.build()
        assert (await asyncio.to_thread(kinds)) == ["exact", "ivf"]
        engine._preparers.many = 0
        async with asyncio.timeout(30):
            while await asyncio.to_thread(kinds) != ["ivf", "ivf"]:
                pass
    finally:
        await engine.close()


async def test_likeness_is_by_the_model_that_is_named(store: Store) -> None:
    await store.begin()
    await store.embed()
    await store.build()
    everything = vectors(NEW, range(COUNT))
    expected = np.argsort(-(everything @ everything[3]))[:4]
    for named, order in ((NEW, expected), ("", None)):
        query = SimilarQuery((Anchor("p003"),), depth=4, model_digest=named)
        (interest,) = (await store.retriever.retrieve_similar(query, deadline=soon())).interests
        found = [int(one.product.id[1:]) for one in interest.candidates]
        assert (found == expected.tolist()) == (order is not None)


async def test_what_is_written_meanwhile_is_found_by_both(store: Store) -> None:
    await store.begin()
    await store.write(COUNT, COUNT + 1)
    assert await store.embed() == COUNT
    await store.write(3, COUNT + 2)
    await store.build()
    await store.write(5, COUNT + 3)
    await store.retriever.delete_products(["p004"], deadline=soon())
    for digest in (OLD, NEW):
        for number in (3, 5, COUNT, COUNT + 1, COUNT + 2, COUNT + 3):
            assert await store.nearest(digest, number) == f"p{number:03}"
        assert await store.nearest(digest, 4) != "p004"
    assert (await store.build())[0].vectors == COUNT + 3


async def test_a_product_without_a_new_vector_is_told_and_then_made_up_for(store: Store) -> None:
    await store.begin()
    await store.embed()
    await store.build()
    await store.write(COUNT, both=False)
    _, second = (await store.releases.get_releases(deadline=soon())).generations
    assert (second.missing, second.searchable) == (1, False)
    words = RetrievalQuery(text=f"watch {COUNT}", vector=vectors(NEW, [1])[0], model_digest=NEW, depth=COUNT + 1)
    found = (await store.retriever.retrieve(words, deadline=soon())).candidates
    assert f"p{COUNT:03}" in {one.product_id for one in found}
    with pytest.raises(FailedPrecondition, match=r"1 products have no vector of .* yet; build the release"):
        await store.releases.serve_release("new", expected_serving="", deadline=soon())
    assert await store.embed() == 1
    await store.build()
    assert await store.nearest(NEW, COUNT) == f"p{COUNT:03}"
    await store.releases.serve_release("new", expected_serving="", deadline=soon())


async def test_prices_and_kept_vectors_keep_the_vectors_of_both(store: Store) -> None:
    await store.begin()
    await store.embed()
    await store.build()
    offer = Offer("p007", price=5.0, currency_code="EUR")
    assert (await store.retriever.update_offers([offer], deadline=soon())).outcomes[0].error is None
    kept = await store.retriever.upsert_products(
        [product(8, attributes={})],
        np.empty((0, DIMS[OLD]), np.float32),
        model_digest=OLD,
        deadline=soon(),
        vector_index=[KEEP_VECTOR],
    )
    assert kept.outcomes[0].error is None
    for digest in (OLD, NEW):
        assert await store.nearest(digest, 7) == "p007"
        assert await store.nearest(digest, 8) == "p008"
    _, second = (await store.releases.get_releases(deadline=soon())).generations
    assert second.missing == 0


@pytest.mark.parametrize("open_store", ["one process", "gRPC"], indirect=True)
@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
async def test_a_large_generation_has_an_index_of_its_own(open_store: OpenStore, kind: str) -> None:
    store = await open_store(exact_rows=20, index=kind)
    await store.begin()
    await store.embed()
    _, recall = await store.build()
    assert recall > 0.5
    assert store.engine._published.of(NEW).dense.placed is not None
    assert await store.nearest(NEW, 11) == "p011"


async def test_a_restart_goes_on_where_it_was(open_store: OpenStore) -> None:
    store = await open_store()
    await store.begin()
    found = await store.releases.list_unembedded(NEW, 10, deadline=soon())
    numbers = [int(one.id[1:]) for _, one in found]
    await store.releases.write_vectors(NEW, [row for row, _ in found], vectors(NEW, numbers), deadline=soon())
    await store.engine.close()
    store = await open_store()
    assert await store.embed() == COUNT - 10
    await store.build()
    await store.releases.serve_release("new", expected_serving="", deadline=soon())
    await store.engine.close()
    store = await open_store()
    for digest in (OLD, NEW):
        assert await store.nearest(digest, 9) == "p009"
    await store.write(COUNT)
    assert await store.nearest(NEW, COUNT) == f"p{COUNT:03}"
    record = await store.releases.get_releases(deadline=soon())
    assert (record.serving, record.generations[1].searchable) == ("new", True)


@pytest.mark.parametrize("open_store", ["one process"], indirect=True)
async def test_a_start_clears_away_what_a_crash_left_of_a_model_that_is_kept_no_more(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = await open_store()
    await store.begin()
    await store.embed()
    await store.build()
    await store.engine.close()
    folder = tmp_path / "generations"
    [kept] = folder.iterdir()
    for left in ("3" * 16 + "-1", f"{kept.name}9"):
        (folder / left / "views").mkdir(parents=True)
    # What the other backend keeps there is not its own.
    (words := folder / "words.npz").touch()
    store = await open_store()
    assert set(folder.iterdir()) == {kept, words}
    assert await store.nearest(NEW, 9) == "p009"


async def test_building_while_products_change_loses_none(store: Store) -> None:
    await store.begin()
    await store.embed()

    async def writing() -> None:
        for number in range(COUNT, COUNT + 40):
            await store.write(number - COUNT, number)
            await store.retriever.delete_products([f"p{number:03}"], deadline=soon())

    await asyncio.gather(writing(), store.build())
    for number in range(COUNT):
        assert await store.nearest(NEW, number) == f"p{number:03}"
    assert (await store.build())[0].vectors == COUNT


async def test_what_could_not_be_built_holds_nothing_and_is_told_until_it_is(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.begin()
    await store.embed()
    with monkeypatch.context() as failing:
        failing.setattr(store.engine._generations, "_made", away)
        await store.releases.build_generation(NEW, deadline=soon())
        await until(store.tells_of_failure)
    # Versions that die are cleared away meanwhile.
    assert cast(Any, store.engine._writer._views)._held is None
    await store.build()
    assert not await store.tells_of_failure()


async def test_a_release_that_is_removed_while_its_vectors_are_indexed_leaves_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generations: Any = store.engine._generations
    made, is_made, may_go_on = generations._made, threading.Event(), threading.Event()

    def held(*args: Any, **kwargs: Any) -> Any:
        beside = made(*args, **kwargs)
        is_made.set()
        assert may_go_on.wait(60)
        return beside

    async def models() -> tuple[str, ...]:
        return (await store.retriever.get_index(deadline=soon())).model_digests

    monkeypatch.setattr(generations, "_made", held)
    await store.begin()
    await store.embed()
    await store.releases.build_generation(NEW, deadline=soon())
    assert await asyncio.to_thread(is_made.wait, 60)
    # Nobody waits for what may take minutes.
    await store.releases.remove_release("new", deadline=Deadline.after(1.0))
    assert (await store.releases.get_releases(deadline=soon())).generations[1:] == ()
    may_go_on.set()
    # The next one, by which all of that has ended.
    await store.releases.write_release(Release("next", NEW), deadline=soon())
    await store.releases.remove_release("next", deadline=soon())
    assert await models() == (OLD,)
    assert list((tmp_path / "generations").iterdir()) == []
    await store.write(COUNT, both=False)
    assert await store.nearest(OLD, COUNT) == f"p{COUNT:03}"
    assert (await store.retriever.get_index(deadline=soon())).alerts == ()
    # It may come again.
    await store.releases.write_release(Release("new", NEW), deadline=soon())
    await store.embed()
    await store.build()
    assert await store.nearest(NEW, COUNT) == f"p{COUNT:03}"


async def test_with_the_last_release_its_vectors_go(store: Store, tmp_path: Path) -> None:
    await store.begin()
    await store.releases.write_release(Release("other", NEW), deadline=soon())
    await store.embed()
    await store.build()
    await store.releases.remove_release("other", deadline=soon())
    assert await store.nearest(NEW, 1) == "p001"
    await store.releases.remove_release("new", deadline=soon())
    assert (await store.retriever.get_index(deadline=soon())).model_digests == (OLD,)
    assert list((tmp_path / "generations").iterdir()) == []
    with pytest.raises(NotFound, match=f"no vectors of model {NEW} are kept"):
        await store.releases.list_unembedded(NEW, 10, deadline=soon())


async def test_wrong_vectors_are_refused(store: Store) -> None:
    await store.begin()
    [(row, _)] = await store.releases.list_unembedded(NEW, 1, deadline=soon())
    with pytest.raises(InvalidArgument, match="zeros"):
        await store.releases.write_vectors(NEW, [row], np.zeros((1, 24), np.float32), deadline=soon())
    with pytest.raises(InvalidArgument, match="one for each of 1 rows"):
        await store.releases.write_vectors(NEW, [row], vectors(NEW, [1, 2]), deadline=soon())
    await store.releases.write_vectors(NEW, [row], vectors(NEW, [1]), deadline=soon())
    with pytest.raises(FailedPrecondition, match="24 numbers"):
        await store.releases.write_vectors(NEW, [row + 1], vectors(OLD, [1]), deadline=soon())
    # Of versions that are gone there is nothing left to embed.
    await store.releases.write_vectors(NEW, [999_999], vectors(NEW, [1]), deadline=soon())
    assert len(await store.releases.list_unembedded(NEW, 500, deadline=soon())) == COUNT - 1


@pytest.fixture(params=["faiss", "milvus"])
async def two_stores(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str
) -> AsyncIterator[tuple[Store, Store]]:
    """Two retrievers of one catalogue, each with its own folder."""
    shared: dict[str, Any] = {"catalogue_url": postgres_url, "catalogue_poll_s": 0.02, "backend": request.param}
    if request.param == "milvus":
        shared |= {"milvus_uri": request.getfixturevalue("milvus_uri"), "milvus_index": "FLAT"}
    engines = [
        cast(RetrieverEngine, await open_backend(RetrieverSettings(data_dir=tmp_path / name, **shared)))
        for name in ("one", "other")
    ]
    one, other = (Store(engine, engine, engine.releases) for engine in engines)
    yield one, other
    for engine in engines:
        await engine.close()


async def test_retrievers_of_one_catalogue_follow(two_stores: tuple[Store, Store]) -> None:
    one, other = two_stores

    async def has_followed() -> bool:
        return await one.nearest(NEW, COUNT) == f"p{COUNT:03}"

    async def is_gone() -> bool:
        await other.releases.get_releases(deadline=soon())
        return (await other.retriever.get_index(deadline=soon())).model_digests == (OLD,)

    await one.begin()
    await one.embed()
    await one.build()
    await until(other.is_searchable)
    await other.releases.serve_release("new", expected_serving="", deadline=soon())
    await other.write(COUNT)
    assert await other.nearest(NEW, COUNT) == f"p{COUNT:03}"
    await until(has_followed)
    record = await one.releases.get_releases(deadline=soon())
    assert (record.serving, record.generations[-1].missing) == ("new", 0)
    # Written without, and embedded later by another.
    await one.write(COUNT + 1, both=False)
    assert await other.embed() == 1
    await one.build()
    await until(other.is_searchable)
    for store in (one, other):
        assert await store.nearest(NEW, COUNT + 1) == f"p{COUNT + 1:03}"
    await one.releases.write_release(Release("old", OLD), deadline=soon())
    await one.releases.serve_release("old", expected_serving="new", deadline=soon())
    await one.releases.remove_release("new", force=True, deadline=soon())
    await until(is_gone)
    await other.write(COUNT + 2, both=False)
    assert await other.nearest(OLD, COUNT + 2) == f"p{COUNT + 2:03}"


async def test_what_one_retriever_could_not_build_is_told_until_another_drops_it(
    two_stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two_stores

    async def is_told() -> bool:
        await other.releases.get_releases(deadline=soon())
        return await other.tells_of_failure()

    async def is_told_no_more() -> bool:
        await other.releases.get_releases(deadline=soon())
        return (await other.retriever.get_index(deadline=soon())).alerts == ()

    await one.begin()
    await one.embed()
    with monkeypatch.context() as failing:
        failing.setattr(other.engine._generations, "_made", away)
        await one.build()
        await until(is_told)
    await one.releases.remove_release("new", deadline=soon())
    await until(is_told_no_more)
    # It may come again, and is built here then.
    await one.releases.write_release(Release("new", NEW), deadline=soon())
    await one.embed()
    await one.build()
    await until(other.is_searchable)
    assert await other.nearest(NEW, 1) == "p001"
