"""Child processes that are kept running, with real ones."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli.up.settings import UpSettings
from cli.up.supervisor import Child, Supervisor
from vitrine.errors import Unavailable

# Writes its process id, then waits for SIGTERM and writes that it ended in peace.
CHILD = """
import os, pathlib, signal, sys
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def stop(*_):
    with (folder / "stopped").open("a") as file:
        file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
with (folder / name).open("a") as file:
    file.write(f"{os.getpid()}\\n")
while True:
    signal.pause()
"""


def child(folder: Path, name: str) -> Child:
    return Child(name, [sys.executable, "-c", CHILD, str(folder), name])


async def starts(folder: Path, name: str, count: int) -> list[int]:
    """The process ids of a child that was started `count` times; waits for them."""
    async with asyncio.timeout(30):
        while True:
            if (folder / name).exists() and len(lines := (folder / name).read_text().splitlines()) >= count:
                return [int(line) for line in lines]
            await asyncio.sleep(0.01)


class Said:
    """Lines that were said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._more = asyncio.Event()

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        self._more.set()

    async def has(self, lines: int) -> None:
        """Waits for that many."""
        async with asyncio.timeout(30):
            while len(self.lines) < lines:
                await self._more.wait()
                self._more.clear()


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
async def supervisor(said: Said) -> AsyncIterator[Supervisor]:
    keeper = Supervisor(UpSettings(first_restart_s=0.01, max_restart_s=0.04), said)
    yield keeper
    await keeper.stop()


async def test_a_child_that_dies_is_started_again_and_said(tmp_path: Path, supervisor: Supervisor, said: Said) -> None:
    supervisor.strict = False
    supervisor.add(child(tmp_path, "ranker"))
    for count in (1, 2, 3):
        ids = await starts(tmp_path, "ranker", count)
        assert supervisor.process_id("ranker") == ids[-1]
        if count < 3:
            os.kill(ids[-1], signal.SIGKILL)
    assert said.lines == [
        "ranker ended with status -9; starting it again in 0.01 s",
        "ranker ended with status -9; starting it again in 0.02 s",
    ]


async def test_waits_grow_to_their_bound(supervisor: Supervisor, said: Said) -> None:
    supervisor.strict = False
    supervisor.add(Child("broken", [sys.executable, "-c", "raise SystemExit(3)"]))
    await said.has(4)
    assert [line.rpartition("in ")[2] for line in said.lines[:4]] == ["0.01 s", "0.02 s", "0.04 s", "0.04 s"]


async def test_all_are_stopped_the_last_first(tmp_path: Path, supervisor: Supervisor, said: Said) -> None:
    for name in ("redis", "embedder", "gateway"):
        supervisor.add(child(tmp_path, name))
        await starts(tmp_path, name, 1)
    ids = [supervisor.process_id(name) for name in ("redis", "embedder", "gateway")]
    await supervisor.stop()
    assert (tmp_path / "stopped").read_text().split() == ["gateway", "embedder", "redis"]
    for process_id in ids:
        assert process_id is not None
        with pytest.raises(ProcessLookupError):
            os.kill(process_id, 0)
    assert not said.lines


async def test_a_child_that_ends_before_all_is_up_is_named(supervisor: Supervisor) -> None:
    supervisor.add(Child("embedder", [sys.executable, "-c", "raise SystemExit(1)"]))
    with pytest.raises(Unavailable, match="embedder ended with status 1 before the suite was up"):
        await asyncio.wait_for(supervisor.failed(), 30)
    assert supervisor.process_id("embedder") is None
