"""The embedder as a process of its own."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import psutil

from gateway.clients.embedder import EmbedderClient
from vitrine.channel import open_channel
from vitrine.deadline import Deadline
from vitrine.ports import InputType


async def start(folder: Path) -> asyncio.subprocess.Process:
    environment = {"VITRINE_EMBEDDER_BUNDLE": str(folder), "VITRINE_EMBEDDER_PORT": "0"}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.embedder", env=environment, stdout=-1, stderr=asyncio.subprocess.STDOUT
    )


async def logged(process: asyncio.subprocess.Process, event: str) -> dict[str, object]:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while line := await process.stdout.readline():
            entry: dict[str, object] = json.loads(line)
            if entry["event"] == event:
                return entry
    raise AssertionError(f"the process ended without logging {event!r}")


async def test_serves_and_stops(make_embedder_bundle: Any) -> None:
    process = await start(make_embedder_bundle())
    port = (await logged(process, "listening"))["port"]
    await logged(process, "serving")
    async with open_channel(f"127.0.0.1:{port}") as channel:
        found = await EmbedderClient(channel).embed(
            ["red watch"], input_type=InputType.QUERY, deadline=Deadline.after(60)
        )
        assert found.items[0].error is None
        # The second runtime is for who chooses it: hundreds of megabytes that serving does not need.
        assert not any("torch" in file.path for file in psutil.Process(process.pid).memory_maps())
    process.send_signal(signal.SIGTERM)
    await logged(process, "stopped")
    assert await process.wait() == 0


async def test_a_missing_bundle_ends_the_process_with_the_reason(tmp_path: Path) -> None:
    process = await start(tmp_path / "none")
    assert "no bundle at" in str((await logged(process, "cannot serve"))["error"])
    assert await process.wait() == 1
