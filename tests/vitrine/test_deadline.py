"""Deadlines."""

import pytest

from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded


def test_a_deadline_counts_down() -> None:
    deadline = Deadline.after(60)
    first = deadline.remaining_s()
    assert 0 < deadline.remaining_s() <= first <= 60
    deadline.check("ranking")


def test_a_deadline_that_is_over_says_what_was_left() -> None:
    with pytest.raises(DeadlineExceeded, match="no time left for ranking"):
        Deadline.after(0).check("ranking")
