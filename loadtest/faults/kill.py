"""kill -9 of one part after another while products and events are written and searches run."""

import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import grpc.aio

from loadtest.faults.findings import Findings
from loadtest.faults.ledger import Ledger
from loadtest.faults.process import Process
from loadtest.faults.searches import DEADLINE_S, Load, Outcome, at_rate, searching
from loadtest.faults.shop import fill, shop

COLUMNS = ("killed", "times", "searches", "failed", "degraded", "wrong", "writes failed", "events failed", "recovery s")
RECOVERY_S = 5.0
_SHOP = 200
_WRITTEN = 40


@dataclass(slots=True)
class _Cost:
    """What the kills of one kind of part cost."""

    times: int = 0
    searches: list[Outcome] = field(default_factory=list)
    writes_failed: int = 0
    events_failed: int = 0
    recovery_s: float = 0.0


async def kill_each(
    channel: grpc.aio.Channel,
    parts: Iterable[Process],
    found: Findings,
    *,
    rate: float,
    away_s: tuple[float, float],
    watch_s: float = RECOVERY_S + 1,
    deadline_s: float = DEADLINE_S,
) -> None:
    """Kills the parts in their order, each away for a time between `away_s`, and watches until it should be well.

    `rate`: searches a second; half as many events and a fifth as many writes of products go with them. Each part is
    watched for `watch_s` after it is back: from 5 s on nothing may fail or be degraded any more.
    """
    products = shop(_SHOP + _WRITTEN)
    searched, ledger = products[:_SHOP], Ledger(channel, products[_SHOP:], deadline_s)
    await fill(channel, searched)
    writes, events = Load(), Load()
    costs: dict[str, _Cost] = defaultdict(_Cost)
    async with AsyncExitStack() as stack:
        searches = await stack.enter_async_context(searching(channel, searched, rate, deadline_s))
        await stack.enter_async_context(at_rate(rate / 5, ledger.write_product, writes))
        await stack.enter_async_context(at_rate(rate / 2, ledger.write_event, events))
        await asyncio.sleep(watch_s)
        for part in parts:
            begun_s = time.monotonic()
            await part.kill()
            await asyncio.sleep(random.uniform(*away_s))
            await part.start()
            back_s = time.monotonic()
            await asyncio.sleep(watch_s)
            end_s = time.monotonic()
            for load in (searches, writes, events):
                await load.settled()
            cost = costs[part.name.partition(" ")[0]]
            cost.times += 1
            cost.searches += searches.since(begun_s, end_s)
            cost.writes_failed += sum(bool(one.fault) for one in writes.since(begun_s, end_s))
            cost.events_failed += sum(bool(one.fault) for one in events.since(begun_s, end_s))
            watched = [one for load in (searches, writes, events) for one in load.since(back_s, end_s)]
            bad = [one for one in watched if one.fault or one.degraded]
            well_s = max((one.due_s - back_s for one in bad), default=0.0)
            cost.recovery_s = max(cost.recovery_s, well_s)
            last = max(bad, key=lambda one: one.due_s, default=None)
            found.hold(well_s <= RECOVERY_S, f"{part.name} was back for {well_s:.1f} s, and still: {last}")
    for name, cost in costs.items():
        _add(found, name, cost)
    found.hold(ledger.products_acknowledged > 0, "no write was acknowledged")
    found.hold(ledger.events_acknowledged > 0, "no event was acknowledged")
    for lost in await ledger.lost():
        found.hold(False, lost)
    told = f"{ledger.products_acknowledged:,} writes and {ledger.events_acknowledged:,} events acknowledged"
    found.add(told, *[""] * (len(COLUMNS) - 2), f"{len(found.missed)} missed")


def _add(found: Findings, name: str, cost: _Cost) -> None:
    wrong = [one for one in cost.searches if one.wrong]
    failed = [one for one in cost.searches if one.fault and not one.wrong]
    degraded = [one for one in cost.searches if one.degraded]
    names = ", ".join(sorted({name.removeprefix("DEGRADATION_") for one in degraded for name in one.degraded}))
    found.add(
        *(name, str(cost.times), f"{len(cost.searches):,}", str(len(failed)), f"{len(degraded)} {names}".strip()),
        *(str(len(wrong)), str(cost.writes_failed), str(cost.events_failed), f"{cost.recovery_s:.1f}"),
    )
    for fault in sorted({one.fault for one in failed})[:3]:
        print(f"killing {name}: {fault}", file=sys.stderr)
    found.hold(not wrong, f"killing {name}: {wrong[0].fault if wrong else ''}")
