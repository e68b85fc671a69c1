"""The writer: what happens to writes whose callers are gone, and what it does when views fail."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from services.retriever import writer as writer_module
from services.retriever.catalogue import Transaction
from services.retriever.staging import Write
from services.retriever.tables import state
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Unavailable


async def test_a_caller_that_leaves_does_not_end_the_writer(engine: Any, shop: Any) -> None:
    writer = engine._writer
    entered, leave = threading.Event(), threading.Event()

    def busy(_views: Any) -> None:
        entered.set()
        assert leave.wait(30)

    changed = writer.change(busy)
    assert entered.wait(30)
    # Alone in the queue, and nobody waits for it any more.
    left = writer.submit(Write(Deadline.after(60), deleted_ids=["p00001"]))
    assert left.cancel()
    leave.set()
    changed.result(30)
    await shop.fill(engine, [shop.product(1)], shop.vectors(1))
    assert await shop.found(engine, vector=shop.vectors(1)[0]) == ["p00001"]


async def test_a_write_that_is_followed_later_is_not_acknowledged_as_searchable(
    engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The views fail, and the catalogue cannot be read while they would be made anew."""
    writer = engine._writer
    vectors = shop.vectors(3)
    await shop.fill(engine, [shop.product(0)], vectors[:1])

    def broken(*_: object) -> None:
        raise MemoryError("no room")

    def away() -> None:
        raise Unavailable("the catalogue cannot be read: it is away")

    with monkeypatch.context() as failing:
        failing.setattr(writer._views, "follow", broken)
        failing.setattr(writer._views, "anew", away)
        with pytest.raises(Unavailable, match="durable and not searchable yet"):
            await shop.fill(engine, [shop.product(1)], vectors[1:2])
        assert await shop.found(engine, vector=vectors[0]) == ["p00000"]
    # The next write finds the views torn, and makes them anew before it is staged.
    result = await engine.delete_products(["p00001"], deadline=shop.deadline())
    assert [outcome.error for outcome in result.outcomes] == [None]
    assert await shop.found(engine, vector=vectors[0]) == ["p00000"]
    assert "made anew" in " ".join((await engine.get_index(deadline=shop.deadline())).alerts)


