"""A flood of lines of one kind is cut short and counted, and hides no other."""

from vitrine.sparing import Sparing


def test_some_lines_a_second_of_each_kind_and_the_rest_counted() -> None:
    now_s = 100.0
    sparing = Sparing(lambda: now_s)
    assert [sparing.fields("full") for _ in range(8)] == [{}] * 5 + [None] * 3
    assert sparing.fields("late") == {}
    now_s += 0.9
    assert sparing.fields("full") is None
    now_s += 0.1
    # What was left out is told once.
    assert [sparing.fields("full") for _ in range(6)] == [{"left_out": 4}, {}, {}, {}, {}, None]
