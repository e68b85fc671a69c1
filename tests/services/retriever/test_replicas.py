"""Retrievers as processes on one PostgreSQL: one is killed and comes back under load, and no search fails.

A write that the killed one had begun is not acknowledged, and is sent again.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.clients.retriever import RetrieverClient
from vitrine.channel import open_channel
from vitrine.errors import Unavailable

PRODUCTS = 30


@dataclass
class Replica:
    """A retriever's process, and the port it listens on."""

    process: asyncio.subprocess.Process
    port: int


@pytest.fixture
async def processes() -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """Processes of a test; what still runs at its end is killed."""
    started: list[asyncio.subprocess.Process] = []
    yield started
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _started(
    folder: Path, postgres_url: str, processes: list[asyncio.subprocess.Process], port: int = 0
) -> Replica:
    environment = {
        "VITRINE_RETRIEVER_DATA_DIR": str(folder),
        "VITRINE_RETRIEVER_PORT": str(port),
        "VITRINE_RETRIEVER_THREADS": "1",
        "VITRINE_CATALOGUE_URL": postgres_url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.retriever", env=environment, stdout=-1, stderr=asyncio.subprocess.STDOUT
    )
    processes.append(process)
    port = (await _logged(process, "listening"))["port"]
    await _logged(process, "serving")
    return Replica(process, port)


async def _logged(process: asyncio.subprocess.Process, event: str) -> Any:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while line := await process.stdout.readline():
            entry = json.loads(line)
            if entry["event"] == event:
                return entry
    raise AssertionError(f"the process ended without logging {event!r}")


@asynccontextmanager
async def _client(*replicas: Replica) -> AsyncIterator[RetrieverClient]:
    """A client that goes round the replicas."""
    async with open_channel("ipv4:" + ",".join(f"127.0.0.1:{replica.port}" for replica in replicas)) as channel:
        yield RetrieverClient(channel)


async def test_one_is_killed_and_comes_back_under_load(
    tmp_path: Path, postgres_url: str, processes: list[asyncio.subprocess.Process], shop: Any
) -> None:
    folders = [tmp_path / f"replica{number}" for number in range(2)]
    replicas = await asyncio.gather(*(_started(folder, postgres_url, processes) for folder in folders))
    vectors = shop.vectors(PRODUCTS)
    state = asyncio.Condition()
    searches = turns = not_acknowledged = 0
    done = killed = False

    async def search(client: RetrieverClient) -> None:
        nonlocal searches
        while not done:
            number = searches % PRODUCTS
            found = await shop.found(client, text="smart watch 智能手表", vector=vectors[number], depth=100)
            assert len(found) == PRODUCTS
            assert found[0] == f"p{number:05}"
            async with state:
                searches += 1
                state.notify_all()

    async def more_searches(count: int) -> None:
        until = searches + count
        async with asyncio.timeout(120), state:
            await state.wait_for(lambda: searches >= until or any(task.done() for task in tasks))

    async def write(client: RetrieverClient) -> None:
        nonlocal turns, not_acknowledged
        while not done:
            products = [shop.product(n, price=float(turns + 1)) for n in range(PRODUCTS)]
            try:
                await shop.fill(client, products, vectors)
            except Unavailable:
                assert killed
                not_acknowledged += 1
                continue
            turns += 1
            await more_searches(8)

    async with _client(*replicas) as client:
        await shop.fill(client, [shop.product(n) for n in range(PRODUCTS)], vectors)
        for replica in replicas:
            # Each shows it soon; until then it would rightly find nothing.
            async with _client(replica) as one, asyncio.timeout(60):
                while not await shop.found(one, text="smart"):
                    pass
        tasks = [asyncio.create_task(search(client)) for _ in range(6)] + [asyncio.create_task(write(client))]
        await more_searches(40)
        killed = True
        replicas[1].process.send_signal(signal.SIGKILL)
        await replicas[1].process.wait()
        await more_searches(60)
        replicas[1] = await _started(folders[1], postgres_url, processes, replicas[1].port)
        await more_searches(60)
        done = True
        await asyncio.gather(*tasks)
    assert not_acknowledged <= 1

    answers = []
    for replica in replicas:
        async with _client(replica) as one:
            async with asyncio.timeout(60):
                while (await one.get_products(["p00007"], deadline=shop.deadline())).products[0].price != turns:
                    pass
            by_vector = await shop.search(one, vector=vectors[3], depth=100)
            answers.append([(c.product_id, c.product.price, c.product.revision) for c in by_vector.candidates])
        replica.process.send_signal(signal.SIGTERM)
        await _logged(replica.process, "stopped")
        assert await replica.process.wait() == 0
    assert answers[0] == answers[1]
