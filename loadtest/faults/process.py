"""A part of the suite as a real process that can be stopped, killed, hung and started again."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from cli.up import with_parent

_START_S = 180.0
_STOP_S = 60.0


class PartNotReady(Exception):
    """A part of the suite did not start, or did not stop."""


class Process:
    """One replica of a part. `ready` returns whether it serves; `published` is told when that begins and ends."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        ready: Callable[[], Awaitable[bool]],
        published: Callable[[bool], None] = lambda serving: None,
        *,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """`user`: whom it runs as, where not as we do. `stop_signal`: what it takes for a request to stop."""
        self.name = name
        self._command = command
        self._environment = environment
        self._log = log
        self._ready = ready
        self._published = published
        self._user = user
        self._stop_signal = stop_signal
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process id. Raises PartNotReady when it does not run."""
        if self._process is None:
            raise PartNotReady(f"{self.name} does not run")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether there is a process, hung ones among them."""
        return self._process is not None

    async def start(self) -> float:
        """Starts it and waits until it serves; the seconds that this took. Raises PartNotReady."""
        begun_s = time.monotonic()
        while True:
            await self._spawn()
            while not await self._ready():
                if time.monotonic() - begun_s > _START_S:
                    raise PartNotReady(f"{self.name} did not serve within {_START_S:.0f} s; {self._log} says why")
                assert self._process is not None
                if self._process.returncode is not None:
                    break
                await asyncio.sleep(0.02)
            else:
                self._published(True)
                return time.monotonic() - begun_s
            # What a killed one left (PostgreSQL's own children) is gone in a moment, and until then it will not start.
            if time.monotonic() - begun_s > _STOP_S / 4:
                raise PartNotReady(f"{self.name} ended as it started; {self._log} says why")
            await asyncio.sleep(0.2)

    async def stop(self) -> int:
        """Asks it to stop, as an operator does, and waits; its exit status. Raises PartNotReady."""
        process = self._process
        if process is None:
            raise PartNotReady(f"{self.name} does not run")
        self._published(False)
        if process.returncode is None:
            process.send_signal(self._stop_signal)
        try:
            async with asyncio.timeout(_STOP_S):
                status = await process.wait()
        except TimeoutError:
            raise PartNotReady(f"{self.name} did not stop within {_STOP_S:.0f} s") from None
        self._process = None
        return status

    async def kill(self) -> None:
        """kill -9."""
        if (process := self._process) is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        self._process = None
        self._published(False)

    def hang(self) -> None:
        """Has it stand still with its connections open (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Ends `hang`."""
        os.kill(self.pid, signal.SIGCONT)

    async def _spawn(self) -> None:
        # Ends with us, however we end. Another user may not read our code.
        guard = [] if self._user else [sys.executable, "-m", with_parent.__name__, str(os.getpid())]
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *guard,
                *self._command,
                env=self._environment,
                user=self._user,
                # Not a session of its own: see cli.up.supervisor.
                process_group=0,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
