"""The retriever as a process of its own."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from gateway.clients.retriever import RetrieverClient
from vitrine.channel import open_channel


async def _started(folder: Path) -> asyncio.subprocess.Process:
    environment = {"VITRINE_RETRIEVER_DATA_DIR": str(folder), "VITRINE_RETRIEVER_PORT": "0"}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.retriever", env=environment, stdout=-1, stderr=asyncio.subprocess.STDOUT
    )


async def _logged(process: asyncio.subprocess.Process, event: str) -> dict[str, object]:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while line := await process.stdout.readline():
            entry: dict[str, object] = json.loads(line)
            if entry["event"] == event:
                return entry
    raise AssertionError(f"the process ended without logging {event!r}")


async def test_serves_stops_and_comes_back(tmp_path: Path, shop: Any) -> None:
    vectors = shop.vectors(3)
    for written in (True, False):
        process = await _started(tmp_path)
        port = (await _logged(process, "listening"))["port"]
        await _logged(process, "serving")
        async with open_channel(f"127.0.0.1:{port}") as channel:
            client = RetrieverClient(channel)
            if written:
                await shop.fill(client, [shop.product(n) for n in range(3)], vectors)
            assert (await shop.found(client, vector=vectors[1]))[0] == "p00001"
        process.send_signal(signal.SIGTERM)
        await _logged(process, "stopped")
        assert await process.wait() == 0


async def test_a_folder_in_use_ends_the_process_with_the_reason(tmp_path: Path, open_engine: Any) -> None:
    await open_engine(data_dir=tmp_path)
    process = await _started(tmp_path)
    assert "another process serves" in str((await _logged(process, "cannot serve"))["error"])
    assert await process.wait() == 1
