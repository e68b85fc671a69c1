"""Replicas that are restarted, join, fail at once or hang, while searches go on at a fixed rate."""

import asyncio
import time
from collections.abc import Sequence

from loadtest.faults.findings import Findings, kinds, told
from loadtest.faults.searches import DEADLINE_S, Load
from loadtest.faults.shares import seconds_until_shared, shares
from loadtest.faults.suite import SERVICES, Suite

COLUMNS = ("what", "searches", "failed", "degraded", "slowest ms", "found")
_UNEVEN = 0.05
_JOINED_S = 30.0
# It is tried again now and then, as it may be well.
_STILL = 0.05
# A replica is ejected at the end of an interval of 2 s in which it failed; the one in which it began does not count.
_EJECTED_S = 4.5
# What is waited for one replica: a gateway's clients wait as long as they said they would.
_WAITS_S = {"embedder": 1.0, "ranker": 1.0, "retriever": 0.5, "gateway": DEADLINE_S}
_WITHOUT = {"DEGRADATION_LEXICAL_ONLY", "DEGRADATION_NOT_RANKED"}


async def restart_each(suite: Suite, load: Load, found: Findings, replicas: int = 2, window_s: float = 2.0) -> None:
    """Stops and starts so many replicas of every service, the next once the one before has its share of calls again.

    That is what `minReadySeconds` is for where Kubernetes does it.
    """
    for service in SERVICES:
        for number, replica in enumerate(suite.services[service].replicas[:replicas]):
            begun_s = time.monotonic()
            status = await replica.stop()
            stopped_s = time.monotonic() - begun_s
            started_s = await replica.start()
            shared_s = await seconds_until_shared(suite, service, number, window_s)
            await load.settled()
            outcomes = load.since(begun_s)
            says = f"stopped in {stopped_s:.1f} s, serving after {started_s:.1f} s, its share after {shared_s:.0f} s"
            found.add(f"restart {replica.name}", *told(outcomes), says)
            found.hold(status == 0, f"{replica.name} ended with status {status}")
            found.hold(not load.faults(begun_s), f"restart {replica.name}: {kinds(outcomes)}")
            found.hold(shared_s <= _JOINED_S, f"{replica.name} had its share after {shared_s:.0f} s")


async def share_alike(suite: Suite, load: Load, found: Findings, window_s: float) -> None:
    """How evenly the replicas of each service are called."""
    begun_s = time.monotonic()
    each = await asyncio.gather(*(shares(suite, service, window_s) for service in SERVICES))
    for service, got in zip(SERVICES, each, strict=True):
        uneven = max(abs(one - 1) for one in got)
        found.add(f"share of {service}", *told(load.since(begun_s)), f"within {uneven:.1%} of equal")
        found.hold(uneven <= _UNEVEN, f"replicas of {service} get {', '.join(f'{one:.2f}' for one in got)}")


async def join_each(suite: Suite, load: Load, found: Findings, services: Sequence[str] = SERVICES) -> None:
    """Adds a replica to every service, and takes it away once it has its share."""
    for service in services:
        replica = suite.add_replica(service)
        begun_s = time.monotonic()
        await replica.start()
        shared_s = await seconds_until_shared(suite, service, len(suite.services[service].replicas) - 1)
        await replica.stop()
        suite.services[service].replicas.remove(replica)
        await load.settled()
        outcomes = load.since(begun_s)
        found.add(f"add {replica.name}", *told(outcomes), f"its share after {shared_s:.0f} s")
        found.hold(shared_s <= _JOINED_S, f"{replica.name} had its share after {shared_s:.0f} s")
        found.hold(not load.faults(begun_s), f"add {replica.name}: {kinds(outcomes)}")


async def fail_at_once(
    suite: Suite,
    load: Load,
    found: Findings,
    watch_s: float,
    services: Sequence[str] = ("embedder", "ranker", "retriever"),
) -> None:
    """Adds a replica that says it serves and fails every call, which is found and then left alone."""
    for service in services:
        begun_s = time.monotonic()
        replica = suite.add_replica(service, "loadtest.faults.broken_service")
        await replica.start()
        # Clients find it when their connections are renewed.
        await asyncio.sleep(_JOINED_S)
        await asyncio.sleep(watch_s)
        await load.settled()
        outcomes = load.since(begun_s)
        hit = sum(bool(one.fault or _WITHOUT & set(one.degraded)) for one in load.since(begun_s + _JOINED_S))
        await replica.kill()
        suite.services[service].replicas.remove(replica)
        found.add(f"{service} 3 fails at once", *told(outcomes), f"met by {hit} of those after {_JOINED_S:.0f} s")
        found.hold(not load.faults(begun_s), f"{service} fails at once: {kinds(outcomes)}")
        found.hold(hit <= len(outcomes) * _STILL, f"{service} that fails at once was still met by {hit} searches")


async def hang_each(
    suite: Suite, load: Load, found: Findings, watch_s: float, services: Sequence[str] = SERVICES
) -> None:
    """Has one replica of every service stand still: who was sent to it before it was found out waits once."""
    for service in services:
        replica = suite.services[service].replicas[0]
        begun_s = time.monotonic()
        replica.hang()
        await asyncio.sleep(watch_s)
        replica.go_on()
        wait_s = _WAITS_S[service]
        await asyncio.sleep(DEADLINE_S)
        outcomes = load.since(begun_s, begun_s + watch_s)
        hit = [one for one in outcomes if one.fault or one.took_s >= wait_s * 0.9 or _WITHOUT & set(one.degraded)]
        last_s = max((one.due_s for one in hit), default=begun_s) - begun_s
        says = f"{len(hit)} met it, the last after {last_s:.1f} s"
        found.add(f"hang {replica.name}", *told(outcomes), says)
        found.hold(last_s <= wait_s + _EJECTED_S, f"{replica.name} that hangs was met after {last_s:.1f} s")
        if service != "gateway":
            found.hold(not load.faults(begun_s), f"hang {replica.name}: {kinds(outcomes)}")
        await seconds_until_shared(suite, service, 0)
