"""Which labels a run may learn from: queries held out of it, and a few labels drawn for few-shot training."""

import hashlib
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from training.sources.files import Sources

Chosen = Callable[[str], bool]  # whether a query, normalised, takes part


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
    """Every label there is, in a fixed order, streamed."""
    for judged, rows in (
        (True, "SELECT query, product FROM label ORDER BY number"),
        (False, "SELECT DISTINCT query, product FROM shown WHERE kind > 0 ORDER BY query, product"),
    ):
        for query, product in sources.store.rows(rows):
            if queries is None or queries(query):
                yield Label(judged, query, product)


def draw_labels(sources: Sources, count: int, seed: int, queries: Chosen | None = None) -> frozenset[Label]:
    """`count` labels at random, or all when there are no more; a smaller draw is part of a larger one."""
    rng = random.Random(seed)
    kept: list[tuple[float, Label]] = []
    for label in labels_of(sources, queries):
        kept.append((rng.random(), label))
        if len(kept) >= 2 * count + 1_000:
            kept = sorted(kept)[:count]
    return frozenset(label for _, label in sorted(kept)[:count])
