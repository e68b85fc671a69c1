"""What a start has made is not walked by the collector again, and what comes after it is."""

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator

import pytest

from vitrine.garbage import keep_what_is_there


class _Linked:
    """Can be part of a circle."""

    def __init__(self) -> None:
        self.other: _Linked | None = None


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def _circle() -> _Linked:
    one, other = _Linked(), _Linked()
    one.other, other.other = other, one
    return one


def test_what_is_there_is_kept_and_later_circles_are_collected() -> None:
    before = _circle()
    gone_before = weakref.ref(before)
    keep_what_is_there()
    after = _circle()
    gone_after = weakref.ref(after)
    del before, after
    gc.collect()
    assert gone_before() is not None
    assert gone_after() is None
    assert gc.isenabled()


def test_all_that_is_new_is_walked_before_long_however_much_was_there() -> None:
    """A process whose start made much kept the free lists of tuples, 4 MB, until what is new was a quarter of it."""
    told = subprocess.run([sys.executable, "-c", _WALKED], check=True, capture_output=True, text=True, timeout=60)
    assert int(told.stdout) >= 1


_WALKED = """
import gc
from vitrine.garbage import keep_what_is_there

kept = [[number] for number in range(300_000)]
gc.collect()
keep_what_is_there()
before = gc.get_stats()[2]["collections"]
for _ in range(400_000):
    circle = []
    circle.append(circle)
print(gc.get_stats()[2]["collections"] - before)
"""
