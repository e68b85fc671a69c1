"""Calls at a fixed rate: those that are under way are waited for before it is told what became of them."""

import asyncio

import pytest

from loadtest.faults.searches import Load, at_rate
from vitrine.errors import Unavailable


async def test_what_hangs_is_waited_for() -> None:
    load, answered = Load(), asyncio.Event()

    async def call(_number: int) -> tuple[str, ...]:
        began.set()
        await answered.wait()
        raise ValueError("too late")

    began = asyncio.Event()
    async with at_rate(0.001, call, load):
        await began.wait()
        settling = asyncio.create_task(load.settled())
        await asyncio.wait({settling}, timeout=0.01)
        assert not settling.done()
        answered.set()
        await settling
        assert [one.fault for one in load.faults()] == ["too late"]
        await load.settled()


@pytest.mark.parametrize(("error", "wrong"), [(Unavailable("away"), False), (ValueError("another product"), True)])
async def test_whatever_a_call_raises_is_a_fault(error: Exception, wrong: bool) -> None:
    load = Load()

    async def call(_number: int) -> tuple[str, ...]:
        began.set()
        raise error

    began = asyncio.Event()
    async with at_rate(0.001, call, load):
        await began.wait()
    assert [(bool(one.fault), one.wrong) for one in load.outcomes] == [(True, wrong)]
