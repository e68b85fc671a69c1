"""Tests of admission at the door."""

import pytest

from gateway.admission import Admission
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
