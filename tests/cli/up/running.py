"""A `vitrine up` of its own ports and data, as a user starts it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cli.up.ports import free_port

ROOT = Path(__file__).parents[3]
_PATIENCE_S = 180.0


class Up:
    """A running command: what it has printed, and its ports."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, http_port: int) -> None:
        self.process = process
        self.target = f"127.0.0.1:{port}"
        self.http_url = f"http://127.0.0.1:{http_port}"
        self.output = ""

    async def prints(self, text: str) -> None:
        """Reads on until `text` has been printed; fails with all the output when the command ends without."""
        assert self.process.stdout is not None
        async with asyncio.timeout(_PATIENCE_S):
            while text not in self.output:
                line = await self.process.stdout.readline()
                assert line, f"ended without printing {text!r}:\n{self.output}"
                self.output += line.decode()

    async def ends(self) -> int:
        """Waits for its end; the exit status, with the rest of the output read."""
        assert self.process.stdout is not None
        async with asyncio.timeout(_PATIENCE_S):
            self.output += (await self.process.stdout.read()).decode()
            return await self.process.wait()


@asynccontextmanager
async def vitrine_up(folder: Path, *arguments: str, **settings: str) -> AsyncIterator[Up]:
    """Starts `vitrine up` with its data in `folder`; `settings` are further environment variables."""
    port, http_port = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "VITRINE_GATEWAY_PORT": str(port),
        "VITRINE_GATEWAY_HTTP_PORT": str(http_port),
        **{f"VITRINE_{part}_PORT": str(free_port()) for part in ("EMBEDDER", "RETRIEVER", "RANKER")},
        "VITRINE_EMBEDDER_BUNDLE": str(ROOT / "models/embedder"),
        "VITRINE_RANKER_BUNDLE": str(ROOT / "models/ranker"),
        "VITRINE_UP_SAMPLE_PRODUCTS": "40",
        # On a busy machine an answer may be late, and is not to be degraded for it.
        "VITRINE_GATEWAY_EMBED_TIMEOUT_S": "30",
        "VITRINE_GATEWAY_RANK_TIMEOUT_S": "30",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "up", *arguments),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    up = Up(process, port, http_port)
    try:
        yield up
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await up.ends()
