"""`python -m loadtest.events`: events a second into `vitrine up`, beside searches too, and raw XADD in the same run."""

import asyncio
import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated

import psutil
import redis.asyncio
import typer

from cli.up.local_redis import LocalRedis, events_redis
from cli.up.ports import free_port
from cli.up.settings import UpSettings
from cli.up.supervisor import Supervisor
from gateway.events.record import packed_event
from gateway.events.settings import EventsSettings
from loadtest.mixes import popular_queries
from vitrine.client import Client
from vitrine.messages.user_event import event_from_message
from vitrine.user_event import checked_event
from vitrine.v1 import (
    search_service_pb2,
    search_service_pb2_grpc,
    user_event_pb2,
    user_event_service_pb2,
    user_event_service_pb2_grpc,
)

_UP = "Vitrine is up"
_VISITORS, _PRODUCTS = 5_000, 2_000


@dataclass
class Stage:
    """What one stage did in `took_s`; processor seconds by process."""

    events: int = 0
    took_s: float = 0.0
    cpu_s: dict[str, float] = field(default_factory=dict)
    searches_s: list[float] = field(default_factory=list)

    def said(self) -> str:
        """One line for people."""
        cpu = ", ".join(f"{name} {used / max(self.events, 1) * 1e6:.0f}" for name, used in self.cpu_s.items())
        searched = (
            f"; {len(self.searches_s)} searches, p50 {median(self.searches_s) * 1e3:.0f} ms" if self.searches_s else ""
        )
        return f"{self.events / self.took_s:>8,.0f} events/s; processor µs an event: {cpu}{searched}"


def main(
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of each stage.")] = 10.0,
    batch: Annotated[int, typer.Option(min=1, max=500, help="Events in one call.")] = 100,
    writers: Annotated[int, typer.Option(min=1, help="Calls at a time.")] = 4,
    searchers: Annotated[int, typer.Option(min=0, help="Searches at a time, in the stage that has them.")] = 1,
    folder: Annotated[
        Path | None, typer.Option(help="Where the store lies; its disk counts. [default: a new one]")
    ] = None,
) -> None:
    """Measure raw XADD, WriteUserEvents, and WriteUserEvents beside searches, on one store with appendfsync always."""
    asyncio.run(
        _measure(seconds, batch, writers, searchers, folder or Path(tempfile.mkdtemp(prefix="vitrine-events-")))
    )


async def _measure(seconds: float, batch: int, writers: int, searchers: int, folder: Path) -> None:
    async with AsyncExitStack() as stack:
        supervisor = Supervisor(UpSettings(), typer.echo)
        stack.push_async_callback(supervisor.stop)
        server = events_redis(EventsSettings(data_dir=folder / "events"))
        await server.start(supervisor)
        store_id = supervisor.process_id("events")
        assert store_id is not None
        target, gateway_id = await _started(stack, folder, server)
        channel = (await stack.enter_async_context(Client(target))).channel
        write = user_event_service_pb2_grpc.UserEventServiceStub(channel).WriteUserEvents
        search = search_service_pb2_grpc.SearchServiceStub(channel).Search
        client = await stack.enter_async_context(redis.asyncio.from_url(server.url))
        numbers, queries = itertools.count(), itertools.cycle(popular_queries(1_000, seed=1))

        async def xadd() -> int:
            now = _request(next(numbers), batch)
            pipeline = client.pipeline(transaction=False)
            for event in now.events:
                event.event_time.GetCurrentTime()
                data = event_from_message(event)
                assert data.event_time is not None
                pipeline.xadd("raw", {"e": packed_event(checked_event(data, data.event_time))})
            await pipeline.execute()
            return batch

        async def written() -> int:
            answer = await write(_request(next(numbers), batch), timeout=60)
            return sum(outcome.status.code == 0 for outcome in answer.outcomes)

        async def searched() -> None:
            await search(search_service_pb2.SearchRequest(query=next(queries)), timeout=60)

        processes = {"here": os.getpid(), "gateway": gateway_id, "store": store_id}
        raw = await _stage(seconds, xadd, writers, None, 0, processes)
        typer.echo(f"raw XADD         {raw.said()}")
        alone = await _stage(seconds, written, writers, None, 0, processes)
        typer.echo(f"WriteUserEvents  {alone.said()}")
        beside = await _stage(seconds, written, writers, searched, searchers, processes)
        typer.echo(f"while searching  {beside.said()}")
        ratio = (alone.events / alone.took_s) / (raw.events / raw.took_s)
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        typer.echo(f"WriteUserEvents / raw XADD {ratio:.2f}; batch {batch}, {writers} writers, load {load}")


async def _stage(
    seconds: float,
    work: Callable[[], Awaitable[int]],
    writers: int,
    search: Callable[[], Awaitable[None]] | None,
    searchers: int,
    processes: dict[str, int],
) -> Stage:
    stage, ends_at_s = Stage(), time.monotonic() + seconds
    before = {name: sum(psutil.Process(number).cpu_times()[:2]) for name, number in processes.items()}
    began_at_s = time.monotonic()

    async def write() -> None:
        while time.monotonic() < ends_at_s:
            stage.events += await work()

    async def look() -> None:
        assert search is not None
        while time.monotonic() < ends_at_s:
            asked_at_s = time.monotonic()
            await search()
            stage.searches_s.append(time.monotonic() - asked_at_s)

    await asyncio.gather(*(write() for _ in range(writers)), *(look() for _ in range(searchers)))
    stage.took_s = time.monotonic() - began_at_s
    stage.cpu_s = {
        name: sum(psutil.Process(number).cpu_times()[:2]) - before[name] for name, number in processes.items()
    }
    return stage


def _request(number: int, batch: int) -> user_event_service_pb2.WriteUserEventsRequest:
    first = number * batch
    return user_event_service_pb2.WriteUserEventsRequest(
        events=[
            user_event_pb2.UserEvent(
                event_id=f"{os.getpid()}-{event}",
                event_type=user_event_pb2.EVENT_TYPE_VIEW_ITEM,
                visitor_id=f"visitor-{event * 7919 % _VISITORS}",
                session_id=f"session-{event // 10}",
                products=[user_event_pb2.EventProduct(product_id=f"P{event * 104729 % _PRODUCTS:07}", position=1)],
                placement="search",
            )
            for event in range(first, first + batch)
        ]
    )


async def _started(stack: AsyncExitStack, folder: Path, server: LocalRedis) -> tuple[str, int]:
    """A `vitrine up` in one process over that store, with a small shop; its target and process id."""
    port = free_port()
    environment = {
        **os.environ,
        "VITRINE_EVENTS_REDIS_URL": server.url,
        "VITRINE_GATEWAY_PORT": str(port),
        "VITRINE_GATEWAY_HTTP_PORT": str(free_port()),
        "VITRINE_RETRIEVER_DATA_DIR": str(folder / "data"),
        "VITRINE_UP_CACHE_DIR": str(folder / "cache"),
        "VITRINE_UP_SAMPLE_PRODUCTS": "200",
        "PYTHONUNBUFFERED": "1",
    }
    up = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "up"), env=environment, stdout=asyncio.subprocess.PIPE
    )

    async def stop() -> None:
        up.send_signal(signal.SIGTERM)
        await up.wait()

    stack.push_async_callback(stop)
    assert up.stdout is not None
    while line := await up.stdout.readline():
        if _UP in line.decode():
            return f"127.0.0.1:{port}", up.pid
    raise typer.Exit(2)


if __name__ == "__main__":
    typer.run(main)
