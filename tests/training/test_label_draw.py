"""`--labels N` draws N labels, spread over queries, the same ones for the same seed."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from training.label_draw import draw_labels

_LABELS = {query: [f"{query} {n}" for n in range(count)] for query, count in (("tv", 30), ("手机", 9), ("usb", 1))}


def test_labels_are_spread_over_queries_two_at_a_visit() -> None:
    drawn = Counter(label.split()[0] for label in draw_labels(_LABELS.items(), 9, seed=3))
    assert drawn["usb"] == 1
    assert {drawn["tv"], drawn["手机"]} == {4}


def test_the_first_labels_are_of_one_query_so_that_they_can_be_compared() -> None:
    many = {query: [query] * 5 for query in ("a", "b", "c", "d")}
    for seed in range(20):
        first, second = draw_labels(many.items(), 2, seed)
        assert first == second


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 1_000))
def test_fewer_labels_are_the_beginning_of_more(one: int, other: int, seed: int) -> None:
    fewer, more = sorted((one, other))
    drawn = draw_labels(_LABELS.items(), more, seed)
    assert draw_labels(_LABELS.items(), fewer, seed) == drawn[:fewer]
    assert len(set(drawn)) == len(drawn) == min(more, 40)


def test_the_draw_follows_the_seed_and_not_the_order_of_the_queries() -> None:
    drawn = draw_labels(_LABELS.items(), 10, seed=1)
    assert draw_labels(reversed(_LABELS.items()), 10, seed=1) == drawn
    assert draw_labels(_LABELS.items(), 10, seed=2) != drawn
