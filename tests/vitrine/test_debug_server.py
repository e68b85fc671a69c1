"""The debug port of a process, asked over HTTP."""

import asyncio
import gc
import json
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from vitrine.debug_server import debug_server
from vitrine.errors import FailedPrecondition
from vitrine.profiling import folded, sampled_stacks


@pytest.fixture
async def port() -> AsyncIterator[int]:
    with debug_server("127.0.0.1", 0, asyncio.get_running_loop()) as port:
        yield port


def fetched(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def busy_with_a_name(stopping: threading.Event) -> None:
    while not stopping.is_set():
        sum(range(1_000))


@pytest.fixture
def busy() -> Iterator[None]:
    """A thread of a known name in a function of a known name."""
    stopping = threading.Event()
    thread = threading.Thread(target=busy_with_a_name, args=(stopping,), name="kept-busy")
    thread.start()
    yield
    stopping.set()
    thread.join()


async def waits_for_long() -> None:
    await asyncio.Event().wait()


async def test_stacks_name_threads_and_where_tasks_wait(port: int, busy: None, serve_embed: Any) -> None:
    await serve_embed()  # with tasks of gRPC's own, whose frames have no lines
    task = asyncio.create_task(waits_for_long(), name="a task that waits")
    status, text = await asyncio.to_thread(fetched, port, "/debug/stacks")
    task.cancel()
    assert status == 200
    assert "thread kept-busy\n" in text
    assert "in busy_with_a_name" in text
    assert "task a task that waits\n" in text
    assert "in waits_for_long" in text


async def test_a_profile_says_where_threads_were(port: int, busy: None) -> None:
    status, text = await asyncio.to_thread(fetched, port, "/debug/profile?seconds=0.2")
    assert status == 200
    stacks = dict(line.rsplit(" ", 1) for line in text.splitlines())
    [met] = [int(count) for stack, count in stacks.items() if "kept-busy;" in stack and "busy_with_a_name" in stack][:1]
    assert met >= 1
    assert any(stack.startswith("MainThread;") for stack in stacks)


@pytest.mark.parametrize("seconds", ["0", "-1", "61", "nan", "soon"])
async def test_a_profile_without_end_is_refused(port: int, seconds: str) -> None:
    status, text = await asyncio.to_thread(fetched, port, f"/debug/profile?seconds={seconds}")
    assert (status, text) == (400, f"seconds is {seconds!r}; give more than 0, at most 60\n")


async def test_one_profile_at_a_time_and_none_holds_up_the_end() -> None:
    with debug_server("127.0.0.1", 0, asyncio.get_running_loop()) as port:
        first = asyncio.create_task(asyncio.to_thread(fetched, port, "/debug/profile?seconds=60"))
        async with asyncio.timeout(60):
            while "in sampled_stacks" not in (await asyncio.to_thread(fetched, port, "/debug/stacks"))[1]:
                pass
        assert (await asyncio.to_thread(fetched, port, "/debug/profile?seconds=0.01"))[0] == 409
    assert (await first)[0] == 200


async def test_health_says_when_the_event_loop_does_not_answer(port: int) -> None:
    status, text = await asyncio.to_thread(fetched, port, "/debug/health")
    assert status == 200
    assert json.loads(text)["event_loop_lag_ms"] >= 0
    assert json.loads(text)["tasks"] >= 1
    # This very loop waits for the answer in its own thread.
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(fetched(port, "/debug/health")[1]))
    asking.start()
    asking.join()
    assert json.loads(answers[0])["event_loop_lag_ms"] is None


async def test_what_is_not_there_is_answered_with_what_is(port: int) -> None:
    assert await asyncio.to_thread(fetched, port, "/nothing") == (404, (await asyncio.to_thread(fetched, port, "/"))[1])


async def test_a_taken_port_is_refused_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = pytest.raises(FailedPrecondition, match=rf"cannot debug on 127\.0\.0\.1:{port}.*in use")
        with refused, debug_server("127.0.0.1", port, asyncio.get_running_loop()):
            pass


def test_samples_are_folded_most_met_first() -> None:
    stopping = threading.Event()
    stopping.set()
    assert folded(sampled_stacks(60, stopping)) == ""
    found = sampled_stacks(0.001, threading.Event())
    # More than all threads that other tests left behind can be met.
    found.update({"main;a;b": 9_000_000, "main;a": 3})
    assert folded(found).splitlines()[0] == "main;a;b 9000000"


def test_looking_at_threads_begins_no_collection(busy: None) -> None:
    """A collection within the look waited for ever for what the look held (case: cpython#106883)."""
    begun: list[str] = []

    def note(phase: str, info: dict[str, int]) -> None:
        frame = sys._getframe(1)
        if phase == "start" and frame.f_code.co_name == "_frames":
            begun.append(phase)

    before = gc.get_threshold()
    gc.callbacks.append(note)
    gc.set_threshold(1)
    try:
        sampled_stacks(0.1, threading.Event())
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(note)
    assert not begun
    assert gc.isenabled()
