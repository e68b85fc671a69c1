"""Beside: part of a search in a second thread, where one is free, so that a lone caller waits less."""

from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


def beside(threads: Executor, work: Callable[[], T]) -> Callable[[], T]:
    """Offers the work to the threads; what is returned gives its result, and does it itself where none has begun.

    So nobody waits for a place in a queue: threads that wait for each other's parts cannot stand still, and where all
    are busy little is gained or lost. It runs in the caller's context, in which its spans hang.
    """
    try:
        future = threads.submit(copy_context().run, work)
    except RuntimeError:  # They shut down, and let the search that asks end.
        return work
    return lambda: work() if future.cancel() else future.result()
