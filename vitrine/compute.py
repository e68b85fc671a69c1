"""The share of processors and memory that this process may use, and the one pool of threads that computes in it."""

import asyncio
import os
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import structlog
from threadpoolctl import threadpool_info

from vitrine.errors import FailedPrecondition, Unavailable
from vitrine.ports import Lane

T = TypeVar("T")
Args = TypeVarTuple("Args")

_log = structlog.get_logger("vitrine.compute")

_ROOT = Path("/")
# A tenth of the weight of a thread that computes nothing.
_NICE = 10
# While live and bulk work wait, one token in so many is bulk's.
BULK_SHARE = 8
# How long bulk work waits for live work that may follow: a ranking asks for its next pairs once the last ones are back.
_MOMENT_S = 0.002
# What cgroup v1 writes for "no limit" is the largest page-aligned int64; anything near it is no limit.
_NO_LIMIT = 1 << 60


def give_way() -> None:
    """Has the calling thread leave the processors to event loops and searches, who hand models their work.

    Saturated models would else make everybody wait for a turn: who is to be refused, and who asks whether all is well.
    """
    # Elsewhere niceness is the whole process's.
    if sys.platform == "linux":
        # Reckoned from the process's own: threads begin with the niceness of the one that starts them.
        least = min(os.getpriority(os.PRIO_PROCESS, os.getpid()) + _NICE, 19)
        os.nice(max(0, least - os.nice(0)))


def thread_quota(root: Path = _ROOT) -> int:
    """Threads that may run at once: the smaller of CPU affinity and cgroup quota (v1 or v2), at least 1.

    A quota of 1.5 processors is 1 thread: a second one would be throttled half of the time. `root` holds proc and sys.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affinity, *(int(quota) for quota in cpu_quotas(root))]))


def memory_limit_bytes(root: Path = _ROOT) -> int | None:
    """Bytes of memory that this process may use: the smallest of cgroup limit (v1 or v2) and the machine's.

    None where the system does not say (no /proc).
    """
    limits = [
        *_numbers(cgroup_files(root, "", "memory.max")),
        *_numbers(cgroup_files(root, "memory", "memory.limit_in_bytes")),
    ]
    machine = root / "proc/meminfo"
    if machine.exists():
        total = next(line for line in machine.read_text().splitlines() if line.startswith("MemTotal:"))
        limits.append(int(total.split()[1]) * 1024)
    return min((limit for limit in limits if 0 < limit < _NO_LIMIT), default=None)


def openmp_runtimes() -> list[str]:
    """Files of the OpenMP runtimes loaded in this process; with more than one, each starts threads of its own."""
    return sorted({module["filepath"] for module in threadpool_info() if module["user_api"] == "openmp"})


def report_openmp_clash() -> None:
    """Logs a warning when this process has loaded more than one OpenMP runtime; call it once models are loaded."""
    if len(runtimes := openmp_runtimes()) > 1:
        _log.warning(
            "two OpenMP runtimes are loaded: each starts threads of its own, and on macOS they crash together;"
            " run these parts as separate processes, or the models by onnxruntime",
            runtimes=runtimes,
        )


def cpu_quotas(root: Path = _ROOT) -> list[float]:
    """The processors that cgroups (v1 or v2) let this process use, of each group that has a quota."""
    quotas = []
    for file in cgroup_files(root, "", "cpu.max"):
        quota, period = file.read_text().split()
        if quota != "max":
            quotas.append(int(quota) / int(period))
    for file in cgroup_files(root, "cpu", "cpu.cfs_quota_us"):
        quota_us = int(file.read_text())
        if quota_us > 0:
            quotas.append(quota_us / int((file.parent / "cpu.cfs_period_us").read_text()))
    return quotas


def _numbers(files: list[Path]) -> list[int]:
    return [int(text) for text in (file.read_text().strip() for file in files) if text != "max"]


def cgroup_files(root: Path, controller: str, name: str) -> list[Path]:
    """The limit files of this process's cgroup and of those above it; `controller` "" is version 2."""
    membership = root / "proc/self/cgroup"
    if not membership.exists():
        return []
    files = []
    for line in membership.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller not in controllers.split(",") or (not controller and controllers):
            continue
        # Inside a container the path is often the host's, and the container's own cgroup is mounted as the top.
        top = root / "sys/fs/cgroup" / controllers
        own = top / path.lstrip("/")
        files += [folder / name for folder in (own, *own.parents) if folder.is_relative_to(top)]
    return [file for file in files if file.is_file()]


def _resident_bytes() -> int:
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


@dataclass(frozen=True, slots=True)
class Job:
    """What a thread computes, of so many tokens, and what is told of it on the event loop: a future that is done."""

    compute: Callable[[], Any]
    tell: Callable[["asyncio.Future[Any]"], None]
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class Claim:
    """A place in the line for a thread.

    `take`, called on the event loop once a thread is free, says what is to be computed: None when nothing is any more.
    `refuse` is called instead when the budget closes. Before bulk work no more than `after` tokens of live work go that
    begin after other bulk work did; it is asked anew each time, since what waits grows.
    """

    take: Callable[[], Job | None]
    refuse: Callable[[Unavailable], None]
    after: Callable[[], int] = lambda: BULK_SHARE - 1


