"""Tests of admission at the door."""

from collections import deque
from contextlib import ExitStack

import pytest

from gateway.admission import Admission
from vitrine.deadline import Deadline
from vitrine.errors import ResourceExhausted


def test_refuses_at_once_when_full_and_says_when_to_come_back() -> None:
    """server#8597"""
    admission = Admission(2, "searches")
    with admission.admit(), admission.admit():
        with pytest.raises(ResourceExhausted, match="2 searches are in flight") as caught, admission.admit():
            pass
        assert caught.value.retry_after_s is not None
        assert 0 < caught.value.retry_after_s <= 5
        assert admission.inside == 2
    assert admission.inside == 0


def test_a_failed_call_gives_its_place_back() -> None:
    admission = Admission(1, "searches")
    for _ in range(3):
        with pytest.raises(KeyError), admission.admit():
            raise KeyError
    assert admission.inside == 0


def test_41_75_a_call_that_would_be_late_is_refused_at_the_door() -> None:
    """text-embeddings-inference#811, server#8597: let in, it would take the time of those that can be answered."""
    now_s = 0.0
    admission = Admission(100, "searches", lambda: now_s)
    inside = [ExitStack() for _ in range(40)]
    for one in inside:
        one.enter_context(admission.admit(Deadline.after(60)))
    for one in inside[:25]:
        now_s += 0.5
        one.close()
    # Fifteen are inside and one leaves each half second.
    with (
        pytest.raises(ResourceExhausted, match="too long for its deadline") as caught,
        admission.admit(Deadline.after(5)),
    ):
        raise AssertionError("let in")
    assert caught.value.retry_after_s
    with admission.admit(Deadline.after(60)):
        assert admission.inside == 16
    for one in inside[25:33]:
        one.close()
    # Few inside are always let in, so that it is seen when calls are quick again.
    with admission.admit(Deadline.after(0.1)):
        assert admission.inside == 8


def test_many_that_come_at_once_to_an_empty_place_do_not_make_it_look_slow() -> None:
    """Sharing the processor they leave late and together: the first was taken for one in ten seconds."""
    now_s = 0.0
    admission = Admission(100, "searches", lambda: now_s)
    inside = [ExitStack() for _ in range(74)]
    for one in inside[:64]:
        one.enter_context(admission.admit(Deadline.after(20)))
    now_s = 10.0
    for number in range(10):
        inside[number].close()
        now_s += 0.1
        inside[64 + number].enter_context(admission.admit(Deadline.after(20)))
    assert admission.inside == 64


def test_callers_who_come_seldom_do_not_make_it_look_slow() -> None:
    """A gateway of two restarted, and the other, to which one search a second had come, refused what came then."""
    now_s = 0.0
    admission = Admission(100, "searches", lambda: now_s)
    with ExitStack() as inside:
        inside.enter_context(admission.admit(Deadline.after(60)))
        for _ in range(50):
            with admission.admit(Deadline.after(3)):
                now_s += 1.0
        for _ in range(20):
            inside.enter_context(admission.admit(Deadline.after(3)))
        assert admission.inside == 21


def test_that_calls_are_quick_again_is_seen_by_those_that_are_always_let_in() -> None:
    now_s = 0.0
    admission = Admission(100, "searches", lambda: now_s)
    inside: deque[ExitStack] = deque()

    def come(time_s: float) -> None:
        one = ExitStack()
        one.enter_context(admission.admit(Deadline.after(time_s)))
        inside.append(one)

    for _ in range(20):
        come(60)
    while len(inside) > 8:
        now_s += 1
        inside.popleft().close()
    with pytest.raises(ResourceExhausted, match="too long for its deadline"):
        come(3)
    for _ in range(400):
        now_s += 0.01
        inside.popleft().close()
        come(3)
    come(3)
    assert admission.inside == 9
