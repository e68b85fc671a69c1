"""`python -m loadtest.capacity`: what a catalogue of some size needs, and whether this machine agrees.

`plan` says memory, processors, disk and cost for products x dims x replicas at so many searches a second, over FAISS
in the retrievers and over Milvus; `check` measures the same of a folder that `loadtest.index load` filled, beside what
the plan says of it, and `models` what the shipped models cost: both print the tables of docs/scaling.md.
"""

import asyncio
import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from cli.sample.products import Shop
from loadtest.index import DEPTH, DIGEST, MOST
from loadtest.made_vectors import MadeVectors
from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from services.ranker.engine import RankerEngine
from services.ranker.settings import RankerSettings
from services.retriever.engine import RetrieverEngine
from services.retriever.index_plan import IndexPlan
from services.retriever.settings import RetrieverSettings
from services.retriever.vector_store import ITEM_BYTES
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import IndexInfo, InputType, Lane, RankCandidate, RetrievalQuery
from vitrine.product_text import embedding_text, ranking_text

_MIB, _GIB = 1 << 20, 1 << 30
# Of a retriever, measured by `check` (docs/scaling.md): the process with what it keeps ready, and for each product its
# fields, id and words; on disk the product itself and the saved views.
BASE_BYTES, EACH_BYTES, DISK_BYTES = 290 * _MIB, 900, 3_100
# Milliseconds of one processor, from the suite's load test (README), where the load's own cost is among them: a call of
# the retriever, a search's part of gateway and embedder, a candidate that the ranker orders; and for each million
# numbers that a search compares.
RETRIEVE_MS, AROUND_MS, RANK_MS, COMPARED_MS = 25.0, 9.0, 2.7, 0.3
# What is kept free for peaks, for a replica that is away, and for the views made while others serve.
USE = 0.6
# Of Milvus, by its own sizing: float32 with M = 16 links both ways, and as much again of terms, words and values.
MILVUS_LINKS_BYTES, MILVUS_SCALAR_BYTES, MILVUS_ROOM = 2 * 16 * 4 + 64, 2_500, 1.3

app = typer.Typer(help=__doc__, add_completion=False)
_console = Console(width=100)


@dataclass(frozen=True, slots=True)
class Need:
    """What one process of a kind needs, how many there are, and how many processors all of them keep busy."""

    memory_bytes: float
    count: int
    processors: float
    disk_bytes: float = 0.0


def vectors_of(products: int, dim: int, settings: RetrieverSettings) -> tuple[str, str, int]:
    """Kind and storage that the retriever would choose, and the bytes of its vectors."""
    chosen = IndexPlan.of(settings)
    storage = chosen.storage_for(products, dim)
    return chosen.kind_for(products), storage, int(products * dim * ITEM_BYTES[storage])


def search_ms(products: int, dim: int, settings: RetrieverSettings) -> float:
    """Milliseconds of one processor for a search by words and vector."""
    kind, _, _ = vectors_of(products, dim, settings)
    compared = products * (1.0 if kind == "exact" else settings.examined_share)
    return RETRIEVE_MS + compared * dim / 1e6 * COMPARED_MS


def retrievers(products: int, dim: int, replicas: int, rps: float, settings: RetrieverSettings) -> Need:
    """The retrievers over FAISS: each holds all, and all share the searches."""
    _, _, vectors = vectors_of(products, dim, settings)
    busy = rps * search_ms(products, dim, settings) / 1_000
    # The catalogue keeps vectors as they came, beside those of the views.
    disk = products * (DISK_BYTES + dim * 4) + vectors
    return Need(BASE_BYTES + products * EACH_BYTES + vectors, replicas, busy, disk)


def milvus(products: int, dim: int, replicas: int) -> Need:
    """Milvus' query nodes together, by its own sizing; what they compute has to be measured there."""
    each = dim * 4 + MILVUS_LINKS_BYTES + MILVUS_SCALAR_BYTES
    return Need(products * each * MILVUS_ROOM, replicas, 0.0, products * each)


@app.command()
def plan(
    products: Annotated[int, typer.Option(min=1, help="Products.")] = 1_000_000,
    dim: Annotated[int, typer.Option(min=1, help="Numbers of a vector.")] = 384,
    replicas: Annotated[int, typer.Option(min=1, help="Copies of the index.")] = 2,
    rps: Annotated[float, typer.Option(min=0, help="Searches a second at the peak.")] = 50.0,
    rank_depth: Annotated[int, typer.Option(min=0, help="Candidates that the ranker orders.")] = 32,
    memory_gib: Annotated[float | None, typer.Option(help="Of a retriever's machine. [default: this one's]")] = None,
    processor_price: Annotated[float, typer.Option(min=0, help="Of a processor for a month, in your currency.")] = 20.0,
    gib_price: Annotated[float, typer.Option(min=0, help="Of a GiB of memory for a month.")] = 3.0,
) -> None:
    """Prints what is needed for a catalogue and its traffic."""
    settings = RetrieverSettings(memory_mb=int(memory_gib * 512) if memory_gib else None)
    kind, storage, _ = vectors_of(products, dim, settings)
    found = retrievers(products, dim, replicas, rps, settings)
    around = Need(1.0 * _GIB, 2, rps * AROUND_MS / 1_000)
    rank = Need(0.7 * _GIB, 2, rps * rank_depth * RANK_MS / 1_000)
    over = milvus(products, dim, replicas)
    table = Table(title=f"{products:,} products x {dim} x {replicas} at {rps:g} searches/s: {kind}, {storage}")
    for column in ("what", "copies", "memory each", "busy cores", "cores", "disk each", "cost a month"):
        table.add_column(column, justify="left" if column == "what" else "right")
    rows = {
        "retrievers over FAISS": found,
        "gateways, embedders": around,
        "rankers": rank,
        "or: Milvus, a copy of it": over,
    }
    for name, need in rows.items():
        have = max(need.count, math.ceil(need.processors / USE))
        cost = have * processor_price + need.count * need.memory_bytes / _GIB * gib_price
        measured = need.processors > 0
        table.add_row(
            name,
            str(need.count),
            f"{need.memory_bytes / _GIB:.1f} GiB",
            f"{need.processors:.1f}" if measured else "measure",
            str(have) if measured else "",
            f"{need.disk_bytes / _GIB:.1f} GiB",
            f"{cost:,.0f}" if measured else f"{need.count * need.memory_bytes / _GIB * gib_price:,.0f} + cores",
        )
    _console.print(table)


