"""The labelled pairs that `--labels N` draws: spread over queries, without a look at the labels."""

import random
from collections.abc import Sequence

_VISIT = 2  # pairs taken from a query at each visit: one alone gives nothing to order


def draw_labels(queries: Sequence[str], labels: int, seed: int) -> list[int]:
    """Rows of `labels` pairs in the order drawn, all rows when there are fewer; `queries` names each row's query.

    Queries are visited in random order, round after round, and each visit takes two of its pairs at random. With the
    same seed the draw of fewer labels is the beginning of the draw of more, so that a curve over N only adds labels.
    """
    rng = random.Random(seed)
    rows_of: dict[str, list[int]] = {}
    for row, query in enumerate(queries):
        rows_of.setdefault(query, []).append(row)
    waiting = sorted(rows_of)
    rng.shuffle(waiting)
    for query in waiting:
        rng.shuffle(rows_of[query])
    drawn: list[int] = []
    while waiting and len(drawn) < labels:
        for query in waiting:
            drawn += rows_of[query][:_VISIT]
            del rows_of[query][:_VISIT]
        waiting = [query for query in waiting if rows_of[query]]
    return drawn[: max(0, labels)]
