"""`python -m loadtest.index`: what the retriever's index takes and gives at several sizes, in one process.

`load` writes the sample generator's products, with made vectors, by the engine's own write path until the folder holds
so many; `measure` opens the folder as a restart does and searches it, one caller, queries of the sample's shoppers.
Recall is against float32 vectors searched exactly.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import faiss
import numpy as np
import psutil
import typer
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from cli.sample.products import Shop
from loadtest.made_vectors import CHUNK, MadeVectors
from services.retriever.cells import PlacedCells, assign, placed_cells, train
from services.retriever.columns import BoolArray, Columns, ColumnsView, rebuilt
from services.retriever.dense_index import DenseView, PlacedGraph, placed
from services.retriever.engine import RetrieverEngine
from services.retriever.graph import build_graph
from services.retriever.index_plan import Kind
from services.retriever.retrieval import POOL
from services.retriever.settings import RetrieverSettings
from services.retriever.vector_store import Storage
from vitrine.deadline import Deadline
from vitrine.garbage import RARELY_ALL, keep_what_is_there
from vitrine.ports import RetrievalQuery
from vitrine.vectors import FloatArray

MOST = 1_000_000
DIGEST = "sha256:" + "0" * 64
DEPTH = 100
_PAGE = 20
_WRITE = 500
# Products that are made before they are written without a pause.
_AHEAD = 5 * CHUNK
_WRITERS = 8
# Searches of one kind in one folder before the next has its turn: its memory is in the processor's caches again.
_TURN = 30
_SHARES = (1.0, 0.5, 0.1, 0.01, 0.001)
_ALLOWED = [f"{share:.1%} allowed" for share in _SHARES]
_INDEXES = ["exact,float32", "ivf,float16", "ivf,int8", "ivf,pq"]
_MIB = 1 << 20

app = typer.Typer(help=__doc__, add_completion=False)
Folder = Annotated[Path, typer.Option(help="Folder of the catalogue.")]
Sample = Annotated[Path, typer.Option(help="File of the embedded sample; made where it is missing.")]
_FOLDER, _SAMPLE = Path("build/index"), Path("build/index-sample.npz")


@app.command()
def load(
    products: Annotated[int, typer.Option(min=CHUNK, max=MOST, help="How many the folder shall hold.")],
    folder: Folder = _FOLDER,
    sample: Sample = _SAMPLE,
) -> None:
    """Writes products until there are so many, and says how many a second were taken.

    Making them is not counted; what the index does meanwhile in the background is, in processor time.
    """
    shop = Shop(MOST, 1)
    made = MadeVectors.of(shop, sample)

    async def run() -> None:
        engine = await RetrieverEngine.open(RetrieverSettings(data_dir=folder))
        first = (await engine.get_index(deadline=Deadline.after(60))).products
        keep_what_is_there(RARELY_ALL)
        spent, processors = 0.0, -_processor_s()
        for start in range(first // CHUNK * CHUNK, products // CHUNK * CHUNK, _AHEAD):
            making, end = time.thread_time(), min(start + _AHEAD, products // CHUNK * CHUNK)
            vectors = np.concatenate([made.chunk(at // CHUNK) for at in range(start, end, CHUNK)])
            batch = [shop.product(number) for number in range(start, end)]
            processors -= time.thread_time() - making
            started = time.perf_counter()
            await _written(engine, batch, vectors)
            spent += time.perf_counter() - started
            written = end - first // CHUNK * CHUNK
            used = 1e6 * (processors + _processor_s()) / written
            _console.print(f"{end:>9,} products, {written / spent:,.0f}/s, {used:,.0f} µs of processors for each")
        started = time.perf_counter()
        await asyncio.to_thread(engine._keeper.settle)
        settled = time.perf_counter() - started
        started = time.perf_counter()
        await engine.close()
        _console.print(
            f"{(products - first) / max(spent, 1e-9):,.0f} products/s from {first:,} to {products:,}; index settled in "
            f"{settled:.1f} s, closed in {time.perf_counter() - started:.1f} s, peak RSS {_peak_mib():,.0f} MiB"
        )

    asyncio.run(run())


async def _written(engine: RetrieverEngine, batch: list[Any], vectors: FloatArray) -> None:
    starts = iter(range(0, len(batch), _WRITE))

    async def write() -> None:
        for start in starts:
            part = slice(start, start + _WRITE)
            result = await engine.upsert_products(
                batch[part], vectors[part], model_digest=DIGEST, deadline=Deadline.after(300)
            )
            assert not any(outcome.error for outcome in result.outcomes)

    await asyncio.gather(*(write() for _ in range(_WRITERS)))


@app.command()
def measure(
    folder: Folder = _FOLDER,
    sample: Sample = _SAMPLE,
    queries: Annotated[int, typer.Option(min=10, max=1_000, help="Searches of each kind.")] = 300,
    judged: Annotated[int, typer.Option(min=1, max=1_000, help="Queries whose recall is measured.")] = 100,
) -> None:
    """Opens the folder as a restart does, and measures searches, memory and recall."""
    made = MadeVectors.of(Shop(MOST, 1), sample)

    async def run() -> None:
        started = time.perf_counter()
        engine = await RetrieverEngine.open(RetrieverSettings(data_dir=folder, recall_every_s=3_600))
        opened_s = time.perf_counter() - started
        await asyncio.to_thread(engine._keeper.settle)
        index = await engine.get_index(deadline=Deadline.after(60))
        dense = await _milliseconds(engine, made, queries, words=False)
        hybrid = await _milliseconds(engine, made, queries, words=True)
        memory = psutil.Process().memory_info()
        table = Table(title=f"{index.products:,} products, {index.kind}, {index.storage}")
        for column in ("restart s", "RSS MiB", "of it files", "index MiB"):
            table.add_column(column, justify="right")
        for name in ("vector search", "call by vector", "call by both"):
            table.add_column(f"{name} p50 ms", justify="right")
            table.add_column("p99", justify="right")
        table.add_row(
            f"{opened_s:.1f}",
            f"{memory.rss / _MIB:,.0f}",
            f"{memory.shared / _MIB:,.0f}",
            f"{index.memory_bytes / _MIB:,.0f}",
            *(f"{np.percentile(times, share):.2f}" for times in (*dense, hybrid[1]) for share in (50, 99)),
        )
        _console.print(table)
        recalls = Table(title=f"recall@{DEPTH} of {judged} queries against exact float32")
        for column in _ALLOWED:
            recalls.add_column(column, justify="right")
        recalls.add_row(*(await asyncio.to_thread(_recalls, [engine._snapshot.dense], made, judged))[0])
        _console.print(recalls)
        await engine.close()

    asyncio.run(run())


@app.command()
def growth(
    folders: Annotated[list[Path], typer.Argument(help="Folders that `load` filled, the smallest first.")],
    sample: Sample = _SAMPLE,
    queries: Annotated[int, typer.Option(min=_TURN, max=1_000, help="Searches of each kind.")] = 600,
) -> None:
    """Opens all folders and searches them in turns, some queries each: how many times what the first takes others take.

    A machine's speed changes within the minutes that lie between two measurements.
    """
    made = MadeVectors.of(Shop(MOST, 1), sample)

    async def run() -> None:
        engines = [
            await RetrieverEngine.open(RetrieverSettings(data_dir=folder, recall_every_s=3_600)) for folder in folders
        ]
        for engine in engines:
            await asyncio.to_thread(engine._keeper.settle)
        keep_what_is_there(RARELY_ALL)
        kinds = {"by vector": False, "by words and vector": True}
        calls: dict[str, list[list[float]]] = {kind: [[] for _ in engines] for kind in kinds}
        for first in range(0, queries // _TURN * _TURN, _TURN):
            for place, engine in enumerate(engines):
                for kind, words in kinds.items():
                    calls[kind][place] += (await _milliseconds(engine, made, _TURN, words=words, first=first))[1]
        table = Table(title=f"calls, {len(calls['by vector'][0])} of each kind, in turns of {_TURN}")
        table.add_column("products", justify="right")
        for kind in kinds:
            for column in (f"{kind}: p50 ms", "p99", "times the first"):
                table.add_column(column, justify="right")
        for place, engine in enumerate(engines):
            cells = []
            for taken in calls.values():
                p50, p99 = np.percentile(taken[place], (50, 99))
                cells += [f"{p50:.2f}", f"{p99:.2f}", f"{p50 / np.median(taken[0]):.2f}"]
            products = (await engine.get_index(deadline=Deadline.after(60))).products
            table.add_row(f"{products:,}", *cells)
        _console.print(table)
        for engine in engines:
            await engine.close()

    asyncio.run(run())


async def _milliseconds(
    engine: RetrieverEngine, made: MadeVectors, count: int, *, words: bool, first: int = 0
) -> tuple[list[float], list[float]]:
    """What each search by vector took, as the engine says, and the whole call; after a few that warm up."""
    searches, calls = [], []
    for place in range(first - 10, first + count):
        query = RetrievalQuery(
            text=made.texts[place] if words else "",
            vector=made.queries[place],
            model_digest=DIGEST,
            depth=DEPTH,
            product_limit=_PAGE,
        )
        started = time.perf_counter()
        found = await engine.retrieve(query, deadline=Deadline.after(60))
        if place >= first:
            searches.append(found.dense_ms)
            calls.append((time.perf_counter() - started) * 1_000)
    return searches, calls


@app.command()
def vectors(
    products: Annotated[list[int], typer.Argument(help="How many, for each table.")],
    index: Annotated[
        list[str],
        typer.Option(help="exact, ivf or hnsw, a comma, and float32, float16, int8 or pq: a row of each table."),
    ] = _INDEXES,
    sample: Sample = _SAMPLE,
    examined: Annotated[float, typer.Option(help="Share that a search of cells looks at.")] = 0.01,
    queries: Annotated[int, typer.Option(min=10, max=1_000, help="Searches.")] = 300,
    judged: Annotated[int, typer.Option(min=1, max=1_000, help="Queries whose recall is measured.")] = 100,
) -> None:
    """Measures the vector index alone, without catalogue and words: milliseconds of processor time of one search.

    Each query is searched in all indexes before the next, so that they meet the same machine.
    """
    indexes = [_index(text) for text in index]
    made = MadeVectors.of(Shop(MOST, 1), sample)
    for count in products:
        table = Table(title=f"{count:,} products, recall@{DEPTH} of {judged} queries against exact float32")
        for column in ("index", "MiB", "built in s", "p50 ms", "p99 ms", *_ALLOWED):
            table.add_column(column, justify="right")
        searched, built = [], {}
        for kind, storage in indexes:
            view = _view(made, count, storage)
            if kind not in built:
                started = time.thread_time()
                # Positions are the same in all views.
                built[kind] = _placed(view, kind), time.thread_time() - started
            searched.append(DenseView(view, built[kind][0], 1, examined))
        times: list[list[float]] = [[] for _ in searched]
        for query in made.queries[:queries]:
            for dense, taken in zip(searched, times, strict=True):
                begun = time.thread_time()
                dense.search(query, dense.columns.alive, POOL)
                taken.append((time.thread_time() - begun) * 1_000)
        for dense, taken, recalls in zip(searched, times, _recalls(searched, made, judged), strict=True):
            mib = (dense.columns.vectors.nbytes + (0 if dense.placed is None else dense.placed.nbytes)) / _MIB
            p50, p99 = np.percentile(taken, (50, 99))
            name, made_s = f"{dense.kind}, {dense.columns.storage}", built[dense.kind][1]
            table.add_row(name, f"{mib:,.0f}", f"{made_s:,.1f}", f"{p50:.1f}", f"{p99:.1f}", *recalls)
        _console.print(table)


def _index(text: str) -> tuple[Kind, Storage]:
    """A kind and a storage; raises BadParameter."""
    kind, _, storage = text.partition(",")
    if kind not in get_args(Kind) or storage not in get_args(Storage):
        kinds, storages = ", ".join(get_args(Kind)), ", ".join(get_args(Storage))
        raise typer.BadParameter(
            f"{text!r} is not one of {kinds}, a comma, and one of {storages}, such as ivf,float16", param_hint="--index"
        )
    return cast(Kind, kind), cast(Storage, storage)


def _view(made: MadeVectors, count: int, storage: Storage) -> ColumnsView:
    columns = Columns(made.queries.shape[1], storage="float16" if storage == "pq" else storage)
    for start in range(0, count, CHUNK):
        chunk = made.chunk(start // CHUNK)[: count - start]
        rows = range(start, start + len(chunk))
        columns.append(rows, [str(row) for row in rows], [{}] * len(chunk), chunk)
    # A quantiser is trained on vectors that are there.
    return (rebuilt(columns.view(), np.arange(count), storage) if storage == "pq" else columns).view()


def _placed(view: ColumnsView, kind: str) -> PlacedCells | PlacedGraph | None:
    faiss.omp_set_num_threads(1)
    threadpool_limits(1, user_api="blas")
    if kind == "ivf":
        cells = train(view.vectors, view.alive)
        assigned = assign(cells, view.vectors, 0, len(view.rows), lambda: False)
        assert assigned is not None
        return placed_cells(cells, assigned)
    graph = build_graph(view, DIGEST, None, lambda: False) if kind == "hnsw" else None
    return None if graph is None else placed(graph, view)


def _recalls(searched: Sequence[DenseView], made: MadeVectors, judged: int) -> list[list[str]]:
    """Of views of the same products: the recall of each for each share of them that a filter allows, at random."""
    columns, queries = searched[0].columns, made.queries[:judged]
    drawn = np.random.default_rng(3).random(len(columns.rows))
    masks = [columns.alive & (drawn < share) for share in _SHARES]
    expected = _exact(columns, masks, made, queries)

    def recall(dense: DenseView, mask: BoolArray, best: list[Any]) -> str:
        found = (dense.search(query, mask, POOL)[0][:DEPTH] for query in queries)
        return f"{np.mean([np.isin(one, near).mean() for one, near in zip(best, found, strict=True)]):.4f}"

    return [[recall(dense, *one) for one in zip(masks, expected, strict=True)] for dense in searched]


def _exact(columns: ColumnsView, masks: list[Any], made: MadeVectors, queries: FloatArray) -> list[list[Any]]:
    """For each mask the positions of each query's best DEPTH, by the vectors as they were made."""
    scores = np.full((len(masks), len(queries), DEPTH), -np.inf, np.float32)
    best = np.zeros((len(masks), len(queries), DEPTH), np.int64)
    living = np.flatnonzero(columns.alive)
    # The numbers in the ids are those that vectors are made for, from 0 or, with a P before them, from 1.
    numbers = np.array(
        [
            int(name[1:]) - 1 if name[0] == "P" else int(name)
            for name in (columns.ids[place] for place in living.tolist())
        ]
    )
    for start in range(0, int(numbers.max()) + 1, CHUNK):
        here = (numbers >= start) & (numbers < start + CHUNK)
        positions = living[here]
        products = queries @ made.chunk(start // CHUNK)[numbers[here] - start].T
        for place, mask in enumerate(masks):
            allowed = np.where(mask[positions], products, -np.inf)
            both = np.concatenate([scores[place], allowed], axis=1)
            named = np.concatenate([best[place], np.broadcast_to(positions, allowed.shape)], axis=1)
            kept = np.argpartition(-both, DEPTH - 1, axis=1)[:, :DEPTH]
            scores[place], best[place] = np.take_along_axis(both, kept, 1), np.take_along_axis(named, kept, 1)
    return [
        [positions[values > -np.inf] for positions, values in zip(best[place], scores[place], strict=True)]
        for place in range(len(masks))
    ]


def _processor_s() -> float:
    """Processor time of this process and of those that prepare for it."""
    process = psutil.Process()
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def _peak_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1_024


_console = Console()
