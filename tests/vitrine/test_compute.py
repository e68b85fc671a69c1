"""The share of a machine that a process may use, and the threads that compute in it."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vitrine.compute import ComputeBudget, give_way, memory_limit_bytes, openmp_runtimes, thread_quota
from vitrine.errors import FailedPrecondition, Unavailable
from vitrine.ports import Lane

AFFINITY = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
V2 = "0::/system.slice/shop\n"
V1 = "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/\n"


def machine(root: Path, files: dict[str, str]) -> Path:
    """A file tree with the proc and sys files that a kernel would show."""
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.fixture
async def budget() -> AsyncIterator[ComputeBudget]:
    budget = ComputeBudget(threads=2)
    yield budget
    await budget.close()


@pytest.fixture
async def one_thread() -> AsyncIterator[ComputeBudget]:
    budget = ComputeBudget(threads=1)
    yield budget
    await budget.close()


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, 64),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/system.slice/shop/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/system.slice/shop/cpu.max": "max 100000\n"}, 64),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/system.slice/shop/cpu.max": "150000 100000\n"}, 1),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/system.slice/shop/cpu.max": "20000 100000\n"}, 1),
        # The limit may sit on a cgroup above the process's own.
        (
            {
                "proc/self/cgroup": V2,
                "sys/fs/cgroup/system.slice/cpu.max": "300000 100000\n",
                "sys/fs/cgroup/system.slice/shop/cpu.max": "max 100000\n",
            },
            3,
        ),
        # In a container the path is the host's and the limit is at the top of what is mounted.
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/cpu.max": "400000 100000\n"}, 4),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            2,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
            },
            64,
        ),
    ],
)
def test_threads_follow_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], quota: int
) -> None:
    """text-embeddings-inference#170 (case 67): two processors granted on a host of 64."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert thread_quota(machine(tmp_path, files)) == quota


def test_threads_follow_the_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    files = {"proc/self/cgroup": V2, "sys/fs/cgroup/cpu.max": "800000 100000\n"}
    assert thread_quota(machine(tmp_path, files)) == 2


def test_a_budget_has_no_more_threads_than_it_may_use() -> None:
    assert 1 <= ComputeBudget().threads <= AFFINITY


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        ({"proc/meminfo": "MemTotal:       2048 kB\nMemFree:  1 kB\n"}, 2 << 20),
        (
            {
                "proc/meminfo": "MemTotal:       2048 kB\n",
                "proc/self/cgroup": V2,
                "sys/fs/cgroup/memory.max": "1048576\n",
                "sys/fs/cgroup/system.slice/shop/memory.max": "max\n",
            },
            1 << 20,
        ),
        ({"proc/self/cgroup": V1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "4096\n"}, 4096),
        ({"proc/self/cgroup": V1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
    ],
)
def test_memory_limit(tmp_path: Path, files: dict[str, str], limit: int | None) -> None:
    assert memory_limit_bytes(machine(tmp_path, files)) == limit


