"""`python -m loadtest.freshness`: how soon a write is seen while searches run, and what writes cost searches.

One process; a folder of `python -m loadtest.index load`. Searches, words and vector, begin at a fixed rate: first
alone, then while products are changed and deleted one after another, each looked for by its new words until it is
found and until it is gone, then while tombstones are compacted.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import structlog
import typer
from rich.console import Console
from rich.table import Table

from cli.sample.products import Shop
from loadtest.index import DIGEST, MOST
from loadtest.made_vectors import MadeVectors
from loadtest.steady_searches import Searched, SteadySearches
from services.retriever import index_keeper
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from vitrine.deadline import Deadline
from vitrine.errors import ResourceExhausted
from vitrine.garbage import RARELY_ALL, keep_what_is_there
from vitrine.offer import Offer
from vitrine.ports import RetrievalQuery

_OFFERS = 500
_BESIDE_S = 0.5
# Between two looks for a change: each is a search, beside those of the rate.
_LOOK_S = 0.01
# Until a change is found, at p99.
_MOST_MS = 1_000

_console = Console()


def main(
    folder: Annotated[Path, typer.Option(help="Folder of the catalogue.")] = Path("build/index"),
    sample: Annotated[Path, typer.Option(help="File of the embedded sample.")] = Path("build/index-sample.npz"),
    rate: Annotated[float, typer.Option(min=1, help="Searches a second.")] = 200.0,
    duration_s: Annotated[float, typer.Option(min=1, help="Seconds of each part.")] = 15.0,
    changes: Annotated[float, typer.Option(min=0.1, help="Changes a second, each of which is deleted again.")] = 5.0,
    compactions: Annotated[int, typer.Option(min=0, help="How often tombstones are compacted.")] = 3,
) -> None:
    """Prints milliseconds of searches and of the time until a write is seen; exits 1 where a limit was missed."""
    shop = Shop(MOST, 1)
    made = MadeVectors.of(shop, sample)

    async def run() -> list[str]:
        jobs = Jobs()
        structlog.configure(processors=[jobs, *structlog.get_config()["processors"]])
        engine = await RetrieverEngine.open(RetrieverSettings(data_dir=folder))
        await asyncio.to_thread(engine._keeper.settle)
        keep_what_is_there(RARELY_ALL)
        writes = Writes(engine, shop, made)
        await writes.begin()
        searches = SteadySearches(engine, made, rate)
        # What is asked for is in memory after all queries have been asked once.
        warm_s = len(made.texts) / rate
        await searches.during(warm_s)
        table = _table(f"{writes.products:,} products, {rate:g} searches/s asked for")
        _add(table, "search alone", await searches.during(duration_s))
        changing = await searches.beside(lambda: writes.change(changes, duration_s))
        _add(table, "search while products change", changing)
        while len(jobs.spans) < compactions:
            await writes.leave_tombstones()
            await searches.during(warm_s)
            searched = await searches.beside(lambda: writes.compact(jobs))
            _add(table, "search while tombstones are compacted", searched, jobs.spans[-1])
        for name, times in (("until a change is found", writes.found), ("until a deleted one is gone", writes.gone)):
            p50, p99 = np.percentile(times, (50, 99))
            table.add_row(name, "", "", f"{p50:.1f}", f"{p99:.1f}", f"{max(times):.1f}", f"{len(times):,}")
        _console.print(table)
        for took_s, dead in zip(jobs.took_s, jobs.dead, strict=True):
            _console.print(f"compacted {dead:,} tombstones in {took_s:.2f} s")
        await engine.close()
        return list(_missed(changing, writes.found))

    missed = asyncio.run(run())
    for what in missed:
        _console.print(f"MISSED: {what}")
    if missed:
        raise typer.Exit(1)


def _missed(changing: Searched, found: Sequence[float]) -> Iterator[str]:
    if not changing.held:
        yield f"{changing.rate:g} searches a second while products change: {changing.reached:.0f}, {changing.lost} lost"
    if (p99 := float(np.percentile(found, 99))) > _MOST_MS:
        yield f"a change is found after {p99:,.0f} ms at p99, more than {_MOST_MS:,}"


class Writes:
    """Changes, deletes and tombstones in the catalogue that is searched; what they took, in milliseconds."""

    def __init__(self, engine: RetrieverEngine, shop: Shop, made: MadeVectors) -> None:
        self._engine = engine
        self._shop = shop
        self._made = made
        self._number = 0
        self._price = 0
        self.products = 0
        self.found: list[float] = []
        self.gone: list[float] = []

    async def begin(self) -> None:
        """Counts the products."""
        self.products = (await self._engine.get_index(deadline=_deadline())).products

    async def change(self, rate: float, duration_s: float) -> None:
        """Changes, deletes and restores products one after another, at most so many a second."""
        begun = time.perf_counter()
        for place in range(int(rate * duration_s)):
            await asyncio.sleep(max(0.0, begun + place / rate - time.perf_counter()))
            await self._change()
            if time.perf_counter() - begun > duration_s:
                return

    async def change_offers(self, count: int, pause_s: float, until_s: float) -> None:
        """Changes so many offers at once, again and again until a moment of the clock."""
        while time.perf_counter() < until_s:
            await self._offer(count)
            await asyncio.sleep(pause_s)

    async def leave_tombstones(self, left: int = 1) -> None:
        """Changes offers until so many more would make compaction due."""
        while (room := await self._room()) > left:
            await self._offer(min(room - left, _OFFERS))

    async def change_one_offer(self, then_s: float) -> None:
        """What makes compaction due, where it does not; and the seconds after it."""
        await self._offer(1)
        await asyncio.sleep(then_s)

    async def compact(self, jobs: "Jobs") -> None:
        """Makes compaction due, and waits until it is done."""
        jobs.compacted.clear()
        await asyncio.sleep(_BESIDE_S)
        while await self._room() > 0:
            await self._offer(1)
        await asyncio.to_thread(jobs.compacted.wait)
        await asyncio.sleep(_BESIDE_S)

    async def _room(self) -> int:
        """Tombstones until compaction is due."""
        index = await self._engine.get_index(deadline=_deadline())
        most = index.products * index_keeper.DEAD_SHARE + index_keeper.FREE_DEAD
        return int(most) + 1 - index.tombstones

    async def _offer(self, count: int) -> None:
        self._price += 1
        numbers = [(self._number + place) % self.products for place in range(count)]
        self._number += count
        offers = [Offer(self._shop.product(number).id, price=10.0 + self._price) for number in numbers]
        await self._engine.update_offers(offers, deadline=_deadline())

    async def _change(self) -> None:
        self._number += 1
        product = self._shop.product(self._number % self.products)
        word = f"fresh{time.time_ns()}"
        vectors = self._made.queries[:1]
        changed = replace(product, title=f"{word} thing")
        started = time.perf_counter()
        await self._engine.upsert_products([changed], vectors, model_digest=DIGEST, deadline=_deadline())
        await self._until(word, product.id, there=True)
        self.found.append((time.perf_counter() - started) * 1_000)
        started = time.perf_counter()
        await self._engine.delete_products([product.id], deadline=_deadline())
        await self._until(word, product.id, there=False)
        self.gone.append((time.perf_counter() - started) * 1_000)
        await self._engine.upsert_products([product], vectors, model_digest=DIGEST, deadline=_deadline())

    async def _until(self, word: str, product_id: str, *, there: bool) -> None:
        query = RetrievalQuery(text=word, depth=10, product_limit=0)
        while True:
            try:
                candidates = (await self._engine.retrieve(query, deadline=_deadline())).candidates
            except ResourceExhausted:
                pass
            else:
                if (product_id in [candidate.product_id for candidate in candidates]) == there:
                    return
            await asyncio.sleep(_LOOK_S)


class Jobs:
    """A processor of log lines: when compactions began and ended, and how many versions they left out."""

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []
        self.dead: list[int] = []
        # Set by each; whoever waits for the next clears it before.
        self.compacted = threading.Event()

    @property
    def took_s(self) -> list[float]:
        """Seconds of each."""
        return [end - begin for begin, end in self.spans]

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Takes note of one line."""
        if event["event"] == index_keeper.COMPACTED:
            now = time.perf_counter()
            self.spans.append((now - event["seconds"], now))
            self.dead.append(event["tombstones"])
            self.compacted.set()
        return event


def _deadline() -> Deadline:
    return Deadline.after(60)


def _table(title: str) -> Table:
    table = Table(title=title)
    for column in ("milliseconds", "reached/s", "cores", "p50", "p99", "most", "of"):
        table.add_column(column, justify="left" if column == "milliseconds" else "right")
    return table


def _add(table: Table, name: str, searched: Searched, span: tuple[float, float] | None = None) -> None:
    """A row; of the searches that ran while the span did, where there is one."""
    reached = f"{searched.reached:.0f}" if searched.held else f"[red]{searched.reached:.0f}, {searched.lost} lost[/red]"
    cores = searched.processor_s / (max(searched.done_s) - min(searched.due_s))
    times = searched.milliseconds if span is None else searched.within(*span)
    p50, p99 = np.percentile(times, (50, 99))
    table.add_row(name, reached, f"{cores:.2f}", f"{p50:.1f}", f"{p99:.1f}", f"{max(times):.1f}", f"{len(times):,}")


if __name__ == "__main__":
    typer.run(main)
