"""More calls than the suite can answer, begun whether or not those before have ended; then callers who leave."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from loadtest.faults.findings import Findings, kinds
from loadtest.faults.scrape import Metrics
from loadtest.faults.searches import Load, Outcome, at_rate
from vitrine.errors import ResourceExhausted
from vitrine.status import error_from_rpc
from vitrine.v1 import common_pb2
from vitrine.v1.search_service_pb2 import SearchRequest, SearchResponse

COLUMNS = (
    "part",
    "asked a second",
    "answered a second",
    "of them ranked less",
    "refused",
    "refused in, p99 ms",
    "answered in, p50 ms",
    "p99 ms",
    "health, slowest ms",
    "own lag, p99 ms",
    "memory, MiB",
)
_UNWELL_S = 5.0
_CALLERS = (8, 32)
_CALM = 0.5
_PROBE_S = 0.1
_LATE_S = 0.01
_MIB = 1 << 20
_GOODPUT, _REFUSED_S, _HEALTH_S, _GROWTH = 0.9, 0.05, 0.1, 0.05
_NORMAL_S, _AS_BEFORE = 5.0, 1.5
_LEAVERS, _LEAVE_S, _UNTIL_IDLE_S = 100, 0.05, 1.0

Search = Callable[..., Any]


@dataclass(slots=True)
class Answers:
    """What came of searches beside their times: refusals' seconds, and those that did not say when to come back."""

    refused_s: list[float] = field(default_factory=list)
    without_delay: int = 0
    degraded: int = 0


@dataclass(slots=True)
class Watched:
    """What was seen while a part ran: the slowest health answer by service, and bytes of all processes over time.

    `late_s`: how late this process itself was, which is part of each time it took.
    """

    health_s: dict[str, float] = field(default_factory=dict)
    memory: list[int] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Suite:
    """What is overloaded: a search with queries nobody asked before, health by service, memory in bytes, metrics."""

    search: Search
    queries: Iterator[str]
    health: Mapping[str, grpc.aio.Channel]
    memory: Callable[[], int]
    metrics: Callable[[], Awaitable[Sequence[Metrics]]]
    deadline_s: float = 5.0


