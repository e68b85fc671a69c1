"""Which labels a run may learn from: queries held out of it, and a few labels drawn for few-shot training."""

import hashlib
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import NamedTuple

from training import label_draw
from training.sources.files import Sources

Chosen = Callable[[str], bool]  # whether a query, normalised, takes part

_LABELS = """
SELECT query, judged, product FROM (
  SELECT query, 1 AS judged, product FROM label UNION ALL
  SELECT DISTINCT query, 0 AS judged, product FROM shown WHERE kind > 0
) ORDER BY query, judged, product
"""


class Label(NamedTuple):
    """A query and product that were judged, or that a shopper acted on."""

    judged: bool
    query: str
    product_id: str


def held_out(share: float, seed: int) -> Chosen:
    """Whether a query is among the `share` of all queries that are held out; the same in every source and run."""

    def chosen(query: str) -> bool:
        return int.from_bytes(hashlib.sha256(f"{seed}:{query}".encode()).digest()[:8]) < share * 2**64

    return chosen


def labels_of(sources: Sources, queries: Chosen | None = None) -> Iterator[Label]:
    """Every label there is, query by query, streamed."""
    for query, judged, product in sources.store.rows(_LABELS):
        if queries is None or queries(query):
            yield Label(bool(judged), query, product)


def draw_labels(sources: Sources, count: int, seed: int, queries: Chosen | None = None) -> frozenset[Label]:
    """`count` labels, spread over queries, or all when there are no more; a smaller draw is part of a larger one."""
    by_query = groupby(labels_of(sources, queries), key=lambda label: label.query)
    return frozenset(label_draw.draw_labels(by_query, count, seed))
