"""Calls at a fixed rate: those that are under way are waited for before it is told what became of them."""

import asyncio

from loadtest.faults.searches import Load, at_rate


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
