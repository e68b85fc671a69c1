"""Products made ready in another process are what this one makes; a process that is killed loses nothing."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import astuple, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from services.retriever import preparers as preparers_module
from services.retriever.prepared import prepared_of
from services.retriever.preparers import BULK_PRODUCTS, START_PRODUCTS, Preparers
from services.retriever.settings import RetrieverSettings
from services.retriever.texts import Texts
from vitrine.errors import InvalidArgument, Unavailable
from vitrine.product import Product

ROOT = Path(__file__).parents[3]
# Starts processes, says the number of one, and stays.
_PARENT = """
import asyncio, multiprocessing
from services.retriever import preparers
from vitrine.deadline import Deadline
from vitrine.product import Product

async def main():
    preparers.START_PRODUCTS = 1
    made = preparers.Preparers(1)
    products = [Product(id=f"p{n}", title="lamp") for n in range(preparers.BULK_PRODUCTS)]
    await made.prepare(products, Deadline.after(60))
    await made._starting
    print(multiprocessing.active_children()[0].pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
async def preparers() -> AsyncIterator[Preparers]:
    preparers = Preparers(2)
    yield preparers
    await preparers.close()


def plain(texts: Texts) -> Any:
    """All that was made, to compare; arrays as lists."""

    def listed(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.tolist()
        if isinstance(value, dict):
            return {key: listed(each) for key, each in value.items()}
        return [listed(each) for each in value] if isinstance(value, list | tuple) else value

    return listed(astuple(texts))


async def test_processes_make_the_same_and_one_that_is_killed_loses_nothing(preparers: Preparers, shop: Any) -> None:
    then = datetime(2026, 1, 2, tzinfo=UTC)
    products = [
        shop.product(n, update_time=then, description=f"1.5 L, {n} 厘米", attributes={"size": (n, 17.5), "色": ("紅",)})
        for n in range(START_PRODUCTS)
    ]
    products[3] = replace(products[3], title=" ")
    products[BULK_PRODUCTS] = Product(id="a b", title="lamp", update_time=then)
    [here] = await preparers.prepare(products, shop.deadline())
    assert preparers._starting is not None
    await preparers._starting
    bulk = products[: BULK_PRODUCTS * 2]
    parts = await preparers.prepare(bulk, shop.deadline())
    halves = bulk[:BULK_PRODUCTS], bulk[BULK_PRODUCTS:]
    assert [plain(part) for part in parts] == [plain(Texts.of(half)) for half in halves]
    # One by one they are what the thread made.
    made = [item for part in parts for item in prepared_of(part)]
    for one, other in zip(made, list(prepared_of(here))[: len(bulk)], strict=True):
        if isinstance(one, InvalidArgument):
            assert isinstance(other, InvalidArgument)
            assert one.violations == other.violations
        else:
            assert not isinstance(other, InvalidArgument)
            assert replace(one, sheet=None, place=0) == replace(other, sheet=None, place=0)
    assert [place for place, item in enumerate(made) if isinstance(item, InvalidArgument)] == [3, BULK_PRODUCTS]
    assert preparers._pool is not None
    pool: Any = preparers._pool
    killed, other = processes = list(pool._processes)
    # Stopped, so that what is asked is not done yet when one is killed, by the other neither.
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    again = asyncio.create_task(preparers.prepare(bulk, shop.deadline()))
    await asyncio.sleep(0)
    os.kill(killed, signal.SIGKILL)
    while not pool._broken:  # noqa: ASYNC110 (it has no event of its own)
        await asyncio.sleep(0.01)
    os.kill(other, signal.SIGCONT)
    assert [
        item.id for texts in await again for item in prepared_of(texts) if not isinstance(item, InvalidArgument)
    ] == [product.id for place, product in enumerate(bulk) if place not in (3, BULK_PRODUCTS)]
    # They are gone until many come again.
    assert preparers._pool is None
    assert psutil.wait_procs([psutil.Process(pid) for pid in processes if psutil.pid_exists(pid)], 30)[1] == []


async def test_what_waits_for_the_thread_goes_to_a_process_once_there_is_one(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparers_module, "START_PRODUCTS", 1)
    preparers = Preparers(1)
    products = [shop.product(n) for n in range(BULK_PRODUCTS)]
    async with preparers._turn:
        waiting = asyncio.create_task(preparers.prepare(products, shop.deadline()))
        await asyncio.sleep(0)
        assert preparers._starting is not None
        await preparers._starting
    # It would refuse.
    preparers._thread.shutdown()
    [texts] = await waiting
    assert texts.ids == [product.id for product in products]
    await preparers.close()


async def test_what_waits_for_the_thread_is_made_ready_before_it_ends(shop: Any) -> None:
    preparers = Preparers(0)
    products = [shop.product(n) for n in range(BULK_PRODUCTS)]
    waiting = [asyncio.create_task(preparers.prepare(products, shop.deadline())) for _ in range(3)]
    await asyncio.sleep(0)
    await preparers.close()
    assert all(task.done() for task in waiting)
    assert [len(part.ids) for task in waiting for part in task.result()] == [BULK_PRODUCTS] * 3


async def test_what_a_process_had_that_dies_when_the_thread_has_ended_is_to_be_sent_again(shop: Any) -> None:
    held: Future[Texts] = Future()

    class Pool:
        def submit(self, *_: Any) -> Future[Texts]:
            return held

        def shutdown(self, wait: bool = True) -> None:
            if wait:
                held.set_exception(BrokenProcessPool("killed"))

    preparers: Any = Preparers(1)
    preparers._pool = Pool()
    products = [shop.product(n) for n in range(BULK_PRODUCTS)]
    waiting = asyncio.create_task(preparers.prepare(products, shop.deadline()))
    await asyncio.sleep(0)
    await preparers.close()
    with pytest.raises(Unavailable, match="shutting down"):
        await waiting


async def test_they_are_started_for_many_and_ended_after_a_pause(
    preparers: Preparers, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def start() -> None:
        started.set()

    def stop() -> None:
        Preparers._stop(preparers)
        stopped.set()

    monkeypatch.setattr(preparers, "_start", start)
    monkeypatch.setattr(preparers, "_stop", stop)
    monkeypatch.setattr(preparers_module, "IDLE_S", 0.0)
    few = [shop.product(n) for n in range(BULK_PRODUCTS - 1)]
    await preparers.prepare(few, shop.deadline())
    assert preparers._come == 0
    await preparers.prepare([*few, shop.product(1)], shop.deadline())
    # The pause is over at once, and it begins to count anew.
    await asyncio.wait_for(stopped.wait(), 30)
    assert preparers._come == 0
    assert not started.is_set()
    monkeypatch.setattr(preparers_module, "IDLE_S", 60.0)
    await preparers.prepare([shop.product(n) for n in range(START_PRODUCTS)], shop.deadline())
    await asyncio.wait_for(started.wait(), 30)


def test_they_end_with_their_parent_and_not_before_it() -> None:
    """kill -9 of the parent leaves none behind; Ctrl-C, which all of them hear, is the parent's to answer."""
    with subprocess.Popen([sys.executable, "-c", _PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        said = next(line for line in parent.stdout if line.strip().isdigit())
        process = psutil.Process(int(said))
        process.send_signal(signal.SIGINT)
        assert process.is_running()
        parent.kill()
    process.wait(30)


@pytest.mark.parametrize(
    ("processors", "chosen", "expected"), [(1, None, 0), (2, None, 2), (64, None, 4), (2, 0, 0), (1, 3, 3)]
)
def test_there_are_as_many_as_processors(
    processors: int, chosen: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.retriever.settings.thread_quota", lambda: processors)
    assert RetrieverSettings(write_processes=chosen).preparing_processes == expected
