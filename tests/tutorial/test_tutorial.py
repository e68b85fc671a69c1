"""The tutorial as a reader follows it: every command of the page in order, and every line that the page shows."""

import asyncio
import os
import re
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.up.ports import free_port

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial.md"
ENVIRONMENT = Path(sys.prefix)
_PATIENCE_S = 600.0
_DONE = "::done::"
# Commands that call the gateway at its usual address, where a test cannot listen.
_CALLS = re.compile(r"^(vitrine (?:search|recommend|ingest|(?:release|events) \w+)|python \S+/shoppers.py)", re.M)


@dataclass(frozen=True)
class Block:
    """Commands, and the lines that the page shows below them; "…" in such a line stands for anything."""

    commands: str
    shown: tuple[str, ...]

    @property
    def stays(self) -> bool:
        """Whether it is for the first terminal, where the shop runs."""
        return re.search(r"^(\w+=\S+ )*make up$", self.commands, re.MULTILINE) is not None

    def missing(self, output: str) -> str | None:
        """The first line shown that does not come, after those before it; None when all do."""
        lines = iter([" ".join(line.split()) for line in output.splitlines()])
        for shown in (" ".join(line.split()) for line in self.shown if line.strip("… ")):
            pattern = re.compile(".*".join(map(re.escape, shown.split("…"))))
            if not any(pattern.fullmatch(line) for line in lines):
                return shown
        return None


def blocks() -> list[Block]:
    fences = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    following = [*fences[1:], ("", "")]
    return [
        Block(text, tuple(after.splitlines()) if kind == "text" else ())
        for (language, text), (kind, after) in zip(fences, following, strict=True)
        if language == "sh"
    ]


class Reader:
    """Two terminals: a shell, and one where the shop runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clone = folder / "vitrine"
        port, http_port = free_port(), free_port()
        self._addresses = {"127.0.0.1:50051": f"127.0.0.1:{port}", "127.0.0.1:8080": f"127.0.0.1:{http_port}"}
        # What `make test` hands down would be arguments of the tutorial's own make.
        foreign = re.compile("VITRINE_|MAKE|MFLAGS|ARGS")
        inherited = {name: value for name, value in os.environ.items() if not foreign.match(name)}
        self._environment = inherited | {
            "REPOSITORY": str(ROOT),
            "COLUMNS": "120",
            "PYTHONUNBUFFERED": "1",
            # On a busy machine threads that wait would take the time of those that work.
            "OMP_WAIT_POLICY": "PASSIVE",
            "VITRINE_GATEWAY_PORT": str(port),
            "VITRINE_GATEWAY_HTTP_PORT": str(http_port),
            # And an answer may be late there, and is not to be degraded for it.
            "VITRINE_GATEWAY_EMBED_TIMEOUT_S": "60",
            "VITRINE_GATEWAY_RANK_TIMEOUT_S": "60",
        }
        self._shell: Process | None = None
        self._shop: Process | None = None

    async def follows(self, block: Block) -> None:
        """Runs a block; fails with its output where a command fails or a line that is shown does not come."""
        commands = self._here(block.commands)
        if block.stays:
            await self.ends_the_shop()
            self._shop = await self._bash("-ec", commands, folder=self._clone)
            output = await self._read(self._shop, lambda output: block.missing(output) is None)
        else:
            output = await self._runs(commands)
        missing = block.missing(output)
        assert missing is None, f"{block.commands}\nshows no line {missing!r}:\n{output}"
        if self._clone.exists() and not (self._clone / ".venv").exists():
            self._put_environment()

    def _here(self, commands: str) -> str:
        for usual, here in self._addresses.items():
            commands = commands.replace(usual, here)
        target = self._addresses["127.0.0.1:50051"]
        return _CALLS.sub(lambda call: f"{call[1]} {'' if 'shoppers' in call[1] else '--target '}{target}", commands)

    async def _runs(self, commands: str) -> str:
        if self._shell is None:
            self._shell = await self._bash("-e", folder=self._folder)
        script = self._folder / "block.sh"
        script.write_text(commands)
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"source {script} </dev/null; printf '\\n{_DONE}\\n'\n".encode())
        output = await self._read(self._shell, lambda output: _DONE in output)
        assert _DONE in output, f"{commands}\nfails:\n{output}"
        return output

    async def _bash(self, *arguments: str, folder: Path) -> Process:
        return await asyncio.create_subprocess_exec(
            *("bash", "--norc", *arguments), cwd=folder, env=self._environment, start_new_session=True,
            stdin=PIPE, stdout=PIPE, stderr=STDOUT, limit=2**20,
        )  # fmt: skip

    async def _read(self, process: Process, is_all: Callable[[str], bool]) -> str:
        """What it prints until that is all, or it ends; addresses as on the page."""
        assert process.stdout is not None
        output = ""
        async with asyncio.timeout(_PATIENCE_S):
            while not is_all(output) and (line := await process.stdout.readline()):
                output += line.decode()
                for usual, here in self._addresses.items():
                    output = output.replace(here, usual)
        return output

    async def ends_the_shop(self) -> None:
        """Ctrl-C in the shop's terminal."""
        if self._shop is not None and self._shop.returncode is None:
            os.killpg(self._shop.pid, signal.SIGINT)
            output = await self._read(self._shop, lambda _: False)
            await self._shop.wait()
            self._shop = None
            assert "Traceback" not in output, output

    async def ends_the_shell(self) -> None:
        """Closes the other one."""
        if self._shell is not None:
            if self._shell.returncode is None:
                os.killpg(self._shell.pid, signal.SIGKILL)
            await self._shell.communicate()

    def _put_environment(self) -> None:
        """What `make up` would install is here already."""
        (self._clone / ".venv").mkdir()
        (self._clone / ".venv/bin").symlink_to(ENVIRONMENT / "bin")
        os.utime(self._clone / "pyproject.toml", (0, 0))
        for stamp in (".serving", ".testing"):
            (self._clone / ".venv" / stamp).touch()


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    reader = Reader(tmp_path)
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, tmp_path / "vitrine", ignore_errors=True)
        stack.push_async_callback(reader.ends_the_shop)
        stack.push_async_callback(reader.ends_the_shell)
        yield reader


@pytest.mark.skipif(not (ENVIRONMENT / "bin/activate").is_file(), reason="the tests run in no virtual environment")
async def test_every_command_does_what_the_page_shows(reader: Reader) -> None:
    followed = [block for block in blocks() if shutil.which("grpcurl") or "grpcurl" not in block.commands]
    assert len(followed) >= 15
    for block in followed:
        await reader.follows(block)
    if shutil.which("grpcurl") is None:
        pytest.skip("grpcurl is not on PATH: all but its commands were run")
