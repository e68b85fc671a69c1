"""A collection that follows its catalogue: through restarts, outages and what readers still hold."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import services.retriever.milvus.views as views_module
from services.retriever.filters import FilterPlan
from services.retriever.milvus.collection import Collection
from services.retriever.milvus.engine import MilvusEngine
from services.retriever.milvus.known_words import KnownWords
from services.retriever.milvus.progress import Progress, read_progress, write_progress
from services.retriever.milvus.saved_words import save_words
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, Unavailable
from vitrine.ports import IndexInfo, SuggestQuery

Open = Callable[..., Awaitable[MilvusEngine]]


@pytest.fixture
def open_milvus(open_engine: Any) -> Open:
    """Opens engines over Milvus on the test's folder."""

    async def open_one(**settings: object) -> MilvusEngine:
        engine: MilvusEngine = await open_engine(backend="milvus", **settings)
        return engine

    return open_one


@pytest.fixture
async def filled(open_milvus: Open, shop: Any) -> MilvusEngine:
    """Ten products over Milvus."""
    engine = await open_milvus()
    await shop.fill(engine, [shop.product(n) for n in range(10)], shop.vectors(10))
    return engine


def _collection(engine: MilvusEngine) -> Collection:
    collection = engine._snapshot.collection
    assert collection is not None
    return collection


def _rows(engine: MilvusEngine) -> list[int]:
    return [entity["row"] for entity in _collection(engine).each("row > 0", ["row"], Deadline.after(60))]


async def _until(engine: MilvusEngine, shop: Any, shows: Callable[[IndexInfo], bool]) -> IndexInfo:
    async with asyncio.timeout(20):
        while True:
            info = await engine.get_index(deadline=shop.deadline())
            if shows(info):
                return info
            await asyncio.sleep(0.005)


async def test_who_reads_an_earlier_revision_sees_it_whole(filled: MilvusEngine, shop: Any) -> None:
    held = filled._snapshot
    await shop.fill(filled, [shop.product(3, title="blue kettle"), shop.product(11)], shop.vectors(2, seed=1))
    await filled.delete_products(["p00004"], deadline=shop.deadline())
    collection, deadline = _collection(filled), shop.deadline()
    then = {e["id"]: e["row"] for e in collection.read(held.seen(FilterPlan()), ["id"], 99, deadline)}
    assert then == {f"p{n:05}": n + 1 for n in range(10)}
    now = collection.read(filled._snapshot.seen(FilterPlan()), ["id"], 99, deadline)
    assert sorted(e["id"] for e in now) == [f"p{n:05}" for n in (0, 1, 2, 3, 5, 6, 7, 8, 9, 11)]
    assert len(_rows(filled)) == 12
    del held
    await shop.fill(filled, [shop.product(12)], shop.vectors(1))
    assert len(_rows(filled)) == 11