class ComputeBudget:
    """All computing of a process: `threads` processors and `memory_bytes` of memory, shared by its models.

    Each thread runs one model at a time, by itself: threads that compute one batch together wait for each other at
    every layer. Who has work lines up and says what it is once a thread is free. Live work goes first; bulk work begins
    while none waits or runs, or where it leaves half of the threads free, but for its share of the tokens. Small work
    (tokenising) has a pool of as many threads. Neither runs on the event loop. Threads do not survive a fork: in a
    forked child every method raises RuntimeError instead of waiting for ever.
    """

    def __init__(self, threads: int | None = None, memory_bytes: int | None = None) -> None:
        self.threads = threads or thread_quota()
        limit = memory_bytes or memory_limit_bytes()
        self._memory_limit = limit
        self._reserved = {"interpreter and libraries": _resident_bytes()}
        self._process = os.getpid()
        self._model_threads = ThreadPoolExecutor(self.threads, "vitrine-model", give_way)
        self._work_threads = ThreadPoolExecutor(self.threads, "vitrine-work")
        self._running = dict.fromkeys(Lane, 0)
        self._lines: dict[Lane, deque[Claim]] = {lane: deque() for lane in Lane}
        self._live_tokens = 0
        self._moment: asyncio.TimerHandle | None = None

    def reserve(self, what: str, need_bytes: int) -> None:
        """Sets memory aside for a model. Raises FailedPrecondition naming need, limit and who holds the rest."""
        self._refuse_fork()
        held = sum(self._reserved.values())
        if self._memory_limit is not None and held + need_bytes > self._memory_limit:
            holders = ", ".join(f"{name} {_mebibytes(size)}" for name, size in self._reserved.items())
            raise FailedPrecondition(
                f"{what} needs about {_mebibytes(need_bytes)} of memory; the limit is {_mebibytes(self._memory_limit)}"
                f" and {_mebibytes(held)} are taken ({holders}): raise the limit or serve a smaller model",
                reason="MEMORY_LIMIT",
            )
        self._reserved[what] = self._reserved.get(what, 0) + need_bytes

    @property
    def is_idle(self) -> bool:
        """Whether no model runs or waits."""
        self._refuse_fork()
        return not any(self._running.values()) and not any(self._lines.values())

    async def run(self, function: Callable[[*Args], T], *args: *Args) -> T:
        """Runs small CPU work off the event loop."""
        self._refuse_fork()
        return await asyncio.get_running_loop().run_in_executor(self._work_threads, function, *args)

    async def run_model(self, function: Callable[[*Args], T], *args: *Args, lane: Lane = Lane.LIVE) -> T:
        """Runs a model off the event loop once a thread is free; who leaves while it runs leaves it running."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def tell(done: asyncio.Future[T]) -> None:
            if error := done.exception():
                refuse(error)
            elif not answer.done():
                answer.set_result(done.result())

        def refuse(error: BaseException) -> None:
            if not answer.done():
                answer.set_exception(error)

        self.line_up(lane, Claim(lambda: None if answer.done() else Job(partial(function, *args), tell), refuse))
        return await answer

    def line_up(self, lane: Lane, claim: Claim) -> None:
        """Puts a claim at the end of its lane's line; call it on the event loop."""
        self._refuse_fork()
        self._lines[lane].append(claim)
        # Later in this turn of the loop, so that what comes at one moment is taken together.
        asyncio.get_running_loop().call_soon(self._hand_out)

    async def close(self) -> None:
        """Lets running work end and its threads go; who waits and who comes later gets Unavailable."""
        self._process = 0
        for line in self._lines.values():
            while line:
                line.popleft().refuse(_closing())
        for threads in (self._model_threads, self._work_threads):
            await asyncio.to_thread(threads.shutdown)

    def _hand_out(self) -> None:
        """Gives free threads to who is next."""
        loop = asyncio.get_running_loop()
        while sum(self._running.values()) < self.threads and (lane := self._next_lane()) is not None:
            job = self._lines[lane].popleft().take()
            if job is None:
                continue
            self._live_tokens = self._live_tokens + job.tokens if lane is Lane.LIVE and self._lines[Lane.BULK] else 0
            self._running[lane] += 1
            try:
                done = loop.run_in_executor(self._model_threads, job.compute)
            except RuntimeError as error:
                # No thread could be started: who waits is told, and the next try may succeed.
                done = loop.create_future()
                done.set_exception(error)
            # First: a call that has failed leaves the line, with what else it asked for.
            done.add_done_callback(job.tell)
            done.add_done_callback(partial(self._end, lane))

    def _next_lane(self) -> Lane | None:
        live, bulk = self._lines[Lane.LIVE], self._lines[Lane.BULK]
        if bulk and self._live_tokens >= bulk[0].after():
            return Lane.BULK
        if live:
            return Lane.LIVE
        return Lane.BULK if bulk and self._has_room_for_bulk else None

    @property
    def _has_room_for_bulk(self) -> bool:
        """Whether no live work runs, nor did a moment ago, or half of the threads (rounded down) stay free for more."""
        live = max(self._running[Lane.LIVE], int(self._moment is not None))
        return not live or 2 * (self.threads - live - self._running[Lane.BULK]) > self.threads

    def _end(self, lane: Lane, _done: "asyncio.Future[Any]") -> None:
        self._running[lane] -= 1
        if lane is Lane.LIVE and self._lines[Lane.BULK]:
            if self._moment is not None:
                self._moment.cancel()
            self._moment = asyncio.get_running_loop().call_later(_MOMENT_S, self._end_moment)
        self._hand_out()

    def _end_moment(self) -> None:
        self._moment = None
        self._hand_out()

    def _refuse_fork(self) -> None:
        if not self._process:
            raise _closing()
        if self._process != os.getpid():
            raise RuntimeError(
                f"the models were opened in process {self._process} and do not survive a fork into {os.getpid()}: "
                "start processes with the 'spawn' method and open models in each"
            )


def _closing() -> Unavailable:
    return Unavailable("this process is shutting down")


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