async def test_models_never_fight_for_processors(budget: ComputeBudget) -> None:
    """faiss#2731: 32 callers at once, and still no more models at a time than there are processors."""
    running, most = 0, 0
    lock = threading.Lock()

    def model(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1
        return number

    threads = threading.active_count()
    answers = await asyncio.gather(*(budget.run_model(model, number) for number in range(32)))
    await asyncio.gather(*(budget.run(model, number) for number in range(32)))
    assert answers == list(range(32))
    assert most <= budget.threads
    assert threading.active_count() <= threads + 2 * budget.threads


async def test_live_models_go_before_bulk(one_thread: ComputeBudget) -> None:
    order: list[str] = []
    release = threading.Event()
    first = asyncio.create_task(one_thread.run_model(release.wait))
    await asyncio.sleep(0)
    waiting = [
        asyncio.create_task(one_thread.run_model(order.append, name, lane=lane))
        for name, lane in (("bulk", Lane.BULK), ("live 1", Lane.LIVE), ("live 2", Lane.LIVE))
    ]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(first, *waiting)
    assert order == ["live 1", "live 2", "bulk"]


async def test_bulk_gets_one_turn_in_eight_between_runs_that_follow_each_other(budget: ComputeBudget) -> None:
    """A batcher asks for its next run when the last one is back: at that moment bulk alone waits."""
    order: list[str] = []

    async def follow(lane: Lane, runs: int) -> None:
        for _ in range(runs):
            await budget.run_model(order.append, lane.value, lane=lane)

    await asyncio.gather(follow(Lane.LIVE, 32), follow(Lane.BULK, 40))
    busy = order[: 32 + order[: order.index("live") + 1].count("bulk")]
    assert order.count("live") == 32
    # In turns it would be 32; a machine that is held up for some milliseconds lets one in now and then.
    assert 3 <= busy.count("bulk") <= 12, order
    assert order[-20:] == ["bulk"] * 20


async def test_bulk_waits_while_live_work_runs_though_a_thread_is_free(budget: ComputeBudget) -> None:
    """But for its share of the turns: live work that comes meanwhile would find both threads taken."""
    order: list[str] = []
    release = threading.Event()
    live = asyncio.create_task(budget.run_model(release.wait))
    await asyncio.sleep(0)
    bulk = [asyncio.create_task(budget.run_model(order.append, "bulk", lane=Lane.BULK)) for _ in range(2)]
    await asyncio.sleep(0)
    for _ in range(7):
        await budget.run_model(order.append, "live")
    await asyncio.wait(bulk, return_when=asyncio.FIRST_COMPLETED)
    assert order == ["live"] * 7 + ["bulk"]
    release.set()
    await asyncio.gather(live, *bulk)


async def test_bulk_takes_threads_beside_live_work_while_half_of_them_stay_free() -> None:
    """Of many threads all but one would else stand still wherever one live run follows another."""
    budget = ComputeBudget(threads=8)
    release, entered, started = threading.Event(), threading.Semaphore(0), list[str]()

    def model(name: str) -> None:
        started.append(name)
        entered.release()
        release.wait()

    def run(name: str, lane: Lane) -> asyncio.Task[None]:
        return asyncio.create_task(budget.run_model(model, name, lane=lane))

    async def have_started(runs: int) -> None:
        for _ in range(runs):
            assert await asyncio.to_thread(entered.acquire, timeout=20)

    live = [run("live", Lane.LIVE)]
    await have_started(1)
    bulk = [run("bulk", Lane.BULK) for _ in range(6)]
    await have_started(3)
    live += [run("live", Lane.LIVE) for _ in range(4)]
    await have_started(4)
    assert started == ["live"] + ["bulk"] * 3 + ["live"] * 4
    release.set()
    await asyncio.gather(*live, *bulk)
    await budget.close()


async def test_where_no_thread_can_be_started_the_caller_is_told(
    budget: ComputeBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may hold no more processes than it has; the turn is not lost with that."""
    with monkeypatch.context() as full:
        full.setattr(ThreadPoolExecutor, "submit", refuse_to_start)
        for _ in range(3):
            async with asyncio.timeout(20):
                with pytest.raises(RuntimeError, match="can't start new thread"):
                    await budget.run_model(int, "3")
    assert await budget.run_model(int, "3") == 3


def refuse_to_start(*_: object) -> None:
    raise RuntimeError("can't start new thread")


async def test_a_waiter_that_leaves_gives_its_turn_away(one_thread: ComputeBudget) -> None:
    release = threading.Event()
    first = asyncio.create_task(one_thread.run_model(release.wait))
    leaver = asyncio.create_task(one_thread.run_model(pytest.fail, "ran for a caller who had left"))
    stayer = asyncio.create_task(one_thread.run_model(lambda: "ran"))
    await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.wait({leaver})
    release.set()
    assert await stayer == "ran"
    assert leaver.cancelled()
    await first


async def test_a_model_runs_on_when_its_waiter_leaves_and_the_next_waits_for_it(one_thread: ComputeBudget) -> None:
    release, done = threading.Event(), threading.Event()

    def slow() -> None:
        release.wait()
        done.set()

    leaver = asyncio.create_task(one_thread.run_model(slow))
    await asyncio.sleep(0)
    next_one = asyncio.create_task(one_thread.run_model(done.is_set))
    await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.wait({leaver})
    release.set()
    assert await next_one is True


async def test_an_error_reaches_its_caller_and_the_next_runs(budget: ComputeBudget) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await budget.run_model(int, "x")
    assert await budget.run_model(int, "3") == 3


def test_a_model_that_does_not_fit_is_refused() -> None:
    """marqo#796 (case 81): a model of 2 GB in 1 GB of memory, and the process just died."""
    budget = ComputeBudget(threads=1, memory_bytes=1 << 30)
    with pytest.raises(FailedPrecondition, match=r"ranker needs about 2,048 MiB .* the limit is 1,024 MiB") as refused:
        budget.reserve("ranker", 2 << 30)
    assert refused.value.reason == "MEMORY_LIMIT"


def test_models_do_not_pile_up() -> None:
    """marqo#343 (case 82): five models where two fit; the third is refused, with who holds the memory."""
    # So large that what the test's own process holds is a rounding error.
    budget = ComputeBudget(threads=1, memory_bytes=1 << 40)
    budget.reserve("model 1", 400 << 30)
    budget.reserve("model 2", 400 << 30)
    with pytest.raises(FailedPrecondition, match=r"model 3 needs.*model 1 409,600 MiB, model 2 409,600 MiB"):
        budget.reserve("model 3", 400 << 30)


async def test_a_closed_budget_refuses() -> None:
    budget = ComputeBudget(threads=1)
    await budget.close()
    with pytest.raises(Unavailable, match="shutting down"):
        await budget.run(len, "x")


async def test_who_waits_for_a_model_when_the_budget_closes_is_told() -> None:
    budget = ComputeBudget(threads=1)
    release = threading.Event()
    running = asyncio.create_task(budget.run_model(release.wait))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(budget.run_model(pytest.fail, "ran in a closed budget")) for _ in range(3)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(budget.close())
    await asyncio.sleep(0)
    release.set()
    await closing
    assert await running is True
    async with asyncio.timeout(20):
        for each in waiting:
            with pytest.raises(Unavailable, match="shutting down"):
                await each


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)


def test_a_forked_child_is_told_and_does_not_hang() -> None:
    """Megatron-Bridge#5328 (case 69): encode in the parent, fork, encode in the child."""
    code = """
import asyncio, os, sys
from pathlib import Path
from vitrine.bundle import load_bundle
from vitrine.compute import ComputeBudget
from vitrine.tokenization import Tokenizer
budget = ComputeBudget()
tokenizer = Tokenizer(load_bundle(Path("models/embedder"), "embedder"))
encode = lambda: asyncio.run(budget.run(tokenizer.content_ids, ["watch"] * 64))
print(len(encode()), flush=True)
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
# The tokenizer itself has no threads that a fork could lose; the budget's pool has, and says so.
print(len(tokenizer.content_ids(["watch"] * 64)), flush=True)
try:
    encode()
except RuntimeError as error:
    print(error, flush=True)
    os._exit(0)
os._exit(1)
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("64\n64\n")
    assert "do not survive a fork" in done.stdout
    assert "spawn" in done.stdout


def test_two_openmp_runtimes_are_found_and_said(tmp_path: Path) -> None:
    """faiss#2317: torch and faiss in one process, each with its own OpenMP."""
    code = """
import faiss, torch
from vitrine.compute import openmp_runtimes, report_openmp_clash
print(len(openmp_runtimes()))
report_openmp_clash()
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[0]) >= 2
    assert "two OpenMP runtimes are loaded" in done.stdout
    assert "torch" in done.stdout
    assert "faiss" in done.stdout


def test_serving_with_onnxruntime_loads_no_openmp() -> None:
    done = python("import services.embedder.engine, vitrine.compute as c; print(c.openmp_runtimes())")
    assert done.stdout == "[]\n", done.stderr
    assert isinstance(openmp_runtimes(), list)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
async def test_models_give_way_to_the_event_loop(budget: ComputeBudget) -> None:
    own = os.nice(0)
    assert await budget.run_model(os.nice, 0) == min(19, own + 10)
    assert (await budget.run(os.nice, 0), os.nice(0)) == (own, own)
    # Threads that a model starts for its rows give way no more than it does.
    with ThreadPoolExecutor(1, initializer=give_way) as rows:
        assert await budget.run_model(lambda: rows.submit(os.nice, 0).result()) == min(19, own + 10)
