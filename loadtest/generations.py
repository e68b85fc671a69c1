"""`python -m loadtest.generations`: what a second model's vectors cost beside the first one's, in one process.

Opens a folder that `python -m loadtest.index load` filled, and changes it: use a copy. The second model's vectors are
the first one's with their numbers moved round, as far apart from one another; embedding itself is not in the figures.
Searches are by one client, of the sample's shoppers, while vectors are written, while the index is built, and after.
"""

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from rich.console import Console
from rich.table import Table

from cli.sample.products import Shop
from loadtest.index import DEPTH, DIGEST, MOST
from loadtest.made_vectors import MadeVectors
from services.retriever.engine import RetrieverEngine
from services.retriever.settings import RetrieverSettings
from vitrine.deadline import Deadline
from vitrine.ports import RetrievalQuery
from vitrine.ports.release import Release
from vitrine.vectors import FloatArray

SECOND = "sha256:" + "2" * 64
_WRITE = 500
_PAGE = 20
_MIB = 1 << 20

_console = Console()


class _Catalogue:
    """An engine that is searched by one model or the other."""

    def __init__(self, engine: RetrieverEngine, made: MadeVectors, table: Table, searches: int) -> None:
        self._engine = engine
        self._made = made
        self._table = table
        self._searches = searches

    async def phase(self, name: str, digest: str, work: Coroutine[Any, Any, None] | None = None) -> None:
        """Searches, as often as asked or as long as the work takes, and adds a row."""
        working = None if work is None else asyncio.create_task(work)
        started, times_ms = time.perf_counter(), list[float]()
        while len(times_ms) < self._searches or (working is not None and not working.done()):
            times_ms.append(await self._search_ms(len(times_ms), digest))
        if working is not None:
            await working
        row = (f"{psutil.Process().memory_info().rss / _MIB:,.0f}", f"{time.perf_counter() - started:.1f}")
        p50, p99 = np.percentile(times_ms, [50, 99])
        self._table.add_row(name, *row, f"{len(times_ms):,}", f"{p50:.1f}", f"{p99:.1f}")
        _console.print(name, *row, f"{p50:.1f} {p99:.1f}")

    async def _search_ms(self, place: int, digest: str) -> float:
        place %= len(self._made.texts)
        query = RetrievalQuery(
            text=self._made.texts[place],
            vector=_of_model(self._made.queries[place], digest),
            model_digest=digest,
            depth=DEPTH,
            product_limit=_PAGE,
        )
        started = time.perf_counter()
        await self._engine.retrieve(query, deadline=_soon())
        return (time.perf_counter() - started) * 1_000

    async def fill(self) -> None:
        """Writes the second model's vectors, as a build does without what embedding takes."""
        releases, columns = self._engine.releases, self._engine._snapshot.columns
        while found := await releases.list_unembedded(SECOND, _WRITE, deadline=_soon()):
            rows = [row for row, _ in found]
            vectors = _of_model(columns.vectors[columns.positions_of(np.array(rows))], SECOND)
            await releases.write_vectors(SECOND, rows, vectors, deadline=_soon())

    async def build(self) -> None:
        """Has the second model's vectors searched."""
        while (await self._engine.releases.build_generation(SECOND, deadline=_soon()))[1] is None:  # noqa: ASYNC110 (of a thread)
            await asyncio.sleep(0.5)

    async def serve(self) -> None:
        """Flips to the second model, and makes it the catalogue's own."""
        releases = self._engine.releases
        await releases.serve_release("second", expected_serving="", deadline=_soon())
        started = time.perf_counter()
        await releases.adopt_generation(SECOND, before=Release("first", DIGEST), deadline=_soon())
        _console.print(f"adopted in {(time.perf_counter() - started) * 1_000:.0f} ms")

    async def drop(self) -> None:
        """Drops the first model's vectors."""
        await self._engine.releases.remove_release("first", force=True, deadline=_soon())


def main(
    folder: Annotated[Path, typer.Option(help="Folder of a catalogue, which is changed.")],
    sample: Annotated[Path, typer.Option(help="File of the embedded sample.")] = Path("build/index-sample.npz"),
    searches: Annotated[int, typer.Option(min=10, help="Searches in each phase, at least.")] = 300,
) -> None:
    """Measures memory and searches before, while and after a second generation is made, adopted, and the first gone."""
    made = MadeVectors.of(Shop(MOST, 1), sample)
    table = Table(title=str(folder))
    for column in ("", "RSS MiB", "s", "searches", "p50 ms", "p99 ms"):
        table.add_column(column, justify="left" if not column else "right")

    async def run() -> None:
        engine = await RetrieverEngine.open(RetrieverSettings(data_dir=folder, recall_every_s=3_600))
        await asyncio.to_thread(engine._keeper.settle)
        catalogue = _Catalogue(engine, made, table, searches)
        await catalogue.phase("one model", DIGEST)
        await engine.releases.write_release(Release("second", SECOND), deadline=_soon())
        await catalogue.phase("vectors written", DIGEST, catalogue.fill())
        await catalogue.phase("index built", DIGEST, catalogue.build())
        await catalogue.phase("both, by the first", DIGEST)
        await catalogue.phase("both, by the second", SECOND)
        await catalogue.phase("adopted", SECOND, catalogue.serve())
        await catalogue.phase("the first dropped", SECOND, catalogue.drop())
        await engine.close()

    asyncio.run(run())
    _console.print(table)


def _of_model(vectors: FloatArray, digest: str) -> FloatArray:
    return vectors if digest == DIGEST else np.roll(vectors, 1, axis=-1)


def _soon() -> Deadline:
    return Deadline.after(600)


if __name__ == "__main__":
    typer.run(main)
