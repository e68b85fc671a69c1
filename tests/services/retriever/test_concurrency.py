"""Many callers at once: one snapshot for each read, bounded threads, bounded queues, work done once."""

import asyncio
import threading
from typing import Any

import faiss
import numpy as np
import psutil
import pytest

from services.retriever.lexical_view import LexicalView
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, ResourceExhausted
from vitrine.ports import RetrievalQuery


async def test_each_read_sees_one_snapshot(open_engine: Any, shop: Any) -> None:
    """faiss#1781: search during add and remove crashed or lied (case 97)."""
    # The graph is built and renewed underneath.
    engine = await open_engine(exact_rows=30)
    vectors = shop.vectors(40)
    numbers = range(40)
    titles = ["round 0 red shoe"] * 40

    def written(round_number: int) -> Any:
        return [shop.product(n, title=f"round {round_number} red shoe") for n in numbers]

    await shop.fill(engine, written(0), vectors)
    writing = True

    async def write(writer: int) -> None:
        for round_number in range(writer, 20, 4):
            await shop.fill(engine, written(round_number), vectors)

    async def read() -> None:
        while writing:
            for query in ({"text": "red shoe"}, {"vector": vectors[3]}, {"text": "red", "vector": vectors[5]}):
                found = (await shop.search(engine, **query)).candidates
                assert len({c.product_id for c in found}) == len(found) == len(titles)
                # All 40 are written at once, so a read that saw two rounds saw half of a write.
                assert len({c.product.title for c in found}) == 1
                assert len({c.product.revision for c in found}) == 1

    readers = [asyncio.create_task(read()) for _ in range(64)]
    await asyncio.gather(*(write(writer) for writer in range(4)))
    writing = False
    await asyncio.gather(*readers)


async def test_concurrent_searches_equal_serial_ones(engine: Any, shop: Any) -> None:
    """faiss#367: 64 concurrent searches (case 98)."""
    vectors = shop.vectors(300)
    await shop.fill(engine, [shop.product(n) for n in range(300)], vectors)
    queries = [{"text": f"wx-{n}", "vector": vectors[n], "depth": 50} for n in range(64)]
    serial = [await shop.search(engine, **query) for query in queries]
    at_once = await asyncio.gather(*(shop.search(engine, **query) for query in queries))
    assert [r.candidates for r in at_once] == [r.candidates for r in serial]


async def test_threads_are_bounded_and_each_computes_alone(open_engine: Any, shop: Any) -> None:
    """faiss#2731, faiss#1035: OpenMP times request threads; omp_set_num_threads not obeyed (cases 99, 101)."""
    engine = await open_engine(threads=2, exact_rows=50)
    vectors = shop.vectors(400)
    await shop.fill(engine, [shop.product(n) for n in range(400)], vectors)
    before = psutil.Process().num_threads()
    await asyncio.gather(*(shop.search(engine, vector=vectors[n], depth=10) for n in range(128)))
    assert psutil.Process().num_threads() <= before + 2
    in_thread = await engine._search(shop.deadline(), faiss.omp_get_max_threads)
    assert in_thread == 1