async def test_a_write_is_searchable_though_the_catalogue_is_changed_by_another_way_meanwhile(
    engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = engine._writer
    views, follow = writer._views, writer._views.follow
    followed: list[Future[None]] = []

    def following(*taken: Any) -> None:
        follow(*taken)
        if not followed:
            with engine._catalogue.begin() as connection:
                connection.execute(sa.update(state).values(revision=state.c.revision + 1))
            followed.append(pool.submit(writer.follow))
            with writer._wake:
                assert writer._wake.wait_for(lambda: len(writer._changes) == 2, 30)

    monkeypatch.setattr(views, "follow", following)
    with ThreadPoolExecutor(1) as pool:
        await shop.fill(engine, [shop.product(0)], shop.vectors(1))
        followed[0].result(30)
    assert (await engine.get_index(deadline=shop.deadline())).revision == 2


async def test_while_searches_run_small_writes_wait_for_one_another_and_a_delete_for_none(
    engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "GROUPING_S", 3_600.0)
    monkeypatch.setattr(writer_module, "LEAST_WAITS_LEFT", 0)
    published: list[int] = []
    await shop.fill(engine, [shop.product(0)], shop.vectors(1))
    publish = engine._writer._publish

    def publishing(seen: Any) -> None:
        published.append(seen.own.revision)
        publish(seen)

    monkeypatch.setattr(engine._writer, "_publish", publishing)
    # Nobody searches: it does not wait, though one was published a moment ago.
    await shop.fill(engine, [shop.product(1)], shop.vectors(1))
    assert engine._places.take()
    waiting = [asyncio.create_task(shop.fill(engine, [shop.product(n)], shop.vectors(1))) for n in (2, 3)]
    while len(engine._writer._waiting) < 2:
        await asyncio.wait(waiting, timeout=0.001)
    assert published == [2]
    await engine.delete_products(["p00001"], deadline=shop.deadline())
    await asyncio.gather(*waiting)
    assert published == [2, 5]
    # As much as is worth a publication of its own.
    many = [shop.product(n) for n in range(4, 104)]
    await shop.fill(engine, many, shop.vectors(100))
    assert published == [2, 5, 6]


@pytest.mark.parametrize("busy", ["searched", "loaded"])
async def test_a_write_whose_caller_has_little_time_waits_for_no_other(
    engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch, busy: str
) -> None:
    for name in ("GROUPING_S", "BULK_GROUPING_S"):
        monkeypatch.setattr(writer_module, name, 3_600.0)
    await shop.fill(engine, [shop.product(0)], shop.vectors(1))
    if busy == "searched":
        assert engine._places.take()
    else:
        engine._preparers.many += 1

    def write(number: int, time_s: float) -> Any:
        deadline = Deadline.after(time_s)
        return engine.upsert_products(
            [shop.product(number)], shop.vectors(1), model_digest=shop.DIGEST, deadline=deadline
        )

    patient = asyncio.create_task(write(1, 10_900.0))
    while not engine._writer._waiting:
        await asyncio.wait({patient}, timeout=0.001)
    # With it goes what waited already.
    assert (await write(2, 10_700.0)).revision == 3
    assert (await patient).revision == 2


async def test_a_write_whose_time_is_over_while_it_waits_is_not_made(engine: Any, shop: Any) -> None:
    writer = engine._writer
    entered, leave = threading.Event(), threading.Event()

    def busy(_views: Any) -> None:
        entered.set()
        assert leave.wait(30)

    changed = writer.change(busy)
    assert entered.wait(30)
    late = writer.submit(Write(Deadline.after(0), deleted_ids=["p00001"]))
    with pytest.raises(DeadlineExceeded, match="no time left for the write"):
        await engine.upsert_products(
            [shop.product(1)], shop.vectors(1), model_digest=shop.DIGEST, deadline=Deadline.after(0.05)
        )
    leave.set()
    changed.result(30)
    with pytest.raises(DeadlineExceeded, match="no time left for the write"):
        late.result(30)
    index = await engine.get_index(deadline=shop.deadline())
    assert (index.products, index.revision) == (0, 0)


async def test_a_write_whose_time_is_over_while_it_is_made_is_not_acknowledged_and_done(
    engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, leave = threading.Event(), threading.Event()
    purge = Transaction.purge

    def purging(transaction: Transaction, *needed: Any) -> int:
        entered.set()
        assert leave.wait(30)
        return purge(transaction, *needed)

    monkeypatch.setattr(Transaction, "purge", purging)
    deadline = Deadline.after(60)
    written = asyncio.create_task(
        engine.upsert_products([shop.product(1)], shop.vectors(1), model_digest=shop.DIGEST, deadline=deadline)
    )
    assert await asyncio.to_thread(entered.wait, 30)
    # What the caller's deadline does when it is over.
    written.cancel()
    await asyncio.wait({written})
    leave.set()
    await shop.fill(engine, [shop.product(2)], shop.vectors(1))
    assert set(await shop.found(engine, vector=shop.vectors(1)[0])) == {"p00001", "p00002"}


async def test_while_many_products_are_made_ready_writes_wait_for_a_full_group(
    engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "BULK_GROUPING_S", 3_600.0)
    monkeypatch.setattr(writer_module, "LEAST_WAITS_LEFT", 0)
    monkeypatch.setattr(writer_module, "GROUP_PRODUCTS", 3)
    await shop.fill(engine, [shop.product(0)], shop.vectors(1))
    writer, committed = engine._writer, []
    purge = Transaction.purge

    def purging(transaction: Transaction, *needed: Any) -> int:
        committed.append(transaction.state.revision)
        return purge(transaction, *needed)

    monkeypatch.setattr(Transaction, "purge", purging)
    engine._preparers.many += 1
    waiting = [asyncio.create_task(shop.fill(engine, [shop.product(n)], shop.vectors(1))) for n in (1, 2)]
    while len(writer._waiting) < 2:
        await asyncio.wait(waiting, timeout=0.001)
    assert not committed
    # The third makes the group full, and all are one transaction.
    await asyncio.gather(*waiting, shop.fill(engine, [shop.product(3)], shop.vectors(1)))
    assert committed == [1]
    # Nothing more is coming: the next one is written at once.
    engine._preparers.many -= 1
    await shop.fill(engine, [shop.product(4)], shop.vectors(1))
    assert committed == [1, 4]


async def test_a_full_queue_waits_for_no_group(engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "BULK_GROUPING_S", 3_600.0)
    monkeypatch.setattr(writer_module, "LEAST_WAITS_LEFT", 0)
    await shop.fill(engine, [shop.product(0)], shop.vectors(1))
    monkeypatch.setattr(engine._writer, "_limit", 2)
    engine._preparers.many += 1
    await asyncio.gather(*(shop.fill(engine, [shop.product(n)], shop.vectors(1)) for n in (1, 2)))
    engine._preparers.many -= 1


async def test_a_change_after_the_end_is_refused_and_not_waited_for(engine: Any) -> None:
    await engine.close()
    with pytest.raises(Unavailable, match="shutting down"):
        engine._writer.change(lambda _: None).result(30)
    with pytest.raises(Unavailable, match="shutting down"):
        engine._writer.follow()
