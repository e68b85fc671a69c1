"""The labelled pairs that `--labels N` draws: spread over queries, without a look at the labels."""

import heapq
import random
from collections.abc import Iterable, Iterator
from typing import TypeVar

_VISIT = 2  # labels taken from a query at each visit: one alone gives nothing to order

Label = TypeVar("Label")


def draw_labels(by_query: Iterable[tuple[str, Iterable[Label]]], labels: int, seed: int) -> list[Label]:
    """`labels` labels in the order drawn, all when there are fewer; `by_query` holds each query once, with its labels.

    Queries are visited in random order, round after round, and each visit takes two of a query's labels at random. With
    the same seed the draw of fewer labels is the beginning of the draw of more, so that a curve over their number only
    adds labels. Memory grows with `labels` and with a query's own labels, not with their number in all.
    """
    drawn = heapq.nsmallest(labels, _turns(by_query, seed), key=lambda turn: turn[0])
    return [label for _, label in drawn]


def _turns(
    by_query: Iterable[tuple[str, Iterable[Label]]], seed: int
) -> Iterator[tuple[tuple[int, float, str, int], Label]]:
    """Each label with its turn: the round, then the query's place in every round."""
    for query, members in by_query:
        rng = random.Random(f"{seed}:{query}")
        place = rng.random()
        shuffled = list(members)
        rng.shuffle(shuffled)
        for number, label in enumerate(shuffled):
            yield (number // _VISIT, place, query, number), label
