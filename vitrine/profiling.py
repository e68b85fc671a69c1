"""Where a process spends its time: stacks of all its threads, now or sampled over some seconds.

Of the profilers that are kept well, those inside a process see one thread (pyinstrument) or slow every call down
(yappi), and those outside need rights that our containers drop (py-spy). Looking at frames costs the process little.
"""

import asyncio
import gc
import io
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from types import FrameType

_EVERY_S = 0.01


def stacks(loop: asyncio.AbstractEventLoop) -> str:
    """What every thread does now, and where every task of the event loop waits, as text."""
    text = io.StringIO()
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sorted(_frames().items()):
        text.write(f"thread {names.get(ident, ident)}\n{''.join(traceback.format_stack(frame))}\n")
    for task in sorted(asyncio.all_tasks(loop), key=lambda one: one.get_name()):
        # Not by task.print_stack, which fails on frames without a line: those of gRPC's own tasks.
        places = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in task.get_stack())
        text.write(f"task {task.get_name()}\n{''.join(places.format())}\n")
    return text.getvalue()


def sampled_stacks(seconds: float, stopping: threading.Event) -> Counter[str]:
    """How often each stack of another thread was met, looking 100 times a second: "thread;outermost;…;innermost".

    The time is the clock's: a thread that waits is met waiting. Ends early when `stopping` is set.
    """
    found: Counter[str] = Counter()
    own, ends_at_s = threading.get_ident(), time.monotonic() + seconds
    while time.monotonic() < ends_at_s and not stopping.wait(_EVERY_S):
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        for ident, frame in _frames().items():
            if ident != own:
                found[";".join((str(names.get(ident, ident)), *reversed(list(_functions(frame)))))] += 1
    return found


def folded(found: Counter[str]) -> str:
    """The samples as speedscope.app and flamegraph.pl read them: a stack and its count on each line."""
    return "".join(f"{stack} {count}\n" for stack, count in found.most_common())


def _frames() -> dict[int, FrameType]:
    """The innermost frame of each thread, by the thread's identifier."""
    # A collection that begins within the call can wait for ever for what the call holds (cpython#106883).
    collects = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()
    finally:
        if collects:
            gc.enable()


def _functions(frame: FrameType | None) -> Iterable[str]:
    while frame is not None:
        yield f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}"
        frame = frame.f_back