async def test_a_restart_brings_up_what_was_cut_off(
    filled: MilvusEngine, open_milvus: Open, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Durable in the catalogue, and the process was killed before Milvus had it."""
    with monkeypatch.context() as away:
        away.setattr(Collection, "put", _away)
        with pytest.raises(Unavailable, match="durable and not searchable yet"):
            await filled.upsert_products(
                [shop.product(3, title="blue kettle")],
                shop.vectors(1),
                model_digest=shop.DIGEST,
                deadline=shop.deadline(),
            )
        await filled.close()
    again = await open_milvus()
    assert await shop.found(again, text="kettle") == ["p00003"]
    assert await shop.found(again, text="wx3") == []
    index = await again.get_index(deadline=shop.deadline())
    assert (index.products, index.backend, index.alerts) == (10, "milvus", ())
    await again.self_test()


def _away(*_: object) -> None:
    raise Unavailable("Milvus cannot write: it is away")


async def test_what_was_removed_and_not_noted_is_not_counted_twice(
    filled: MilvusEngine, open_milvus: Open, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process was killed after dead versions had left Milvus, and before that was noted."""
    with monkeypatch.context() as away:
        away.setattr(views_module, "write_progress", _away)
        await filled.delete_products(["p00001", "p00002"], deadline=shop.deadline())
        await shop.fill(filled, [shop.product(3)], shop.vectors(1))
        assert "Milvus cannot write" in (await filled.get_index(deadline=shop.deadline())).alerts[0]
        await filled.close()
    again = await open_milvus()
    assert (await again.get_index(deadline=shop.deadline())).products == 8
    assert len(await shop.found(again, vector=shop.vectors(1)[0])) == 8


async def test_what_came_and_went_before_the_end_is_not_shown_after_a_restart(
    filled: MilvusEngine, open_milvus: Open, shop: Any
) -> None:
    """Versions that died stay while somebody reads: those of after that revision, too."""
    held = filled._snapshot
    for title in ("blue kettle", "red teapot"):
        await shop.fill(filled, [shop.product(3, title=title)], shop.vectors(1))
    await filled.close()
    assert held.revision == 1
    again = await open_milvus()
    assert await shop.found(again, text="kettle") == []
    assert await shop.found(again, text="teapot") == ["p00003"]
    assert len(_rows(again)) == 10


async def test_milvus_away_is_told_and_mended_without_a_restart(
    filled: MilvusEngine, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr(Collection, "put", _away)
        with pytest.raises(Unavailable, match="not searchable yet"):
            await shop.fill(filled, [shop.product(20)], shop.vectors(1))
        assert len(await shop.found(filled, text="智能手表 smart watch")) == 10
    await _until(filled, shop, lambda info: info.products == 11)
    assert len(await shop.found(filled, text="智能手表 smart watch")) == 11
    await shop.fill(filled, [shop.product(21)], shop.vectors(1))


async def test_a_lost_collection_is_made_anew(filled: MilvusEngine, open_milvus: Open, shop: Any) -> None:
    await filled.delete_products(["p00009"], deadline=shop.deadline())
    name = _collection(filled).name
    await filled.close()
    again = await open_milvus()
    again._milvus.drop(name)
    await again.close()
    anew = await open_milvus()
    assert sorted(await shop.found(anew, text="智能手表 smart watch")) == [f"p{n:05}" for n in range(9)]
    assert _rows(anew) == list(range(1, 10))


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_emptied_catalogue_takes_the_same_model_again(
    filled: MilvusEngine, open_milvus: Open, shop: Any, restarted: bool
) -> None:
    await filled.delete_products([f"p{n:05}" for n in range(10)], deadline=shop.deadline())
    assert await shop.found(filled, vector=shop.vectors(1)[0]) == []
    engine = filled
    if restarted:
        await filled.close()
        engine = await open_milvus()
    for number in (20, 21):
        await shop.fill(engine, [shop.product(number)], shop.vectors(1))
    assert sorted(await shop.found(engine, vector=shop.vectors(1)[0])) == ["p00020", "p00021"]
    assert _rows(engine) == [11, 12]


@pytest.mark.parametrize("anew", [False, True])
async def test_what_was_filled_of_one_model_is_not_noted_of_another(
    filled: MilvusEngine, shop: Any, anew: bool
) -> None:
    """Of a model that says it is filled already, no vectors are written that it lacks."""
    views = filled._writer._views
    views.own._fills = 3
    await filled.delete_products([f"p{n:05}" for n in range(10)], deadline=shop.deadline())
    await shop.fill(filled, [shop.product(20)], shop.vectors(1), shop.OTHER_DIGEST)
    if anew:
        # Of a retriever that finds another model in its catalogue, and does not search it yet.
        views.own._fills, views.own._model = 3, (shop.DIGEST, shop.DIM)
        views.own = views.own.anew()
        assert views.own._fills == 0
    assert read_progress(_collection(filled), shop.deadline()).fills == 0


async def test_a_collection_ahead_of_its_catalogue_is_not_believed(
    filled: MilvusEngine, open_milvus: Open, shop: Any, tmp_path: Path
) -> None:
    """The catalogue's file was put back from a copy: its row keys name other versions from there on."""
    await filled.close()
    kept = (tmp_path / "data" / "catalogue.db").read_bytes()
    ahead = await open_milvus()
    await shop.fill(ahead, [shop.product(30, title="blue kettle")], shop.vectors(1))
    write_progress(_collection(ahead), Progress(2, 5))
    await ahead.close()
    for file in (tmp_path / "data").glob("catalogue.db*"):
        file.unlink()
    (tmp_path / "data" / "catalogue.db").write_bytes(kept)
    back = await open_milvus()
    assert await shop.found(back, text="kettle") == []
    await shop.fill(back, [shop.product(31, title="red teapot")], shop.vectors(1))
    assert await shop.found(back, text="teapot kettle") == ["p00031"]
    # Its vectors are those of now, however many fills there were.
    assert read_progress(_collection(back), shop.deadline()) == Progress(2, 0)


async def test_two_retrievers_share_a_database_and_a_collection(
    open_milvus: Open, shop: Any, postgres_url: str, tmp_path: Path
) -> None:
    one, other = [
        await open_milvus(catalogue_url=postgres_url, data_dir=tmp_path / name, catalogue_poll_s=0.02)
        for name in ("one", "other")
    ]
    await shop.fill(one, [shop.product(n) for n in range(6)], shop.vectors(6))
    written = await shop.fill(other, [shop.product(2, title="blue kettle")], shop.vectors(1))
    await other.delete_products(["p00005"], deadline=shop.deadline())
    await _until(one, shop, lambda info: info.revision > written.revision)
    for engine in (one, other):
        assert await shop.found(engine, text="kettle") == ["p00002"]
        assert len(await shop.found(engine, vector=shop.vectors(1)[0])) == 5
        assert (await engine.get_index(deadline=shop.deadline())).products == 5
    assert _collection(one).name == _collection(other).name
    # The dead stay until every retriever has followed.
    assert len(_rows(one)) == 7


async def test_a_follower_shows_nothing_that_came_and_went_between_two_looks(
    open_milvus: Open, shop: Any, postgres_url: str, tmp_path: Path
) -> None:
    one, other = [
        await open_milvus(catalogue_url=postgres_url, data_dir=tmp_path / name, catalogue_poll_s=0.02)
        for name in ("one", "other")
    ]
    # Its writer stands still meanwhile.
    with one._writer._wake:
        for title in ("blue kettle", "red teapot"):
            written = await shop.fill(other, [shop.product(3, title=title)], shop.vectors(1))
    await _until(one, shop, lambda info: info.revision == written.revision)
    assert await shop.found(one, text="kettle teapot") == ["p00003"]
    assert await shop.found(one, text="kettle") == []


async def test_more_recommenders_than_a_server_has_fields_for_are_refused(open_milvus: Open, tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="VITRINE_RETRIEVER_FURTHER_RECOMMENDERS makes them 3"):
        await open_milvus(recommender="one", further_recommenders="two,three")


@pytest.mark.parametrize("damage", ["none", "torn", "of another catalogue", "gone"])
async def test_words_are_read_again_or_made_anew(
    filled: MilvusEngine, open_milvus: Open, shop: Any, tmp_path: Path, damage: str
) -> None:
    await shop.fill(filled, [shop.product(3, title="无线蓝牙耳机"), shop.product(4, title="keyboard")], shop.vectors(2))
    await filled.close()
    file = tmp_path / "data" / "words.npz"
    kept = file.read_bytes()
    # Written since they were saved: as after a kill.
    since = await open_milvus()
    await since.delete_products(["p00004"], deadline=shop.deadline())
    await shop.fill(since, [shop.product(5, title="kitchen knives")], shop.vectors(1))
    other = replace(since._catalogue.state(), catalogue_id="another")
    await since.close()
    match damage:
        case "none":
            file.write_bytes(kept)
        case "torn":
            file.write_bytes(kept[:-2_000] + bytes(2_000))
        case "of another catalogue":
            save_words(KnownWords(), file, other)
        case "gone":
            file.unlink()
    again = await open_milvus()
    for asked, read in (("lanyaerji", "蓝牙耳机"), ("kitchn", "kitchen"), ("keybord", "")):
        assert (await shop.search(again, text=asked)).reading.corrected_query == read
    shown = (await again.suggest(SuggestQuery("ki", 5), deadline=shop.deadline())).suggestions
    assert "kitchen knives" in [one.text for one in shown]


async def test_what_filters_and_searches_do_not_know_of_a_product_is_told(filled: MilvusEngine, shop: Any) -> None:
    assert (await filled.get_index(deadline=shop.deadline())).alerts == ()
    many = shop.product(11, attributes={"size": tuple(float(n) for n in range(9))})
    text = "猫狗" * 500
    notes = {f"note{n}": (f"{n}{text[:250]}",) for n in range(40)}
    categories = tuple(f"{n}{text[:500]}" for n in range(8))
    long = shop.product(12, title=text, categories=categories, attributes=notes, description=text)
    await shop.fill(filled, [many, long], shop.vectors(2))
    values, words = sorted((await filled.get_index(deadline=shop.deadline())).alerts)
    assert values == "of 'p00011' ranges and beginnings look at the first 8 values of 'attributes.size' only"
    assert words == "of 'p00012' searches know the first 65,535 bytes of its words only"


async def test_a_server_that_is_not_there_is_named(open_milvus: Open) -> None:
    """Without what its address says of who asks."""
    with pytest.raises(Unavailable, match=r"Milvus cannot open http://127\.0\.0\.1:9: ") as caught:
        await open_milvus(milvus_uri="http://root:word@127.0.0.1:9", milvus_timeout_s=0.2)
    assert "word" not in caught.value.message
