"""Tests of one run for many callers."""

import asyncio

import pytest

from gateway.single_flight import SingleFlight
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Unavailable


class Work:
    """A piece of work that ends when it is told to, and counts its runs."""

    def __init__(self) -> None:
        self.runs = 0
        self.cancelled = 0
        self.started = asyncio.Event()
        self.may_end = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.runs += 1
        self.started.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        return self.runs


def soon() -> Deadline:
    return Deadline.after(30)


async def test_a_thousand_callers_share_one_run() -> None:
    """cacheable#888 (case 123)"""
    flights, work = SingleFlight[str, int](), Work()
    callers = [asyncio.create_task(flights.run("cold", work, deadline=soon())) for _ in range(1_000)]
    await work.started.wait()
    work.may_end.set()
    assert set(await asyncio.gather(*callers)) == {1}
    assert work.runs == 1


async def test_keys_do_not_share() -> None:
    flights, one, other = SingleFlight[str, int](), Work(), Work()
    one.may_end.set()
    other.may_end.set()
    await asyncio.gather(flights.run("one", one, deadline=soon()), flights.run("other", other, deadline=soon()))
    assert (one.runs, other.runs) == (1, 1)


async def test_followers_get_the_result_when_the_leader_is_cancelled() -> None:
    """slatedb#1611 (case 125)"""
    flights, work = SingleFlight[str, int](), Work()
    leader = asyncio.create_task(flights.run("cold", work, deadline=soon()))
    await work.started.wait()
    follower = asyncio.create_task(flights.run("cold", work, deadline=soon()))
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    work.may_end.set()
    assert await follower == 1
    assert (work.runs, work.cancelled) == (1, 0)


async def test_a_follower_takes_over_when_the_run_itself_is_cancelled() -> None:
    """slatedb#1611 (case 125)"""
    flights = SingleFlight[str, int]()
    runs: list[int] = []

    async def dies_once() -> int:
        runs.append(len(runs))
        if len(runs) == 1:
            raise asyncio.CancelledError
        return 7

    results = await asyncio.gather(*(flights.run("cold", dies_once, deadline=soon()) for _ in range(10)))
    assert results == [7] * 10
    assert len(runs) == 2


async def test_work_that_is_always_cancelled_ends_as_an_error() -> None:
    async def dies() -> int:
        raise asyncio.CancelledError

    with pytest.raises(Unavailable):
        await SingleFlight[str, int]().run("cold", dies, deadline=soon())


async def test_an_error_reaches_all_callers_and_is_not_kept() -> None:
    """slatedb#1611 (case 125)"""
    flights, work = SingleFlight[str, int](), Work()
    work.error = Unavailable("away")
    work.may_end.set()
    outcomes = await asyncio.gather(
        *(flights.run("cold", work, deadline=soon()) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    work.error = None
    assert await flights.run("cold", work, deadline=soon()) == 2


async def test_the_run_is_cancelled_when_nobody_waits_any_more() -> None:
    """leapfrogai#139"""
    flights, work = SingleFlight[str, int](), Work()
    callers = [asyncio.create_task(flights.run("cold", work, deadline=soon())) for _ in range(3)]
    await work.started.wait()
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    assert work.cancelled == 1
    work.may_end.set()
    assert await flights.run("cold", work, deadline=soon()) == 2


async def test_a_caller_out_of_time_leaves_the_others_be() -> None:
    flights, work = SingleFlight[str, int](), Work()
    patient = asyncio.create_task(flights.run("cold", work, deadline=soon()))
    with pytest.raises(DeadlineExceeded):
        await flights.run("cold", work, deadline=Deadline.after(0.01))
    work.may_end.set()
    assert await patient == 1
