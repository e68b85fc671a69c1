"""Saved views: a restart reads them and catches up, and whatever is wrong with a file costs time and nothing else."""

import asyncio
import errno
import json
import os
import threading
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.retriever import index_keeper, index_plan, prepared, saved_views
from services.retriever.columns import rebuilt
from services.retriever.index_plan import IndexPlan
from services.retriever.lexical_index import ENTRY_VERSION
from services.retriever.saved_views import SavedViews
from services.retriever.views import Views
from vitrine import allocator

COUNT = 700


async def _filled(open_engine: Any, shop: Any, **settings: Any) -> Any:
    engine = await open_engine(**{"exact_rows": 300} | settings)
    await shop.fill(engine, [shop.product(n) for n in range(COUNT)], shop.vectors(COUNT))
    await asyncio.to_thread(engine._keeper.settle)
    return engine


async def _answers(engine: Any, shop: Any) -> Any:
    """What is found by words, by vector and by both, with a filter, and suggested."""
    vector = shop.vectors(COUNT)[5]
    index = await engine.get_index(deadline=shop.deadline())
    return (
        # Of one brand: of all, more are equal than are fused, and which are depends on how the words' index is divided.
        await shop.found(engine, text="wx-78", filter=shop.filter(brands=("Zeta",)), depth=20),
        await shop.found(engine, vector=vector, depth=50),
        await shop.found(engine, text="watch", vector=vector, filter=shop.filter(brands=("Zeta",)), depth=50),
        (index.products, index.revision, index.kind, index.storage),
        (index.examined_share, index.rescored, index.cells),
    )


