"""Words written anew by a process beside: found alike, with what came meanwhile, and no harm where it fails."""

import asyncio
import multiprocessing
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.retriever import index_keeper, words_rewriting
from services.retriever.catalogue import Catalogue
from services.retriever.columns import ColumnsView
from services.retriever.lexical_index import LexicalIndex, entry_of
from services.retriever.saved_views import SavedViews
from services.retriever.tables import version
from services.retriever.views import Views
from services.retriever.words_rewriting import WordsRewriting, write_words

COUNT = 450
WATCH, SHOWN = "smart watch", 200


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few products are worth it, and as soon as they are written."""
    monkeypatch.setattr(index_keeper, "FREE_SEGMENTED", COUNT - 50)
    monkeypatch.setattr(index_keeper, "REWRITTEN_AGAIN_S", 0.0)
    monkeypatch.setattr(index_keeper, "REWRITING_S", 0.01)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Until it is set no process has ended, whatever it has done."""
    event, has_ended = threading.Event(), WordsRewriting.has_ended.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(WordsRewriting, "has_ended", property(lambda self: event.is_set() and has_ended(self)))
    return event


async def _filled(open_engine: Any, shop: Any, **settings: Any) -> Any:
    """An engine with words in segments of 75 products."""
    engine = await open_engine(**settings)
    vectors = shop.vectors(COUNT)
    for start in range(0, COUNT, 75):
        part = range(start, start + 75)
        await shop.fill(engine, [shop.product(n) for n in part], vectors[part])
    return engine


async def _settled(engine: Any) -> tuple[int, ...]:
    """How many products live in each segment once nothing is due any more."""
    await asyncio.to_thread(engine._keeper.settle)
    return tuple(size - dead for size, dead in engine._snapshot.lexical.segments)


async def _begun(engine: Any) -> WordsRewriting:
    async with asyncio.timeout(60):
        while (rewriting := engine._keeper._rewriting) is None:  # noqa: ASYNC110 (of a thread)
            await asyncio.sleep(0.005)
    return rewriting


async def _answers(engine: Any, shop: Any) -> Any:
    """What words find: one product, many in any order, a word that is spelt wrong, one of a filter."""
    many = await shop.found(engine, text=WATCH, depth=SHOWN)
    return (
        await shop.found(engine, text="wx-77", depth=1),
        sorted(many),
        sorted(await shop.found(engine, text="smrat", depth=SHOWN)),
        await shop.found(engine, text="智能手表 wx-78", filter=shop.filter(brands=("Zeta",)), depth=1),
    )


def _folders(folder: Path) -> list[Path]:
    return list((folder / "data/views").glob("words-*"))


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_words_come_to_lie_in_one_segment(
    open_engine: Any, shop: Any, tmp_path: Path, request: pytest.FixtureRequest, database: str, monkeypatch: Any
) -> None:
    url = request.getfixturevalue("postgres_url") if database == "postgres" else ""
    with monkeypatch.context() as patched:
        patched.setattr(index_keeper, "FREE_SEGMENTED", 10_000)
        engine = await _filled(open_engine, shop, catalogue_url=url)
        assert await _settled(engine) == (75,) * 6
        before, words = await _answers(engine, shop), engine._snapshot.lexical.vocabulary.counts()
    # Whatever is published next has it looked.
    await shop.fill(engine, [shop.product(7, price=1.0)], shop.vectors(COUNT)[7:8])
    segments = await _settled(engine)
    assert max(segments) >= COUNT - 1
    assert sum(segments) == COUNT
    assert await _answers(engine, shop) == before
    assert engine._snapshot.lexical.vocabulary.counts().keys() == words.keys()
    assert (await engine.get_index(deadline=shop.deadline())).alerts == ()
    [folder] = _folders(tmp_path)
    await engine.close()

    def refused(*_: Any) -> None:
        raise AssertionError("the views are made anew")

    monkeypatch.setattr(Views, "_make_anew", refused)
    again = await open_engine(catalogue_url=url)
    assert await _settled(again) == segments
    assert await _answers(again, shop) == before
    assert _folders(tmp_path) == [folder]


