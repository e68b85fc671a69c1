"""Child processes that are kept running, and stopped in order."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cli.up import with_parent
from cli.up.settings import UpSettings
from vitrine.errors import Unavailable

# A process that ran this long had started well: its next restart waits as little as the first.
_STEADY_S = 30.0
_KILL_AFTER_S = 12.0


@dataclass(frozen=True, slots=True)
class Child:
    """A process to run: its name, command line and environment (None: ours)."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] | None = None


class Supervisor:
    """Starts children, starts again those that end, with growing waits, and stops all in reverse order. On Linux they
    end with us, however we end.

    `say` gets a line for people about each of these. While `strict` (the first start) a child that ends is not started
    again; `failed` then tells which it was.
    """

    def __init__(self, settings: UpSettings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._stopping = False
        self._runs: list[tuple[Child, asyncio.Task[None]]] = []
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._failure: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.strict = True

    def add(self, child: Child) -> None:
        """Runs a child from now on."""
        self._runs.append((child, asyncio.create_task(self._keep(child), name=child.name)))

    def process_id(self, name: str) -> int | None:
        """The child's process id; None while it is not running."""
        process = self._processes.get(name)
        return process.pid if process is not None else None

    async def failed(self) -> None:
        """Waits for a child to end while `strict`, and raises Unavailable then."""
        raise Unavailable(await asyncio.shield(self._failure))

    async def stop(self) -> None:
        """Stops the children, the last added first; each gets time to drain."""
        self._stopping = True
        for child, run in reversed(self._runs):
            if process := self._processes.get(child.name):
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                try:
                    await asyncio.wait_for(asyncio.shield(run), _KILL_AFTER_S)
                except TimeoutError:
                    self._say(f"{child.name} did not stop within {_KILL_AFTER_S:.0f} s and is killed")
                    process.kill()
            else:
                run.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await run

    async def _keep(self, child: Child) -> None:
        restarts = 0
        while not self._stopping:
            started_at_s = time.monotonic()
            # A group of its own: Ctrl-C goes to us alone, and children are stopped in order. Not a session: Linux may
            # share processors alike among sessions (autogroup), and models give way to event loops of their own only.
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", with_parent.__name__, str(os.getpid())),
                *child.command,
                env=child.environment,
                process_group=0,
                stdin=asyncio.subprocess.DEVNULL,
            )
            self._processes[child.name] = process
            if self._stopping:
                process.terminate()
            status = await process.wait()
            del self._processes[child.name]
            if self._stopping:
                return
            if self.strict:
                if not self._failure.done():
                    self._failure.set_result(f"{child.name} ended with status {status} before the suite was up")
                return
            restarts = 0 if time.monotonic() - started_at_s > _STEADY_S else restarts
            wait_s = min(self._settings.max_restart_s, self._settings.first_restart_s * 2**restarts)
            restarts += 1
            self._say(f"{child.name} ended with status {status}; starting it again in {wait_s:g} s")
            await asyncio.sleep(wait_s)