@app.command()
def check(
    folders: Annotated[list[Path] | None, typer.Argument(help="Folders that `loadtest.index load` filled.")] = None,
    sample: Annotated[Path, typer.Option(help="Their sample.")] = Path("build/index-sample.npz"),
    queries: Annotated[int, typer.Option(min=10, max=1_000, help="Searches that are measured.")] = 200,
) -> None:
    """Opens each folder in a process of its own and prints its memory, disk and processor time beside the plan's."""
    print("| products | memory, plan | here | disk, plan | here | processor ms a search, plan | here, without gRPC |")
    print("|---|---|---|---|---|---|---|")
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for folder in folders or [Path("build/index")]:
            print(processes.submit(checked, folder, sample, queries).result(), flush=True)


def checked(folder: Path, sample: Path, queries: int) -> str:
    """The row of one folder."""
    made = MadeVectors.of(Shop(MOST, 1), sample)
    settings = RetrieverSettings(data_dir=folder, recall_every_s=3_600)
    index, memory_bytes, milliseconds = asyncio.run(_measured(settings, made, queries))
    need = retrievers(index.products, index.dim, 1, 0, settings)
    disk_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    cells = (
        f"{index.products:,}",
        f"{need.memory_bytes / _MIB:,.0f} MiB",
        f"{memory_bytes / _MIB:,.0f}",
        f"{need.disk_bytes / _MIB:,.0f} MiB",
        f"{disk_bytes / _MIB:,.0f}",
        f"{search_ms(index.products, index.dim, settings):.0f}",
        f"{milliseconds:.0f}",
    )
    return f"| {' | '.join(cells)} |"


async def _measured(settings: RetrieverSettings, made: MadeVectors, queries: int) -> tuple[IndexInfo, int, float]:
    """The index, this process's bytes in memory, and milliseconds of a processor for a search."""
    engine = await RetrieverEngine.open(settings)
    await asyncio.to_thread(engine._keeper.settle)
    index = await engine.get_index(deadline=Deadline.after(60))
    spent_s = 0.0
    for place in range(-20, queries):
        query = RetrievalQuery(text=made.texts[place], vector=made.queries[place], model_digest=DIGEST, depth=DEPTH)
        started = time.process_time()
        await engine.retrieve(query, deadline=Deadline.after(60))
        if place >= 0:
            spent_s += time.process_time() - started
    memory_bytes = psutil.Process().memory_info().rss
    await engine.close()
    return index, memory_bytes, spent_s * 1_000 / queries


@app.command()
def models(texts: Annotated[int, typer.Option(min=1, max=1_000, help="Products that are embedded.")] = 128) -> None:
    """Measures what the shipped models cost: a query and a product embedded, and a candidate ranked."""
    shop, budget = Shop(MOST, 1), ComputeBudget(1)
    products = [shop.product(number) for number in range(texts)]
    queries = [product.title for product in products[:20]]

    async def run() -> None:
        deadline = Deadline.after(600)
        embedder = await EmbedderEngine.open(EmbedderSettings(), budget)
        ranker = await RankerEngine.open(RankerSettings(), budget)

        async def embed(some: list[str], input_type: InputType) -> None:
            await embedder.embed(some, input_type=input_type, deadline=deadline, lane=Lane.BULK)

        async def each_query() -> None:
            for query in queries:
                await embed([query], InputType.QUERY)

        candidates = [RankCandidate(product.id, ranking_text(product)) for product in products[:50]]
        print("| | processor ms, one thread |\n|---|---|")
        for name, work, count in (
            ("a query embedded", each_query, len(queries)),
            ("a product embedded", lambda: embed([embedding_text(p) for p in products], InputType.DOCUMENT), texts),
            ("a candidate ranked", lambda: ranker.rank(queries[0], candidates, deadline=deadline), len(candidates)),
        ):
            await work()
            started = time.process_time()
            await work()
            print(f"| {name} | {(time.process_time() - started) * 1_000 / count:.1f} |", flush=True)
        for engine in (embedder, ranker, budget):
            await engine.close()

    asyncio.run(run())


if __name__ == "__main__":
    app()