async def overload(suite: Suite, found: Findings, *, factor: float, seconds: float, calm_s: float) -> None:
    """Finds the peak, asks `factor` times as much for so long, and sees how soon all is as before."""
    peak = max([await _peak(suite, callers, calm_s) for callers in _CALLERS])
    before, _, _ = await _part(suite, found, "before", peak * _CALM, calm_s)
    load, answers, watched = await _part(suite, found, f"{factor:g} × the peak of {peak:.0f}", peak * factor, seconds)
    good = sum(not one.fault for one in load.outcomes) / seconds
    found.hold(good >= _GOODPUT * peak, f"{good:.1f} answers a second under overload, {peak:.1f} at the peak")
    found.hold(bool(answers.refused_s), "nothing was refused")
    refused_s = float(np.percentile(answers.refused_s, 99)) if answers.refused_s else 0.0
    found.hold(refused_s <= _REFUSED_S, f"refusals took {refused_s * 1e3:.0f} ms at p99")
    found.hold(not answers.without_delay, f"{answers.without_delay} refusals did not say when to come back")
    other = [one for one in load.outcomes if one.fault and not one.fault.startswith("RESOURCE_EXHAUSTED")]
    found.hold(not other, f"{len(other)} failed otherwise: {kinds(other)}")
    for service, slowest_s in watched.health_s.items():
        found.hold(slowest_s <= _HEALTH_S, f"health of {service} took {slowest_s * 1e3:.0f} ms")
    settled = watched.memory[len(watched.memory) // 4 :]
    grown = settled[-1] / settled[0] - 1
    found.hold(grown <= _GROWTH, f"memory grew by {grown:.1%} in the last three quarters of the overload")
    after, _, _ = await _part(suite, found, "after", peak * _CALM, _NORMAL_S + calm_s)
    soon = [one for one in after.outcomes if one.due_s >= after.outcomes[0].due_s + _NORMAL_S]
    p99_s, usual_s = _p99(soon), _p99(before.outcomes)
    found.hold(
        not any(one.fault for one in soon) and p99_s <= _AS_BEFORE * usual_s,
        f"{_NORMAL_S:.0f} s after the overload p99 was {p99_s * 1e3:.0f} ms, before it {usual_s * 1e3:.0f} ms",
    )
    await leave(suite, found)


async def leave(suite: Suite, found: Findings) -> None:
    """Many callers give up while their searches wait: what they left does not reach a model."""
    started = await suite.metrics()
    calls = [suite.search(_request(next(suite.queries)), timeout=suite.deadline_s) for _ in range(_LEAVERS)]
    await asyncio.sleep(_LEAVE_S)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.sleep(_UNTIL_IDLE_S)
    left = await suite.metrics()
    await asyncio.sleep(_UNTIL_IDLE_S)
    later = await suite.metrics()

    def all_of(name: str, some: Sequence[Metrics], **labels: str) -> float:
        return sum(one.sum(name, **labels) for one in some)

    run = all_of("vitrine_batch_items_sum", later) - all_of("vitrine_batch_items_sum", left)
    dropped = all_of("vitrine_batch_dropped_items_total", later) - all_of("vitrine_batch_dropped_items_total", started)
    gone = all_of("vitrine_calls_total", later, code="CANCELLED") - all_of(
        "vitrine_calls_total", started, code="CANCELLED"
    )
    title = f"{_LEAVERS} callers leave after {_LEAVE_S * 1e3:.0f} ms"
    told = f"{gone:.0f} calls cancelled, {dropped:.0f} items left before a model, {run:.0f} reached one a second later"
    found.add(title, told, *[""] * (len(COLUMNS) - 2))
    found.hold(not run, f"{run:.0f} items reached a model a second after their callers had left")
    found.hold(gone > 0, "no call was counted as cancelled")


async def _peak(suite: Suite, callers: int, seconds: float) -> float:
    """Answers a second to so many callers, each of whom asks again once it is answered."""
    ends_s, answered = time.monotonic() + seconds, 0

    async def caller() -> None:
        nonlocal answered
        while time.monotonic() < ends_s:
            try:
                await suite.search(_request(next(suite.queries)), timeout=60)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                await asyncio.sleep(_PROBE_S)
            else:
                answered += 1

    begun_s = time.monotonic()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return answered / (time.monotonic() - begun_s)


async def _part(suite: Suite, found: Findings, name: str, rate: float, seconds: float) -> tuple[Load, Answers, Watched]:
    load, answers = Load(), Answers()

    async def search(_number: int) -> tuple[str, ...]:
        begun_s = time.monotonic()
        try:
            answer: SearchResponse = await suite.search(_request(next(suite.queries)), timeout=suite.deadline_s)
        except grpc.aio.AioRpcError as error:
            refusal = error_from_rpc(error)
            if isinstance(refusal, ResourceExhausted):
                answers.refused_s.append(time.monotonic() - begun_s)
                answers.without_delay += refusal.retry_after_s is None
            raise
        answers.degraded += bool(answer.degradations)
        return tuple(map(common_pb2.Degradation.Name, answer.degradations))

    async with watching(suite) as watched, at_rate(rate, search, load):
        await asyncio.sleep(seconds)
    good = [one for one in load.outcomes if not one.fault]
    refused_ms = np.percentile(answers.refused_s, 99) * 1e3 if answers.refused_s else 0.0
    p50_ms = float(np.median([one.took_s for one in good])) * 1e3 if good else 0.0
    found.add(
        name,
        f"{len(load.outcomes) / seconds:,.0f}",
        f"{len(good) / seconds:,.1f}",
        f"{answers.degraded / max(1, len(good)):.0%}",
        f"{len(answers.refused_s):,}",
        f"{refused_ms:.0f}",
        f"{p50_ms:.0f}",
        f"{_p99(good) * 1e3:.0f}",
        f"{max(watched.health_s.values(), default=0.0) * 1e3:.0f}",
        f"{np.percentile(watched.late_s, 99) * 1e3:.0f}" if watched.late_s else "",
        f"{watched.memory[0] / _MIB:,.0f} to {watched.memory[-1] / _MIB:,.0f}",
    )
    return load, answers, watched


@asynccontextmanager
async def watching(suite: Suite) -> AsyncIterator[Watched]:
    """Asks health of every service and reads memory all the time."""
    watched = Watched(memory=[suite.memory()])
    probes = {name: health_pb2_grpc.HealthStub(channel) for name, channel in suite.health.items()}

    async def ask(name: str, probe: Any) -> None:
        while True:
            begun_s = time.monotonic()
            try:
                answer = await probe.Check(health_pb2.HealthCheckRequest(), timeout=_UNWELL_S)
                took_s = time.monotonic() - begun_s
                # Not serving is no answer either.
                took_s = took_s if answer.status == health_pb2.HealthCheckResponse.SERVING else _UNWELL_S
            except grpc.aio.AioRpcError:
                took_s = _UNWELL_S
            watched.health_s[name] = max(took_s, watched.health_s.get(name, 0.0))
            await asyncio.sleep(_PROBE_S)

    async def weigh() -> None:
        while True:
            await asyncio.sleep(1.0)
            watched.memory.append(suite.memory())

    async def be_late() -> None:
        while True:
            due_s = time.monotonic() + _LATE_S
            await asyncio.sleep(_LATE_S)
            watched.late_s.append(time.monotonic() - due_s)

    tasks = [asyncio.create_task(ask(name, probe)) for name, probe in probes.items()]
    tasks += [asyncio.create_task(weigh()), asyncio.create_task(be_late())]
    try:
        yield watched
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _request(query: str) -> SearchRequest:
    return SearchRequest(query=query)


def _p99(outcomes: Sequence[Outcome]) -> float:
    return float(np.percentile([one.took_s for one in outcomes], 99)) if outcomes else 0.0
