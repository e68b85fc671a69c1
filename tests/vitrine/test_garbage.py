"""What a start has made is not walked by the collector again, and what comes after it is."""

import gc
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
