"""What a soak finds: the slope that outliers do not move, and a run of all kinds of calls."""

import asyncio
import os
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc.aio import Metadata

from gateway.events.settings import EventsSettings
from loadtest.faults.findings import Findings
from loadtest.faults.searches import Load, Outcome
from loadtest.faults.soak import (
    COLUMNS,
    KINDS,
    Mix,
    Watched,
    capacity,
    crowd,
    robust_slope,
    soak,
    tell_calls,
    tell_processes,
)
from tests.gateway.conftest import sample_products
from vitrine.v1.user_event_service_pb2 import ListUserEventsRequest
from vitrine.v1.user_event_service_pb2_grpc import UserEventServiceStub

_MIB = 1 << 20


def test_a_slope_is_that_of_most_points() -> None:
    at = [float(second) for second in range(100)]
    values = [5.0 + 0.25 * second for second in at]
    values[10], values[60], values[99] = 900.0, -900.0, 4_000.0
    assert abs(robust_slope(at, values) - 0.25) < 0.01
    assert robust_slope([1.0], [2.0]) == 0.0


def test_27_29_a_process_that_grows_is_named() -> None:
    """grpc#36986, grpc#22123"""
    at = [5.0 * number for number in range(360)]
    flat = Watched(at, [300 * _MIB + (number % 7) * 4_096 for number in range(360)], [40] * 360)
    # 2 MiB an hour.
    leaks = Watched(at, [300 * _MIB + int(second * 2 * _MIB / 3_600) for second in at], [40] * 360)
    opens = Watched(at, [300 * _MIB] * 360, [40 + number // 10 for number in range(360)])
    found = Findings(COLUMNS)
    tell_processes({"flat": flat, "leaks": leaks, "opens": opens}, 600.0, found)
    assert [row[0] for row in found.rows] == ["flat", "leaks", "opens"]
    assert [one.split()[:3] for one in found.missed] == [["memory", "of", "leaks"], ["opens", "has", "18"]]


def test_102_latency_that_grows_and_calls_that_fail_are_named() -> None:
    """faiss#3020"""
    load = Load([Outcome(float(second), 0.02 if second < 60 else 0.2) for second in range(90)])
    load.outcomes.append(Outcome(50.0, 0.01, fault="UNAVAILABLE: away"))
    found = Findings(KINDS)
    tell_calls("cold search", load, 0.0, 90.0, found)
    assert found.missed == [
        "1 of cold search failed: UNAVAILABLE: away",
        "p99 of cold search went from 20 to 200 ms",
    ]


async def test_all_kinds_of_calls_run(
    open_shop: Any, start_server: Any, channel_to: Any, events_settings: EventsSettings
) -> None:
    shop = await open_shop(own_catalogue=True, events=events_settings, max_searches=10_000)
    server = await start_server(shop.gateway.add_to, self_test=shop.gateway.self_test)
    mix = Mix(channel_to(server.port), sample_products(), 1, cold=500, timeout_s=600)
    await mix.fill_lists()
    events = UserEventServiceStub(channel_to(server.port))
    kept = await events.ListUserEvents(ListUserEventsRequest(page_size=1_000))
    seen = {one.product_id for event in kept.events for one in event.products}
    assert seen == {product.id for product in sample_products()}
    assert await capacity(mix, 0.1, (1, 2)) > 0
    memory, calls = Findings(COLUMNS), Findings(KINDS)
    await soak(mix, {"here": os.getpid()}, 10.0, seconds=1.0, warm_up_s=0.1, memory=memory, calls=calls)
    await mix.purge()
    assert [row[0] for row in memory.rows] == ["here"]
    assert len(calls.rows) == 5
    assert not [one for one in calls.missed if "failed" in one]


async def test_answers_that_are_short_of_something_are_no_capacity() -> None:
    class Shedding(Mix):
        whole = short = 0

        def __init__(self) -> None:
            """Asks nobody."""

        async def one(self, kind: str) -> tuple[str, ...]:
            await asyncio.sleep(0.001)
            if kind == "hot search":
                self.short += 1
                return ("DEGRADATION_RANK_DEPTH_REDUCED",)
            self.whole += 1
            return ()

    mix = Shedding()
    found = await capacity(mix, 0.2, (1,))
    # The step takes 0.2 s at least.
    assert 0 < found <= mix.whole / 0.2
    assert mix.short > 0


async def test_a_crowd_asks_on_when_refused_and_tells_of_what_is_no_refusal() -> None:
    class Refusing(Mix):
        asked = at_once = most = 0

        def __init__(self, code: grpc.StatusCode) -> None:
            self.code = code

        async def one(self, kind: str) -> tuple[str, ...]:
            self.asked += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            await asyncio.sleep(0.01)
            self.at_once -= 1
            if kind == "cold search":
                raise grpc.aio.AioRpcError(self.code, Metadata(), Metadata(), "", "")
            return ()

    full = Refusing(grpc.StatusCode.RESOURCE_EXHAUSTED)
    await crowd(full, 0.5)
    assert full.asked > full.most == 64
    with pytest.raises(grpc.aio.AioRpcError):
        await crowd(Refusing(grpc.StatusCode.INTERNAL), 0.3)


async def test_a_purge_that_fails_is_named_and_loses_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mixed(Mix):
        def __init__(self) -> None:
            pass

        async def one(self, kind: str) -> tuple[str, ...]:
            return ()

        async def purge(self) -> None:
            raise grpc.aio.AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, Metadata(), Metadata(), "too late", "")

    monkeypatch.setattr("loadtest.faults.soak._PURGE_S", 0.01)
    memory, calls = Findings(COLUMNS), Findings(KINDS)
    await soak(Mixed(), {"here": os.getpid()}, 50.0, seconds=0.5, warm_up_s=0.1, memory=memory, calls=calls)
    assert len(calls.rows) == 5
    assert any("purges of events failed: DEADLINE_EXCEEDED: too late" in one for one in calls.missed)
