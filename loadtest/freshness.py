"""`python -m loadtest.freshness`: how soon a write is seen while searches run, and what writes cost searches.

One process; a folder of `python -m loadtest.index load`. Searches, words and vector, begin at a fixed rate whether or
not those before have ended. First alone; then with products changed one after another, each looked for by its new
words until it is found; then with so many deleted and written that the columns are compacted meanwhile.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from cli.sample.products import Shop
from loadtest.index import DIGEST, MOST
from loadtest.made_vectors import MadeVectors
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from vitrine.deadline import Deadline
from vitrine.ports import RetrievalQuery

_PAGE = 20
_REWRITTEN = 500


def main(
    folder: Annotated[Path, typer.Option(help="Folder of the catalogue.")] = Path("build/index"),
    sample: Annotated[Path, typer.Option(help="File of the embedded sample.")] = Path("build/index-sample.npz"),
    rate: Annotated[float, typer.Option(min=1, help="Searches a second.")] = 200.0,
    duration_s: Annotated[float, typer.Option(min=1, help="Seconds of each part.")] = 15.0,
) -> None:
    """Prints milliseconds of searches in each part, and of the time until a write is seen."""
    shop = Shop(MOST, 1)
    made = MadeVectors.of(shop, sample)

    async def run() -> None:
        engine = await RetrieverEngine.open(RetrieverSettings(data_dir=folder))
        await asyncio.to_thread(engine._keeper.settle)
        count = (await engine.get_index(deadline=Deadline.after(60))).products
        seen: list[float] = []

        async def change(number: int) -> None:
            word = f"fresh{time.time_ns()}"
            product = replace(shop.product(number % count), title=f"{word} thing")
            started = time.perf_counter()
            await engine.upsert_products([product], made.queries[:1], model_digest=DIGEST, deadline=Deadline.after(60))
            while not (
                await engine.retrieve(RetrievalQuery(text=word, depth=1), deadline=Deadline.after(60))
            ).candidates:
                pass
            seen.append((time.perf_counter() - started) * 1_000)
            await asyncio.sleep(0.05)

        async def rewrite(number: int) -> None:
            first = number * _REWRITTEN % (count - _REWRITTEN)
            products = [shop.product(first + place) for place in range(_REWRITTEN)]
            vectors = made.queries[:_REWRITTEN]
            await engine.upsert_products(products, vectors, model_digest=DIGEST, deadline=Deadline.after(60))

        table = Table(title=f"{count:,} products, {rate:g} searches/s")
        for column in ("milliseconds", "p50", "p99", "most", "of"):
            table.add_column(column, justify="right")
        parts: tuple[tuple[str, Callable[[int], Awaitable[None]] | None], ...] = (
            ("search alone", None),
            ("search while products change", change),
            ("search while much is written anew", rewrite),
        )
        for name, work in parts:
            _add(table, name, await _searched(engine, made, rate, duration_s, work))
        _add(table, "until a change is seen", seen)
        Console().print(table)
        await engine.close()

    asyncio.run(run())


async def _searched(
    engine: RetrieverEngine,
    made: MadeVectors,
    rate: float,
    duration_s: float,
    work: Callable[[int], Awaitable[None]] | None,
) -> list[float]:
    """What each search took, from the moment it was due, while `work` is done again and again."""
    times: list[float] = []
    begun = time.perf_counter()

    async def search(place: int, due: float) -> None:
        query = RetrievalQuery(
            text=made.texts[place % len(made.texts)],
            vector=made.queries[place % len(made.queries)],
            model_digest=DIGEST,
            product_limit=_PAGE,
        )
        await engine.retrieve(query, deadline=Deadline.after(60))
        times.append((time.perf_counter() - due) * 1_000)

    async def write() -> None:
        number = 0
        while work is not None and time.perf_counter() - begun < duration_s:
            await work(number)
            number += 1

    writing = asyncio.create_task(write())
    searches = []
    for place in range(int(rate * duration_s)):
        due = begun + place / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        searches.append(asyncio.create_task(search(place, due)))
    await asyncio.gather(writing, *searches)
    return times


def _add(table: Table, name: str, times: list[float]) -> None:
    p50, p99 = np.percentile(times, (50, 99))
    table.add_row(name, f"{p50:.1f}", f"{p99:.1f}", f"{max(times):.1f}", f"{len(times):,}")


if __name__ == "__main__":
    typer.run(main)
