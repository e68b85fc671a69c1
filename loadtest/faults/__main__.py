"""`python -m loadtest.faults`: real processes under load while parts of them fail; exits 1 naming what missed."""

import asyncio
import os
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from loadtest.faults import broken_redis, one_suite
from loadtest.faults import overload as overloading
from loadtest.faults import rolling as steps
from loadtest.faults import soak as soaking
from loadtest.faults.findings import Findings
from loadtest.faults.kill import COLUMNS, kill_each
from loadtest.faults.process import Process
from loadtest.faults.searches import searching
from loadtest.faults.shop import fill, shop
from loadtest.faults.suite import Suite, running

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)

_SETTLE_S = 10.0
_ROLLING = ("restart", "share", "join", "fail", "hang")

Work = Callable[[Suite, Findings], Awaitable[None]]


@app.callback()
def main() -> None:
    """Faults on purpose, and what they cost."""


@app.command()
def rolling(
    rate: Annotated[float, typer.Option(min=1, help="Searches a second.")] = 20.0,
    only: Annotated[str, typer.Option(help="Of restart, share, join, fail and hang, with commas; empty: all.")] = "",
) -> None:
    """Two replicas of each service are restarted, joined by a third, by one that fails at once, and hang."""
    named = only.split(",") if only else list(_ROLLING)
    if unknown := [name for name in named if name not in _ROLLING]:
        raise typer.BadParameter(f"{unknown[0]!r} is no step; choose from {', '.join(_ROLLING)}", param_hint="--only")

    async def work(suite: Suite, found: Findings) -> None:
        products = shop(200)
        async with suite.gateway() as channel:
            await fill(channel, products)
            async with searching(channel, products, rate) as load:
                await asyncio.sleep(_SETTLE_S)
                if "restart" in named:
                    await steps.restart_each(suite, load, found)
                if "share" in named:
                    await steps.share_alike(suite, load, found, 2 * _SETTLE_S)
                if "join" in named:
                    await steps.join_each(suite, load, found)
                if "fail" in named:
                    await steps.fail_at_once(suite, load, found, 3 * _SETTLE_S)
                if "hang" in named:
                    await steps.hang_each(suite, load, found, 2 * _SETTLE_S)

    _run(f"{rate:g} searches a second, two replicas of each service", Findings(steps.COLUMNS), work)


@app.command("redis")
def redis(
    rate: Annotated[float, typer.Option(min=1, help="Searches a second.")] = 30.0,
    seconds: Annotated[float, typer.Option(min=2, help="How long each fault lasts.")] = 20.0,
) -> None:
    """Redis is slow, gone, full, flushed and answers garbage, each for a while."""
    found = Findings(broken_redis.COLUMNS)
    run = one_suite.broken_redis_found(_folder(), found, rate=rate, seconds=seconds)
    _tell(f"{rate:g} searches a second, {seconds:g} s a fault", run, found)


@app.command()
def overload(
    factor: Annotated[float, typer.Option(min=1, help="Times the peak.")] = 5.0,
    seconds: Annotated[float, typer.Option(min=2, help="How long.")] = 120.0,
    calm: Annotated[float, typer.Option(min=1, help="Seconds of each part before and after it.")] = 10.0,
) -> None:
    """More searches than can be answered, and callers who leave."""
    found = Findings(overloading.COLUMNS)
    run = one_suite.overload_found(_folder(), found, factor=factor, seconds=seconds, calm_s=calm)
    _tell(f"{factor:g} times the peak for {seconds:g} s", run, found)


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long, after warm-up.")] = 30.0,
    warm_up: Annotated[float, typer.Option(min=0, help="Minutes of the same calls before.")] = 25.0,
    share: Annotated[float, typer.Option(min=0.05, max=1, help="Of the capacity, which is found first.")] = 0.7,
    rate: Annotated[float | None, typer.Option(min=1, help="Calls a second, instead.")] = None,
) -> None:
    """Searches, recommendations, events and upserts for long: memory, open files and latency stay."""
    memory, calls = Findings(soaking.COLUMNS), Findings(soaking.KINDS)
    run = one_suite.soak_found(_folder(), memory, calls, minutes=minutes, warm_up=warm_up, share=share, rate=rate)
    at = f"{share:.0%} of the capacity" if rate is None else f"{rate:g} calls a second"
    _tell(f"{minutes:g} minutes at {at}, after {warm_up:g} of warm-up", run, memory, calls)


@app.command()
def kill(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long.")] = 10.0,
    rate: Annotated[float, typer.Option(min=1, help="Searches a second.")] = 15.0,
    seed: Annotated[int | None, typer.Option(help="Draw of the parts; drawn when not given.")] = None,
) -> None:
    """Parts drawn at random are killed by kill -9 while products and events are written and searches run."""
    seed = secrets.randbits(32) if seed is None else seed
    random.seed(seed)

    def drawn(suite: Suite) -> Iterator[Process]:
        ends_s = time.monotonic() + minutes * 60
        while time.monotonic() < ends_s:
            yield random.choice(suite.parts)

    async def work(suite: Suite, found: Findings) -> None:
        async with suite.gateway() as channel:
            await kill_each(channel, drawn(suite), found, rate=rate, away_s=(0.5, 3.0))

    _run(f"kill -9 for {minutes:g} minutes, two replicas of each service, seed {seed}", Findings(COLUMNS), work)


def _run(title: str, found: Findings, work: Work) -> None:
    """Runs a suite for the work; prints what was found, and exits 1 when a limit was missed."""

    async def run() -> None:
        async with running(_folder(), 2, postgres=True) as suite:
            await work(suite, found)

    _tell(title, run(), found)


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="faults"))
    print(f"logs are in {folder}", file=sys.stderr)
    return folder


def _tell(title: str, run: Coroutine[Any, Any, None], *tables: Findings) -> None:
    """Prints what `run` finds, and exits 1 when a limit was missed."""
    asyncio.run(run)
    print(f"{title}, {os.cpu_count()} cores\n")
    print("\n\n".join(found.markdown() for found in tables))
    missed = [one for found in tables for one in found.missed]
    for one in missed:
        print(f"missed: {one}", file=sys.stderr)
    if missed:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
