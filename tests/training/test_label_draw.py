"""`--labels N` draws N pairs, spread over queries, the same ones for the same seed."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from training.label_draw import draw_labels

_QUERIES = ["tv"] * 30 + ["red phone"] * 4 + ["手机"] * 9 + ["usb"]


def test_labels_are_spread_over_queries_two_at_a_visit() -> None:
    drawn = Counter(_QUERIES[row] for row in draw_labels(_QUERIES, 7, seed=3))
    assert drawn == {"tv": 2, "red phone": 2, "手机": 2, "usb": 1}


def test_few_labels_are_pairs_of_one_query_that_can_be_compared() -> None:
    for seed in range(20):
        first, second = draw_labels(["a", "b", "a", "b"], 2, seed)
        assert first % 2 == second % 2


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 1_000))
def test_fewer_labels_are_the_beginning_of_more(fewer: int, more: int, seed: int) -> None:
    fewer, more = sorted((fewer, more))
    drawn = draw_labels(_QUERIES, more, seed)
    assert draw_labels(_QUERIES, fewer, seed) == drawn[:fewer]
    assert len(set(drawn)) == len(drawn) == min(more, len(_QUERIES))


def test_another_seed_draws_others() -> None:
    assert draw_labels(_QUERIES, 10, seed=1) == draw_labels(_QUERIES, 10, seed=1)
    assert draw_labels(_QUERIES, 10, seed=1) != draw_labels(_QUERIES, 10, seed=2)
