"""`python -m loadtest.compaction`: what searches cost while tombstones are compacted, and what they cost just before.

One process; a folder of `python -m loadtest.index load`, which is changed: use a copy. Searches, words and vector,
begin at a fixed rate. In each turn tombstones are made, searches run for a while after one more offer was changed, and
then while tombstones are compacted, which the next offer makes due; so that, and whatever else the machine does, is in
both. Exits 1 where the p99 rises by more than `--most`.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import numpy as np
import structlog
import typer
from numpy.typing import NDArray
from rich.console import Console

from cli.sample.products import Shop
from loadtest.freshness import Jobs, Writes
from loadtest.index import MOST
from loadtest.made_vectors import MadeVectors
from loadtest.steady_searches import SteadySearches
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from vitrine.garbage import RARELY_ALL, keep_what_is_there

# Turns that are drawn anew to say how sure the ratio is.
_DRAWS = 2_000
_SHARE = 0.9

_console = Console()
Times = NDArray[np.float64]


def main(
    folder: Annotated[Path, typer.Option(help="Folder of the catalogue.")] = Path("build/index"),
    sample: Annotated[Path, typer.Option(help="File of the embedded sample.")] = Path("build/index-sample.npz"),
    rate: Annotated[float, typer.Option(min=1, help="Searches a second.")] = 60.0,
    turns: Annotated[int, typer.Option(min=2, help="How often tombstones are compacted.")] = 40,
    alone_s: Annotated[float, typer.Option(min=0.5, help="Seconds of searches alone in each turn.")] = 3.0,
    most: Annotated[float, typer.Option(min=0.0, help="Share by which p99 may rise.")] = 0.1,
) -> None:
    """Prints a table of both, and the ratio of their p99 with the interval that 90 % of draws of the turns lie in."""
    shop = Shop(MOST, 1)
    made = MadeVectors.of(shop, sample)
    jobs = Jobs()

    async def run() -> tuple[list[Times], list[Times], bool, int]:
        structlog.configure(processors=[jobs, *structlog.get_config()["processors"]])
        engine = await RetrieverEngine.open(RetrieverSettings(data_dir=folder))
        await asyncio.to_thread(engine._keeper.settle)
        keep_what_is_there(RARELY_ALL)
        writes = Writes(engine, shop, made)
        await writes.begin()
        searches = SteadySearches(engine, made, rate)
        await searches.during(len(made.texts) / rate)
        alone, beside, held = [], [], True
        for _ in range(turns):
            await writes.leave_tombstones(2)
            # What leaving them has changed is read again.
            await searches.during(1.0)
            # The write that makes compaction due is in both.
            before = await searches.beside(lambda: writes.change_one_offer(alone_s))
            while_compacting = await searches.beside(lambda: writes.compact(jobs))
            alone.append(np.array(before.milliseconds))
            beside.append(np.array(while_compacting.within(*jobs.spans[-1])))
            held = held and before.held and while_compacting.held
        await engine.close()
        return alone, beside, held, writes.products

    alone, beside, held, products = asyncio.run(run())
    ratio, low, high = ratio_of_p99(alone, beside)
    _console.print(f"{products:,} products, {rate:g} searches/s, {turns} compactions of {jobs.dead[-1]:,} tombstones,")
    _console.print(f"{np.median(jobs.took_s):.2f} s each\n")
    print("| search | p50 ms | p99 ms | most | of |\n|---|---|---|---|---|")
    for name, times in (("alone", np.concatenate(alone)), ("while tombstones are compacted", np.concatenate(beside))):
        p50, p99 = np.percentile(times, (50, 99))
        print(f"| {name} | {p50:.1f} | {p99:.1f} | {times.max():.1f} | {len(times):,} |")
    print(f"\np99 beside compaction is {ratio:.2f} of that alone ({low:.2f} to {high:.2f}); at most {1 + most:.2f}.")
    if not held:
        print(f"MISSED: {rate:g} searches a second were not answered throughout, so this machine says nothing of them.")
    if ratio > 1 + most:
        print(f"MISSED: p99 rises by {ratio - 1:.0%}, more than {most:.0%}.")
    if not held or ratio > 1 + most:
        raise typer.Exit(1)


def ratio_of_p99(alone: list[Times], beside: list[Times]) -> tuple[float, float, float]:
    """p99 of all turns beside over that of all turns alone, and the interval of 90 % of the same of drawn turns."""
    random = np.random.default_rng(1)

    def ratio(turns: NDArray[np.int64]) -> float:
        p99s = [np.percentile(np.concatenate([times[turn] for turn in turns]), 99) for times in (beside, alone)]
        return float(p99s[0] / p99s[1])

    drawn = [ratio(random.integers(len(alone), size=len(alone))) for _ in range(_DRAWS)]
    low, high = np.percentile(drawn, (50 * (1 - _SHARE), 50 * (1 + _SHARE)))
    return ratio(np.arange(len(alone))), float(low), float(high)


if __name__ == "__main__":
    typer.run(main)
