"""`python -m loadtest.soak`: whether memory and latency stay what they are while a catalogue changes for long.

One process; a folder of `python -m loadtest.index load`. Searches begin at a fixed rate, offers change all the time, so
that tombstones are compacted again and again, and products are changed, deleted and restored.
"""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import structlog
import typer
from rich.console import Console

from cli.sample.products import Shop
from loadtest.freshness import Jobs, Writes
from loadtest.index import MOST
from loadtest.made_vectors import MadeVectors
from loadtest.steady_searches import Searched, SteadySearches
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from vitrine.deadline import Deadline
from vitrine.garbage import RARELY_ALL, keep_what_is_there

_MIB = 1 << 20
_PAUSE_S = 1.0

_console = Console()


def main(
    folder: Annotated[Path, typer.Option(help="Folder of the catalogue.")] = Path("build/index"),
    sample: Annotated[Path, typer.Option(help="File of the embedded sample.")] = Path("build/index-sample.npz"),
    minutes: Annotated[int, typer.Option(min=4, help="How long; caches fill in the first half.")] = 30,
    rate: Annotated[float, typer.Option(min=1, help="Searches a second.")] = 100.0,
    changes: Annotated[float, typer.Option(min=0.1, help="Products changed a second.")] = 1.0,
    offers: Annotated[int, typer.Option(min=1, max=1_000, help="Offers changed a second, at once.")] = 100,
) -> None:
    """Prints memory and latency of each minute, and how both grew in the second half."""
    shop = Shop(MOST, 1)
    made = MadeVectors.of(shop, sample)

    async def run() -> None:
        jobs = Jobs()
        structlog.configure(processors=[jobs, *structlog.get_config()["processors"]])
        engine = await RetrieverEngine.open(RetrieverSettings(data_dir=folder))
        keep_what_is_there(RARELY_ALL)
        writes = Writes(engine, shop, made)
        await writes.begin()
        searches = SteadySearches(engine, made, rate)

        async def write() -> None:
            begun = time.perf_counter()
            await asyncio.gather(writes.change(changes, 60), writes.change_offers(offers, _PAUSE_S, begun + 60))

        memory: list[float] = []
        slowest: list[float] = []
        for minute in range(1, minutes + 1):
            searched = await searches.beside(write)
            used = psutil.Process().memory_info()
            memory.append(used.rss / _MIB)
            slowest.append(float(np.percentile(searched.milliseconds, 99)))
            index = await engine.get_index(deadline=Deadline.after(60))
            _console.print(
                f"minute {minute}: {_told(searched)}, RSS {memory[-1]:,.0f} MiB "
                f"(of it files {used.shared / _MIB:,.0f}), {len(jobs.spans)} compactions, "
                f"{index.tombstones:,} tombstones, revision {index.revision:,}",
                soft_wrap=True,
            )
        half = minutes // 2
        _console.print(
            f"in the second half: RSS {_slope(memory[half:]):+.1f} MiB a minute, p99 {_slope(slowest[half:]):+.1f} ms "
            f"a minute (from {slowest[half]:.1f} to {slowest[-1]:.1f} ms)"
        )
        await engine.close()

    asyncio.run(run())


def _told(searched: Searched) -> str:
    p50, p99 = np.percentile(searched.milliseconds, (50, 99))
    cores = searched.processor_s / 60
    lost = f" ({searched.lost} lost)" if searched.lost else ""
    return f"{searched.reached:.0f} searches/s{lost} by {cores:.2f} cores, p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def _slope(values: list[float]) -> float:
    """How much a value grows from one to the next, by least squares."""
    return float(np.polyfit(range(len(values)), values, 1)[0])


if __name__ == "__main__":
    typer.run(main)
