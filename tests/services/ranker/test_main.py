"""The ranker as a process of its own."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.clients.ranker import RankerClient
from vitrine.channel import open_channel
from vitrine.deadline import Deadline
from vitrine.ports import RankCandidate


async def start(folder: Path) -> asyncio.subprocess.Process:
    environment = {"VITRINE_RANKER_BUNDLE": str(folder), "VITRINE_RANKER_PORT": "0"}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.ranker", env=environment, stdout=-1, stderr=asyncio.subprocess.STDOUT
    )


async def logged(process: asyncio.subprocess.Process, event: str) -> dict[str, object]:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while line := await process.stdout.readline():
            entry: dict[str, object] = json.loads(line)
            if entry["event"] == event:
                return entry
    raise AssertionError(f"the process ended without logging {event!r}")


async def test_serves_and_stops(make_bundle: Callable[..., Path]) -> None:
    process = await start(make_bundle())
    port = (await logged(process, "listening"))["port"]
    await logged(process, "serving")
    async with open_channel(f"127.0.0.1:{port}") as channel:
        asked = [RankCandidate("a", "good"), RankCandidate("b", "strong")]
        ranking = await RankerClient(channel).rank("watch", asked, deadline=Deadline.after(60))
        assert [ranked.id for ranked in ranking.ranked] == ["b", "a"]
    process.send_signal(signal.SIGTERM)
    await logged(process, "stopped")
    assert await process.wait() == 0


async def test_a_bundle_of_another_kind_ends_the_process_with_the_reason(make_bundle: Callable[..., Path]) -> None:
    """infinity#106 (case 143): not an opaque 500 at the first call."""
    process = await start(make_bundle(kind="embedder"))
    entry = await logged(process, "cannot serve")
    assert "for the embedder, and one for the ranker is needed" in str(entry["error"])
    assert await process.wait() == 1