def _made_anew(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Notes each time that views are made anew from the catalogue."""
    noted: list[int] = []
    make = Views._make_anew

    def noting(views: Views) -> None:
        noted.append(1)
        make(views)

    monkeypatch.setattr(Views, "_make_anew", noting)
    return noted


@pytest.mark.parametrize("storage", ["float16", "int8", "pq"])
async def test_a_restart_reads_what_was_saved(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch, storage: str
) -> None:
    monkeypatch.setattr(index_plan, "LEAST_QUANTIZED", 300)
    engine = await _filled(open_engine, shop, storage=storage)
    await engine.delete_products([f"p{n:05}" for n in range(0, COUNT, 7)], deadline=shop.deadline())
    before = await _answers(engine, shop)
    assert before[3][2:] == ("ivf", storage)
    assert before[4][:2] == (0.01, 0 if storage == "float16" else 1_000)
    assert before[4][2] > 80
    await engine.close()
    made_anew = _made_anew(monkeypatch)
    again = await open_engine(exact_rows=300, storage=storage)
    assert await _answers(again, shop) == before
    assert made_anew == []
    await again.self_test()
    # A new product is found at once, and whatever is chosen next keeps all exact.
    await shop.fill(again, [shop.product(COUNT)], shop.vectors(1, seed=9))
    assert (await shop.found(again, vector=shop.vectors(1, seed=9)[0], depth=1)) == [f"p{COUNT:05}"]
    await again.close()
    other = await open_engine(exact_rows=300, storage="float16")
    await asyncio.to_thread(other._keeper.settle)
    assert (await other.get_index(deadline=shop.deadline())).storage == "float16"
    assert (await _answers(other, shop))[:2] == before[:2]
    assert made_anew == []


async def test_views_made_anew_take_no_more_memory_than_vectors_may(
    open_engine: Any, shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused, or restored on another machine, is not first held whole as float32."""
    engine = await _filled(open_engine, shop)
    monkeypatch.setattr(index_plan, "LEAST_QUANTIZED", 300)
    monkeypatch.setattr(prepared, "_STEP", 50)
    # Room for float32 of 100, float16 of 200 and int8 of 400.
    plan, taken, add = IndexPlan("auto", "auto", 400 * shop.DIM, 100, 0.03), [], Views._add

    def adding(views: Views, added: Any) -> None:
        add(views, added)
        vectors = views._columns.vectors
        taken.append((vectors.storage, vectors.codes.nbytes))

    monkeypatch.setattr(Views, "_add", adding)
    views = Views(engine._catalogue, plan, SavedViews(tmp_path / "views"))
    assert [storage for storage, _ in taken] == [*["float32"] * 3, *["float16"] * 2, *["int8"] * 4, *["pq"] * 6]
    assert max(nbytes for _, nbytes in taken) <= 1.5 * plan.memory_bytes
    snapshot = views.publish()
    vectors = shop.vectors(COUNT)
    assert snapshot.columns.vectors[:] == pytest.approx(vectors, abs=1e-3)
    found, _ = snapshot.dense.search(vectors[5], snapshot.columns.alive, 10)
    assert snapshot.columns.ids_at(found)[0] == "p00005"
    views.close()


async def test_a_full_disk_leaves_vectors_as_they_were_and_says_so(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("services.retriever.buffer.os.pwrite", full)
    engine = await _filled(open_engine, shop, storage="int8")
    index = await engine.get_index(deadline=shop.deadline())
    assert index.storage == "float32"
    assert any("No space left" in alert for alert in index.alerts)
    assert (await shop.found(engine, vector=shop.vectors(COUNT)[5], depth=1)) == ["p00005"]
    monkeypatch.undo()
    await shop.fill(engine, [shop.product(COUNT)], shop.vectors(1, seed=9))
    await asyncio.to_thread(engine._keeper.settle)
    index = await engine.get_index(deadline=shop.deadline())
    assert (index.storage, index.alerts) == ("int8", ())


async def test_cells_that_no_write_followed_are_saved_too(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await _filled(open_engine, shop, exact_rows=10_000)
    await engine.close()
    divided = await open_engine(exact_rows=300)
    await asyncio.to_thread(divided._keeper.settle)
    revision = divided._snapshot.revision
    await divided.close()

    def train(*_: Any) -> None:
        raise AssertionError("cells are made anew")

    monkeypatch.setattr(index_keeper, "train", train)
    again = await open_engine(exact_rows=300)
    index = await again.get_index(deadline=shop.deadline())
    assert (index.kind, index.revision, index.alerts) == ("ivf", revision, ())
    await asyncio.to_thread(again._keeper.settle)
    assert (await again.get_index(deadline=shop.deadline())).alerts == ()


async def test_vectors_lie_by_cell_also_when_an_earlier_version_saved_them(
    open_engine: Any, shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier version saved has no order of its own; what came since the cells were made is laid, too."""
    engine = await _filled(open_engine, shop, exact_rows=10_000)
    before = await _answers(engine, shop)
    await engine.close()
    _without("laid", tmp_path / "data" / "views", format=f"2.{ENTRY_VERSION}")
    made_anew = _made_anew(monkeypatch)
    monkeypatch.setattr(index_keeper, "FREE_LOOSE", 10)
    again = await open_engine(exact_rows=300)
    assert made_anew == []
    for count in (COUNT, 2 * COUNT):
        vectors = shop.vectors(count)
        await shop.fill(again, [shop.product(n) for n in range(count)], vectors)
        await asyncio.to_thread(again._keeper.settle)
        dense = again._snapshot.dense
        laid, order = dense.columns.vectors.laid, dense.placed.order
        assert dense.placed.tail - len(laid) <= index_keeper.SCATTERED_SHARE * count
        assert laid[order[order < len(laid)]].tolist() == list(range(len(laid)))
        assert (await _answers(again, shop))[0] == before[0]
        for n in (0, COUNT // 2, count - 1):
            assert await shop.found(again, vector=vectors[n], depth=1) == [f"p{n:05}"]


async def test_what_was_written_after_the_save_is_caught_up_with(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies without a last save, its words ahead of its columns: products new, changed and deleted."""
    engine = await _filled(open_engine, shop)
    await engine.close()
    engine = await open_engine(exact_rows=300)
    monkeypatch.setattr(engine._keeper._saved, "save", lambda capture: None)
    others = shop.vectors(COUNT + 20, seed=4)
    changed = [shop.product(n, title=f"renamed thing {n}") for n in range(10, 40)]
    await shop.fill(engine, changed, others[10:40])
    await shop.fill(engine, [shop.product(n) for n in range(COUNT, COUNT + 20)], others[COUNT:])
    await engine.delete_products([f"p{n:05}" for n in (12, 300, COUNT + 3)], deadline=shop.deadline())
    before = await _answers(engine, shop), await shop.found(engine, text="renamed", depth=100)
    assert len(before[1]) == 29
    await engine.close()
    made_anew = _made_anew(monkeypatch)
    again = await open_engine(exact_rows=300)
    assert (await _answers(again, shop), await shop.found(again, text="renamed", depth=100)) == before
    assert made_anew == []
    # What is saved next holds what was caught up with.
    await again.close()
    last = await open_engine(exact_rows=300)
    assert (await _answers(last, shop), await shop.found(last, text="renamed", depth=100)) == before


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _one(folder: Path, pattern: str) -> Path:
    return next(iter(sorted(folder.glob(pattern))))


def _without(name: str, views: Path, **changed: str) -> None:
    """A manifest that does not name an array, though every checksum holds."""
    path = views / "manifest.json"
    manifest = json.loads(path.read_bytes().partition(b"\n")[2]) | changed
    manifest["blocks"] = [block for block in manifest["blocks"] if block["name"] != name]
    body = json.dumps(manifest).encode()
    path.write_bytes(b"%08x\n" % zlib.crc32(body) + body)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "manifest cut": lambda views: _cut(views / "manifest.json"),
    "manifest flipped": lambda views: _flip(views / "manifest.json"),
    "manifest empty": lambda views: (views / "manifest.json").write_bytes(b""),
    "columns cut": lambda views: _cut(_one(views, "columns-*.bin")),
    "columns flipped": lambda views: _flip(_one(views, "columns-*.bin")),
    "columns gone": lambda views: _one(views, "columns-*.bin").unlink(),
    "state random": lambda views: _one(views, "state-*.bin").write_bytes(os.urandom(9_999)),
    "words cut": lambda views: _cut(_one(views, "words-*/*.idx")),
    "words flipped": lambda views: _flip(_one(views, "words-*/*.term")),
    "words gone": lambda views: _one(views, "words-*/*.fast").unlink(),
    # mem0#7117: the id map out of step with the index (case 110).
    "ids missing": partial(_without, "ids"),
    "order missing": partial(_without, "laid"),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_file_is_told_and_all_is_made_anew(
    open_engine: Any, shop: Any, tmp_path: Path, damage: str
) -> None:
    """faiss#861, mem0#7117, knowledge-base-mcp-server#57: torn, unequal and corrupt index files (cases 109-111)."""
    engine = await open_engine()
    await shop.fill(engine, [shop.product(n) for n in range(60)], shop.vectors(60))
    before = await _answers(engine, shop)
    await engine.close()
    DAMAGES[damage](tmp_path / "data" / "views")
    again = await open_engine()
    assert await _answers(again, shop) == before
    alerts = (await again.get_index(deadline=shop.deadline())).alerts
    assert any("saved views were refused and made anew" in alert for alert in alerts)
    await again.close()
    healed = await open_engine()
    assert (await healed.get_index(deadline=shop.deadline())).alerts == ()
    assert await _answers(healed, shop) == before


async def test_a_full_disk_leaves_the_save_before_and_alerts(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await open_engine()
    await shop.fill(engine, [shop.product(n) for n in range(60)], shop.vectors(60))
    await engine.close()
    engine = await open_engine()
    await shop.fill(engine, [shop.product(n) for n in range(60, 80)], shop.vectors(20, seed=2))
    before = await _answers(engine, shop)

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saved_views, "_made_durable", full)
    await engine.close()
    assert any("No space left" in alert for alert in engine._writer._views.alerts.values())
    monkeypatch.undo()
    made_anew = _made_anew(monkeypatch)
    again = await open_engine()
    assert await _answers(again, shop) == before
    assert made_anew == []


async def test_compaction_keeps_what_happens_meanwhile(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """faiss#1021: deletes are compacted beside searches and writes, not in their way (case 93)."""
    engine = await _filled(open_engine, shop)
    monkeypatch.setattr(index_keeper, "FREE_DEAD", 10)
    written: list[Any] = []

    def while_written(view: Any, kept: Any, storage: Any, rest: Any, laid: Any) -> Any:
        def write_instead() -> None:
            rest()
            # Half of the columns are made: what is written and searched now must neither wait nor be lost.
            if not written:
                written.append(asyncio.run_coroutine_threadsafe(write(), loop).result(60))

        return rebuilt(view, kept, storage, write_instead, laid)

    async def write() -> Any:
        await shop.fill(engine, [shop.product(n) for n in range(COUNT, COUNT + 10)], shop.vectors(10, seed=3))
        await shop.fill(engine, [shop.product(5, title="renamed five")], shop.vectors(1, seed=8))
        await engine.delete_products(["p00006", f"p{COUNT + 1:05}"], deadline=shop.deadline())
        return await _answers(engine, shop)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(index_keeper, "rebuilt", while_written)
    given_back = threading.Event()
    monkeypatch.setattr(allocator, "give_back", given_back.set)
    await engine.delete_products([f"p{n:05}" for n in range(300, 500)], deadline=shop.deadline())
    await asyncio.to_thread(engine._keeper.settle)
    assert written == [await _answers(engine, shop)]
    assert await asyncio.to_thread(given_back.wait, 20)
    index = await engine.get_index(deadline=shop.deadline())
    assert index.tombstones < 100
    assert await shop.found(engine, text="renamed") == ["p00005"]
    await engine.close()
    assert await _answers(await open_engine(exact_rows=300), shop) == written[0]


async def test_new_cells_are_searched_while_vectors_are_laid_by_them(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To copy the vectors of a million takes minutes, with rests; none once a generation that waits for it is left."""
    engine = await _filled(open_engine, shop, exact_rows=10_000)
    await engine.close()
    begun, told = threading.Event(), threading.Event()
    paces: list[bool] = []

    def waiting(view: Any, kept: Any, storage: Any, rest: Any, laid: Any) -> Any:
        begun.set()
        assert told.wait(60)
        paces.append(rest.__self__._is_hurried())
        return rebuilt(view, kept, storage, rest, laid)

    monkeypatch.setattr(index_keeper, "rebuilt", waiting)
    again = await open_engine(exact_rows=300)
    assert await asyncio.to_thread(begun.wait, 60)
    assert (await again.get_index(deadline=shop.deadline())).kind == "ivf"
    assert again._snapshot.dense.placed.tail == COUNT
    assert not len(again._snapshot.columns.vectors.laid)
    again._keeper.hurry()
    told.set()
    await asyncio.to_thread(again._keeper.settle)
    assert paces == [True]
    assert len(again._snapshot.columns.vectors.laid) == COUNT
