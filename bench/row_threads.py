"""A batch computed by all threads of a machine, for the bare loop: no thread waits for another before its end."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from vitrine.compute import ComputeBudget, give_way
from vitrine.inference import Session, TokenIds

# What is worth a run of its own.
_PART_TOKENS = 40


class RowThreads:
    """A session whose `run` shares a batch's rows out over the budget's threads."""

    def __init__(self, session: Session, budget: ComputeBudget) -> None:
        self._session = session
        self._count = budget.threads
        self._threads = ThreadPoolExecutor(budget.threads, "bench-rows", give_way)

    def run(self, ids: Sequence[TokenIds], type_ids: Sequence[TokenIds] | None = None) -> list[object]:
        """One output for each row, in order, as `Session.run` gives it."""
        parts = row_parts([len(row) for row in ids], self._count)
        if len(parts) == 1:
            return list(self._session.run(ids, type_ids))

        def computed(rows: Sequence[int]) -> Sequence[object]:
            return self._session.run([ids[row] for row in rows], type_ids and [type_ids[row] for row in rows])

        found: dict[int, object] = {}
        for rows, outputs in zip(parts, self._threads.map(computed, parts), strict=True):
            found.update(zip(rows, outputs, strict=True))
        return [found[row] for row in range(len(ids))]


def row_parts(lengths: Sequence[int], threads: int) -> list[list[int]]:
    """The rows of a batch in parts for `threads` threads: like lengths together, about as many tokens in each.

    Two parts for a thread where there are tokens enough, so that one that is held up leaves work to the others.
    """
    most = max(_PART_TOKENS, math.ceil(sum(lengths) / (2 * threads)))
    parts: list[list[int]] = [[]]
    # The longest first: what is left for the end is short.
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if parts[-1] and lengths[parts[-1][0]] * (len(parts[-1]) + 1) > most:
            parts.append([])
        parts[-1].append(row)
    return parts if threads > 1 else [list(range(len(lengths)))]