async def test_a_full_queue_refuses_at_once(open_engine: Any, shop: Any) -> None:
    engine = await open_engine(threads=1, queue=2)
    release = threading.Event()
    running = [asyncio.create_task(engine._search(shop.deadline(), release.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(ResourceExhausted) as refusal:
        await shop.search(engine, text="watch")
    assert refusal.value.retry_after_s
    release.set()
    await asyncio.gather(*running)
    assert await shop.found(engine, text="watch") == []


async def test_what_waits_past_its_deadline_is_never_begun(open_engine: Any, shop: Any) -> None:
    engine = await open_engine(threads=1)
    release = threading.Event()
    begun = []
    first = asyncio.create_task(engine._search(shop.deadline(), release.wait))
    await asyncio.sleep(0)
    with pytest.raises(DeadlineExceeded):
        await engine._search(Deadline.after(0.05), lambda: begun.append(1))
    left = asyncio.create_task(engine._search(shop.deadline(), lambda: begun.append(2)))
    await asyncio.sleep(0)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    release.set()
    await first
    await shop.search(engine, text="watch")
    assert begun == []


async def test_waiting_writes_become_durable_together(engine: Any, shop: Any) -> None:
    vectors = shop.vectors(64)
    transactions = 0
    begin = engine._catalogue.transaction

    def counted() -> Any:
        nonlocal transactions
        transactions += 1
        return begin()

    engine._catalogue.transaction = counted
    results = await asyncio.gather(*(shop.fill(engine, [shop.product(n)], vectors[n : n + 1]) for n in range(64)))
    assert transactions < 64
    # Each write has a revision of its own all the same.
    assert sorted(result.revision for result in results) == list(range(1, 65))
    assert (await engine.get_index(deadline=shop.deadline())).products == 64


async def test_the_same_words_are_searched_once(engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = shop.vectors(20)
    await shop.fill(engine, [shop.product(n) for n in range(20)], vectors)
    searched = []
    search = LexicalView.search
    monkeypatch.setattr(
        LexicalView, "search", lambda self, text, *rest: searched.append(text) or search(self, text, *rest)
    )
    words = {"text": "Smart  WATCH"}
    await asyncio.gather(shop.search(engine, **words), shop.search(engine, **words))
    fused = await shop.search(engine, text="smart watch", vector=vectors[1])
    assert len(searched) == 1
    assert fused.candidates[0].product_id == "p00001"
    await shop.search(engine, text="smart watch", filter=shop.filter(brands=("acme",)))
    await engine.delete_products(["p00001"], deadline=shop.deadline())
    assert "p00001" not in await shop.found(engine, text="smart watch")
    assert len(searched) == 3


async def test_dead_versions_leave_memory_and_disk(engine: Any, shop: Any) -> None:
    """faiss#1021: removal must stay cheap and leave nothing behind (case 93)."""
    vectors = shop.vectors(500)
    # Few words each: most of a write's time goes into them.
    products = [shop.product(n, title=f"wx-{n}", categories=()) for n in range(500)]
    for _ in range(7):
        await shop.fill(engine, products, vectors)
    await asyncio.to_thread(engine._keeper.settle)
    index = await engine.get_index(deadline=shop.deadline())
    assert index.products == 500
    assert index.tombstones <= 500 // 2 + 2_000
    with engine._catalogue._engine.connect() as connection:
        stored = connection.exec_driver_sql("SELECT count(*) FROM version").scalar_one()
    assert stored <= 2 * 500
    assert (await shop.found(engine, vector=vectors[9], depth=1)) == ["p00009"]


async def test_a_reader_keeps_what_it_saw(engine: Any, shop: Any) -> None:
    vectors = shop.vectors(5)
    await shop.fill(engine, [shop.product(n) for n in range(5)], vectors)
    earlier = engine._snapshot
    await shop.fill(engine, [shop.product(2, title="new")], vectors[2:3])
    await engine.delete_products(["p00003"], deadline=shop.deadline())
    assert np.flatnonzero(earlier.columns.alive).tolist() == [0, 1, 2, 3, 4]
    rows = dict(engine._catalogue.rows_at(["p00002", "p00003"], earlier.revision))
    products = engine._products.read(list(rows.values()), described=False)
    assert products[rows["p00002"]].title != "new"
    assert "p00003" in rows


async def test_bulk_writes_are_bounded(open_engine: Any, shop: Any) -> None:
    engine = await open_engine(write_queue=1)
    vectors = shop.vectors(30)
    results = await asyncio.gather(
        *(
            engine.upsert_products(
                [shop.product(n)], vectors[n : n + 1], model_digest=shop.DIGEST, deadline=shop.deadline()
            )
            for n in range(30)
        ),
        return_exceptions=True,
    )
    done = [r for r in results if not isinstance(r, BaseException)]
    refused = [r for r in results if isinstance(r, ResourceExhausted)]
    assert len(done) + len(refused) == 30
    assert all(r.retry_after_s for r in refused)
    assert (await engine.get_index(deadline=shop.deadline())).products == len(done)


async def test_writes_that_wait_to_be_prepared_are_bounded_and_keep_their_deadline(open_engine: Any, shop: Any) -> None:
    engine = await open_engine(write_queue=2)
    vectors = shop.vectors(3)
    release = threading.Event()
    engine._preparers._thread.submit(release.wait, 60)

    def write(number: int, deadline: Deadline) -> Any:
        part = slice(number, number + 1)
        return asyncio.create_task(
            engine.upsert_products([shop.product(number)], vectors[part], model_digest=shop.DIGEST, deadline=deadline)
        )

    try:
        stays = write(0, shop.deadline())
        with pytest.raises(DeadlineExceeded):
            await write(1, Deadline.after(0.05))
        stays_too = write(1, shop.deadline())
        await asyncio.sleep(0)
        with pytest.raises(ResourceExhausted) as refusal:
            await write(2, shop.deadline())
        assert refusal.value.retry_after_s
    finally:
        release.set()
    await asyncio.gather(stays, stays_too)
    assert (await engine.get_index(deadline=shop.deadline())).products == 2


async def test_the_first_k_are_the_same_at_any_depth(engine: Any, shop: Any) -> None:
    """neural-search#325: scores depended on the page size (case 114); trieve#1001: no repeats, no gaps (case 115)."""
    vectors = shop.vectors(500)
    await shop.fill(engine, [shop.product(n) for n in range(500)], vectors)
    for query in ({"text": "smart watch 手表"}, {"vector": vectors[0]}, {"text": "智能", "vector": vectors[1]}):
        all_of_them = (await shop.search(engine, depth=500, **query)).candidates
        for depth in (1, 10, 100):
            assert (await shop.search(engine, depth=depth, **query)).candidates == all_of_them[:depth]


async def test_queries_are_data(engine: Any, shop: Any) -> None:
    await shop.fill(engine, [shop.product(n) for n in range(4)], shop.vectors(4))
    for text in ('title:"watch" OR *', "watch AND (", "wx~2 +-", "'; DROP TABLE version; --", "\x00watch\ud800"):
        await engine.retrieve(RetrievalQuery(text=text), deadline=shop.deadline())
    assert len(await shop.found(engine, text='title:"watch" OR *')) == 2