async def test_what_changes_meanwhile_is_there(
    open_engine: Any, shop: Any, tmp_path: Path, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the process works, while what came is added, and after; columns are compacted and saved meanwhile."""
    monkeypatch.setattr(index_keeper, "FREE_DEAD", 0)
    monkeypatch.setattr(index_keeper, "DEAD_SHARE", 0.1)
    monkeypatch.setattr(index_keeper, "UNSAVED_S", 0.05)
    engine = await _filled(open_engine, shop)
    rewriting = await _begun(engine)
    columns = engine._snapshot.columns.ids
    gone = [f"p{n:05}" for n in range(1, 150, 2)]
    await engine.delete_products(gone, deadline=shop.deadline())
    await shop.fill(engine, [shop.product(COUNT + 1)], shop.vectors(1, seed=1))
    async with asyncio.timeout(60):
        while (now := engine._snapshot).columns.ids is columns or engine._keeper._saved.revision < now.revision:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert engine._keeper._rewriting is rewriting
    assert rewriting.folder.exists()
    loop, opened = asyncio.get_running_loop(), WordsRewriting.opened

    def opening(self: WordsRewriting, before: LexicalIndex, now: ColumnsView, rest: Any) -> LexicalIndex | None:
        """Adds what came, and then more comes."""
        lexical = opened(self, before, now, rest)
        changed = shop.product(COUNT + 1, title="smart ring"), shop.product(COUNT + 3)
        for work in (
            shop.fill(engine, changed, shop.vectors(2, seed=2)),
            engine.delete_products(["p00201"], deadline=shop.deadline()),
        ):
            asyncio.run_coroutine_threadsafe(work, loop).result()
        return lexical

    monkeypatch.setattr(WordsRewriting, "opened", opening)
    held.set()
    segments = await _settled(engine)
    assert max(segments) >= COUNT - 150
    living = {f"p{n:05}" for n in range(COUNT)} - {*gone, "p00201"} | {f"p{COUNT + 1:05}", f"p{COUNT + 3:05}"}
    assert sum(segments) == engine._snapshot.lexical.products == len(living)
    watches = {product_id for product_id in living if int(product_id[1:]) % 2} - {f"p{COUNT + 1:05}"}
    assert set(await shop.found(engine, text=WATCH, depth=SHOWN)) >= watches
    assert await shop.found(engine, text="ring", depth=SHOWN) == [f"p{COUNT + 1:05}"]
    assert engine._snapshot.lexical.vocabulary.count("ring") == 1
    # And what comes later.
    await shop.fill(engine, [shop.product(COUNT + 5)], shop.vectors(1, seed=3))
    assert await shop.found(engine, text=f"wx-{COUNT + 5}", depth=1) == [f"p{COUNT + 5:05}"]
    assert _folders(tmp_path) == [rewriting.folder]


async def test_a_process_that_is_killed_is_told_and_started_again(
    open_engine: Any, shop: Any, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_keeper, "REWRITTEN_AGAIN_S", 600.0)
    monkeypatch.setattr(index_keeper, "UNSAVED_S", 0.01)
    engine = await _filled(open_engine, shop)
    before = await _answers(engine, shop)
    rewriting = await _begun(engine)
    rewriting._process.kill()
    held.set()
    # Another job goes well, and mends nothing.
    await shop.fill(engine, [shop.product(7)], shop.vectors(COUNT)[7:8])
    assert max(await _settled(engine)) < COUNT - 50
    [alert] = (await engine.get_index(deadline=shop.deadline())).alerts
    assert alert.startswith("the index could not be kept (words rewritten)")
    assert "the process that writes words ended with -9: it was killed" in alert
    async with asyncio.timeout(60):
        while engine._keeper._saved.revision != engine._snapshot.revision:  # noqa: ASYNC110 (of a thread)
            await asyncio.sleep(0.005)
    assert await _answers(engine, shop) == before
    monkeypatch.setattr(index_keeper, "REWRITTEN_AGAIN_S", 0.0)
    await shop.fill(engine, [shop.product(7)], shop.vectors(COUNT)[7:8])
    assert max(await _settled(engine)) >= COUNT - 1
    assert (await engine.get_index(deadline=shop.deadline())).alerts == ()
    assert await _answers(engine, shop) == before


async def test_a_process_that_hangs_is_ended(open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_keeper, "REWRITTEN_AGAIN_S", 600.0)
    monkeypatch.setattr(words_rewriting, "LONGEST_S", 0.0)
    engine = await _filled(open_engine, shop)
    assert max(await _settled(engine)) < COUNT
    [alert] = (await engine.get_index(deadline=shop.deadline())).alerts
    assert "ended with -9" in alert


async def test_an_error_of_the_process_is_told(open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_keeper, "REWRITTEN_AGAIN_S", 600.0)
    monkeypatch.setattr(
        Catalogue, "address", property(lambda self: (Path("/nowhere"), ""), lambda self, _: None), False
    )
    engine = await _filled(open_engine, shop)
    assert max(await _settled(engine)) < COUNT
    [alert] = (await engine.get_index(deadline=shop.deadline())).alerts
    assert "ended with 1: OperationalError" in alert
    assert "unable to open database file" in alert


async def test_an_end_leaves_no_process_and_no_folder(
    open_engine: Any, shop: Any, tmp_path: Path, held: threading.Event
) -> None:
    engine = await _filled(open_engine, shop)
    rewriting = await _begun(engine)
    assert rewriting._process.is_alive()
    await engine.close()
    assert multiprocessing.active_children() == []
    assert rewriting.folder not in _folders(tmp_path)
    held.set()
    again = await open_engine()
    assert max(await _settled(again)) == COUNT


async def test_what_comes_and_goes_meanwhile_is_left_to_another_process(
    open_engine: Any, shop: Any, tmp_path: Path, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words_rewriting, "FEW", 1)
    engine = await _filled(open_engine, shop)
    rewriting = await _begun(engine)
    first = rewriting._process
    await shop.fill(engine, [shop.product(COUNT + 1)], shop.vectors(1))
    await engine.delete_products(["p00007"], deadline=shop.deadline())
    held.set()
    assert sum(await _settled(engine)) == COUNT
    assert rewriting._process is not first
    assert _folders(tmp_path) == [rewriting.folder]
    assert await shop.found(engine, text=f"wx-{COUNT + 1}", depth=1) == [f"p{COUNT + 1:05}"]
    assert "p00007" not in await shop.found(engine, text="wx-7", depth=SHOWN)
    assert max(size for size, _ in engine._snapshot.lexical.segments) == COUNT


async def test_an_exchange_that_fails_leaves_what_is_there(
    open_engine: Any, shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index_keeper, "REWRITTEN_AGAIN_S", 600.0)
    monkeypatch.setattr(LexicalIndex, "repeat", full)
    engine = await _filled(open_engine, shop)
    assert max(await _settled(engine)) < COUNT
    [alert] = (await engine.get_index(deadline=shop.deadline())).alerts
    assert "No space left" in alert
    await shop.fill(engine, [shop.product(COUNT + 1)], shop.vectors(1))
    assert await shop.found(engine, text=f"wx-{COUNT + 1}", depth=1) == [f"p{COUNT + 1:05}"]
    assert len(_folders(tmp_path)) == 1


async def test_what_is_left_in_segments_is_not_written_again_and_again(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a new index has as many segments, another attempt waits until there are twice as many products outside."""
    times, begin = [], index_keeper.begun

    def begun(*arguments: Any) -> WordsRewriting | None:
        times.append(1)
        return begin(*arguments)

    monkeypatch.setattr(index_keeper, "begun", begun)
    monkeypatch.setattr(index_keeper, "SEGMENTED_SHARE", -1.0)
    monkeypatch.setattr(index_keeper, "_outside", lambda segments: 300 * len(segments))
    engine = await _filled(open_engine, shop)
    await _settled(engine)
    for number in range(5):
        await shop.fill(engine, [shop.product(number)], shop.vectors(1))
        await _settled(engine)
    # With three segments more than two times as many are outside as with the one that it left.
    assert len(times) <= 4


async def test_a_kill_after_the_exchange_leaves_no_word_of_what_is_gone(
    open_engine: Any, shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came after the last save was in the words of before, and died in those that took their place."""
    engine = await _filled(open_engine, shop)
    with monkeypatch.context() as patched:
        patched.setattr(index_keeper, "FREE_SEGMENTED", 10_000)
        await _settled(engine)
    await engine.close()
    shutil.copytree(tmp_path / "data/views", tmp_path / "saved")
    again = await open_engine()
    # In the words that the save names, and dead after it.
    words = LexicalIndex(next((tmp_path / "saved").glob("words-*")))
    await shop.fill(again, [shop.product(COUNT + 1)], shop.vectors(1))
    row = again._snapshot.latest[f"p{COUNT + 1:05}"]
    words.add(row, f"p{COUNT + 1:05}", entry_of(shop.product(COUNT + 1)))
    words.view()
    words.close()
    await again.delete_products([f"p{COUNT + 1:05}"], deadline=shop.deadline())
    catalogue = again._catalogue
    views = Views(catalogue, again._plan, SavedViews(tmp_path / "saved"))
    assert views.publish().lexical.products == views.living == COUNT
    views.close()


async def test_segments_of_a_size_become_one(
    open_engine: Any, shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever an earlier version kept of products, and those that have gone meanwhile."""
    monkeypatch.setattr(index_keeper, "FREE_SEGMENTED", 10_000)
    monkeypatch.setattr(words_rewriting, "MOST_AT_ONCE", 50)
    engine = await _filled(open_engine, shop)
    rows = engine._snapshot.columns.rows
    await engine.close()
    with sa.create_engine(f"sqlite:///{tmp_path}/data/catalogue.db").begin() as connection:
        connection.execute(sa.update(version).where(version.c.row == int(rows[9])).values(entry="[1, {}, {}]"))
        connection.execute(sa.delete(version).where(version.c.row == int(rows[8])))
    folder = tmp_path / "words"
    folder.mkdir()
    write_words(folder, tmp_path / "data", "", rows, rows[:0])
    index = LexicalIndex(folder)
    view = index.view()
    assert view.segments == [(COUNT - 1, 0)]
    assert view.titles_with("wx9") == 1
    assert view.titles_with("wx8") == 0
    index.close()
