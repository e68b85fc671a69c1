"""Unhurried work: what nobody waits for, done so that searches are not held up by it."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

# Of one processor, while searches may want it. A search takes the interpreter some dozens of times, and waits for half
# a millisecond each time that another thread has something to do in it.
_SHARE = 0.02
# What takes so long that it would rest longer, as training a quantiser does, is done outside of the interpreter.
_LONGEST_S = 0.4
_LEAST = 15


class Pace:
    """Rests for one thread, each so long that the work since the last one was a share of the time, within bounds."""

    def __init__(self, stopped: threading.Event, is_hurried: Callable[[], bool] = lambda: False) -> None:
        """Made in the thread that works; who stops does not rest, nor does who `is_hurried`."""
        self._stopped = stopped
        self._is_hurried = is_hurried
        self._worked_s = time.thread_time()

    def rest(self) -> None:
        """After a piece of work of a millisecond or some."""
        if not self._is_hurried():
            worked_s = time.thread_time() - self._worked_s
            self._stopped.wait(min(worked_s * (1.0 / _SHARE - 1.0), _LONGEST_S))
        self._worked_s = time.thread_time()


def give_way(named: str) -> None:
    """Has threads of this process whose name begins so wait for all others; where the system has no such files, none.

    Only for those that never run Python: one that had to wait while it holds the interpreter would hold up all.
    """
    for task in Path("/proc/self/task").glob("*/comm"):
        try:
            if task.read_text().startswith(named):
                os.setpriority(os.PRIO_PROCESS, int(task.parent.name), _LEAST)
        except OSError:
            # It has ended.
            continue


def is_working(named: str) -> bool:
    """Whether a thread of this process whose name begins so runs, or waits for a disk, at this moment; where the system
    has no such files, False."""
    for task in Path("/proc/self/task").glob("*/stat"):
        try:
            name, _, rest = task.read_text().partition("(")[2].rpartition(")")
        except OSError:
            # It has ended.
            continue
        if name.startswith(named) and rest.split()[0] in "RD":
            return True
    return False
