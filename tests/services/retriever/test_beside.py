"""Parts of a search in a second thread."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from services.retriever.beside import beside


def test_a_free_thread_does_the_work_meanwhile() -> None:
    with ThreadPoolExecutor(1) as threads:
        begun = threading.Event()
        result = beside(threads, lambda: (begun.set(), threading.current_thread())[1])
        assert begun.wait(60)
        assert result() is not threading.current_thread()


def test_where_none_is_free_who_asks_does_it() -> None:
    with ThreadPoolExecutor(1) as threads:
        # The one thread asks itself: waiting for a place would never end.
        asked = threads.submit(lambda: beside(threads, threading.current_thread)() is threading.current_thread())
        assert asked.result(60)


def test_it_runs_in_the_context_of_who_asks() -> None:
    name: ContextVar[str] = ContextVar("name", default="nobody's")
    with ThreadPoolExecutor(1) as threads:
        threads.submit(int).result(60)
        name.set("asker's")
        begun = threading.Event()
        result = beside(threads, lambda: (begun.set(), name.get())[1])
        assert begun.wait(60)
        assert result() == "asker's"


def test_after_the_shutdown_who_asks_does_it() -> None:
    threads = ThreadPoolExecutor(1)
    threads.shutdown()
    assert beside(threads, threading.current_thread)() is threading.current_thread()


def test_errors_are_those_of_the_work() -> None:
    with ThreadPoolExecutor(1) as threads, pytest.raises(ZeroDivisionError):
        beside(threads, lambda: 1 // 0)()
