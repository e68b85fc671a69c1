"""Unhurried work: how long it rests."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from services.retriever.unhurried import Pace, is_working

WORK_S = 0.002


class Rests(threading.Event):
    """An event that is never waited for; it says how long that would have been."""

    def __init__(self) -> None:
        super().__init__()
        self.took_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.took_s.append(timeout)
        return False


def _work(work_s: float = WORK_S) -> None:
    end = time.thread_time() + work_s
    while time.thread_time() < end:
        pass


def test_rests_follow_the_work_since_the_last_one() -> None:
    rests = Rests()
    pace = Pace(rests)
    for _ in range(2):
        _work()
        pace.rest()
    pace.rest()
    # A twentieth of the time is work.
    assert all(took >= 19 * WORK_S for took in rests.took_s[:2])
    assert rests.took_s[2] < 19 * WORK_S


def test_long_work_is_not_followed_by_a_rest_of_minutes() -> None:
    """A quantiser is trained for seconds before the first rest."""
    rests = Rests()
    pace = Pace(rests)
    _work(0.03)
    pace.rest()
    assert rests.took_s == [0.4]


def test_nobody_rests_while_there_is_hurry() -> None:
    rests, hurry = Rests(), [True]
    pace = Pace(rests, lambda: hurry[0])
    _work()
    pace.rest()
    assert not rests.took_s
    hurry[0] = False
    pace.rest()
    # What was worked in haste is not made up for.
    assert len(rests.took_s) == 1
    assert rests.took_s[0] < 19 * WORK_S


def test_a_thread_works_while_it_runs_and_not_while_it_waits() -> None:
    """Threads are known by the first fifteen letters that the system has of their name."""
    stop, waits = threading.Event(), threading.Event()

    def work() -> None:
        Path("/proc/thread-self/comm").write_text("spins (1) S")
        while not stop.is_set():
            _work()
        Path("/proc/thread-self/comm").write_text("waits (1) R")
        waits.wait()

    thread = threading.Thread(target=work)
    thread.start()
    assert _becomes(lambda: is_working("spins"))
    stop.set()
    assert _becomes(lambda: not is_working("spins"))
    assert _becomes(lambda: not is_working("waits"))
    waits.set()
    thread.join()
    # The interpreter is done with a thread before the system is.
    assert _becomes(lambda: not is_working("waits"))


def _becomes(true: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + 10
    while not true() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return true()
