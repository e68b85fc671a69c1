"""`python -m loadtest.replicas`: how soon several retrievers on one PostgreSQL show what one of them wrote.

Starts the retrievers as processes, fills the catalogue with made-up products, and writes to one while all are searched;
a kill -9 in the middle shows whether a search fails.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from gateway.clients.retriever import RetrieverClient
from vitrine.channel import open_channel
from vitrine.deadline import Deadline
from vitrine.errors import VitrineError
from vitrine.ports import RetrievalQuery
from vitrine.product import Product
from vitrine.vectors import FloatArray, l2_normalized

MODEL = "sha256:loadtest"


def main(
    catalogue_url: Annotated[str, typer.Option(help="postgresql://… of an empty database.")],
    products: Annotated[int, typer.Option(min=1)] = 10_000,
    dim: Annotated[int, typer.Option(min=1)] = 384,
    retrievers: Annotated[int, typer.Option(min=2)] = 2,
    writes: Annotated[int, typer.Option(min=10, help="Writes of 10 products each.")] = 100,
    searches_per_s: Annotated[float, typer.Option(help="Over all retrievers.")] = 20.0,
) -> None:
    """Measure the time from a write's beginning until each other retriever shows it."""
    asyncio.run(_measure(catalogue_url, products, dim, retrievers, writes, searches_per_s))


async def _measure(url: str, products: int, dim: int, count: int, writes: int, searches_per_s: float) -> None:
    vectors = l2_normalized(np.random.default_rng(0).normal(size=(products, dim)).astype(np.float32))
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        started = [running.enter_context(_retriever(folder / str(number), url)) for number in range(count)]
        ports = [port for _, port in started]
        async with _client(*ports[:1]) as writer, _client(*ports) as everyone, contextlib.AsyncExitStack() as open_:
            others = [await open_.enter_async_context(_client(port)) for port in ports[1:]]
            await _fill(writer, vectors)
            for other in others:
                await _shows(other, products - 1, 0)
            searching = asyncio.create_task(_search(everyone, vectors, searches_per_s))
            shown_ms = await _shown_ms(writer, others, vectors, writes)
            before = len(shown_ms)
            started[-1][0].send_signal(signal.SIGKILL)
            await asyncio.sleep(3)
            searching.cancel()
            failed, answered = await searching
    table = Table(title=f"{count} retrievers, {products:,} products of {dim} numbers, {os.cpu_count()} cores")
    for column in ("writes", "shown by others, p50 ms", "p99 ms", "searches", "failed, one killed -9"):
        table.add_column(column, justify="right")
    p50, p99 = np.percentile(shown_ms, [50, 99])
    table.add_row(f"{before:,}", f"{p50:.0f}", f"{p99:.0f}", f"{answered:,}", str(failed))
    Console(width=110).print(table)


@contextlib.contextmanager
def _retriever(folder: Path, url: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    settings = {
        "VITRINE_CATALOGUE_URL": url,
        "VITRINE_RETRIEVER_DATA_DIR": str(folder),
        "VITRINE_RETRIEVER_PORT": "0",
        "VITRINE_RETRIEVER_THREADS": "1",
    }
    command = [sys.executable, "-m", "services.retriever"]
    with subprocess.Popen(command, env=os.environ | settings, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        port = 0
        for line in process.stderr:
            entry = json.loads(line)
            port = entry.get("port", port)
            if entry["event"] == "serving":
                break
        try:
            yield process, port
        finally:
            process.terminate()


@contextlib.asynccontextmanager
async def _client(*ports: int) -> AsyncIterator[RetrieverClient]:
    async with open_channel("ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)) as channel:
        yield RetrieverClient(channel)


def _product(number: int, turn: int) -> Product:
    return Product(id=f"p{number}", title=f"lamp {number}", price=float(turn), currency_code="EUR")


async def _fill(writer: RetrieverClient, vectors: FloatArray) -> None:
    for start in range(0, len(vectors), 500):
        numbers = range(start, min(start + 500, len(vectors)))
        made = [_product(number, 0) for number in numbers]
        await writer.upsert_products(
            made, vectors[start : start + 500], model_digest=MODEL, deadline=Deadline.after(60)
        )


async def _shows(client: RetrieverClient, number: int, turn: int) -> None:
    """Waits until a retriever shows what was written. Raises DeadlineExceeded when it does not within a minute."""
    deadline = Deadline.after(60)
    while True:
        found = await client.get_products([f"p{number}"], deadline=deadline)
        if found.products and found.products[0].price == turn:
            return
        deadline.check(f"a retriever to show write {turn} of p{number}")
        await asyncio.sleep(0.005)


async def _shown_ms(
    writer: RetrieverClient, others: list[RetrieverClient], vectors: FloatArray, writes: int
) -> list[float]:
    random = np.random.default_rng(1)
    taken: list[float] = []
    for turn in range(1, writes + 1):
        numbers = random.choice(len(vectors), min(10, len(vectors)), replace=False).tolist()
        begun = time.perf_counter()
        made = [_product(number, turn) for number in numbers]
        await writer.upsert_products(made, vectors[numbers], model_digest=MODEL, deadline=Deadline.after(60))
        await asyncio.gather(*(_shows(other, numbers[-1], turn) for other in others))
        taken.append((time.perf_counter() - begun) * 1e3)
    return taken


async def _search(client: RetrieverClient, vectors: FloatArray, per_s: float) -> tuple[int, int]:
    """Searches until it is cancelled; how many failed, and how many were answered."""
    failed = answered = 0
    try:
        while True:
            query = RetrievalQuery(text="lamp", vector=vectors[answered % len(vectors)], model_digest=MODEL, depth=50)
            try:
                await client.retrieve(query, deadline=Deadline.after(10))
                answered += 1
            except VitrineError:
                failed += 1
            await asyncio.sleep(1 / per_s)
    except asyncio.CancelledError:
        return failed, answered


if __name__ == "__main__":
    typer.run(main)
