"""The bare loop's threads."""

from collections.abc import Sequence

import pytest

from bench.row_threads import RowThreads, row_parts
from vitrine.compute import ComputeBudget
from vitrine.inference import Runtime, TokenIds


class Lengths:
    """A session whose output is a row's length and the sum of its types."""

    runtime: Runtime = "onnxruntime"

    def run(self, ids: Sequence[TokenIds], type_ids: Sequence[TokenIds] | None = None) -> list[object]:
        return [(len(row), sum(types)) for row, types in zip(ids, type_ids or ids, strict=True)]


@pytest.mark.parametrize("threads", [1, 3])
def test_rows_computed_by_several_threads_come_in_their_order(threads: int) -> None:
    rows = [[0] * (length % 23 + 1) for length in range(200)]
    types = [[number % 2] for number in range(200)]
    alone = Lengths().run(rows, types)
    assert RowThreads(Lengths(), ComputeBudget(threads)).run(rows, types) == alone  # type: ignore[arg-type]


@pytest.mark.parametrize(("lengths", "threads"), [([10], 8), ([40] * 32, 2), (list(range(1, 257)), 7), ([256] * 4, 64)])
def test_parts_hold_every_row_once_and_no_more_than_their_share(lengths: list[int], threads: int) -> None:
    parts = row_parts(lengths, threads)
    assert sorted(row for part in parts for row in part) == list(range(len(lengths)))
    share = max(40, sum(lengths) / (2 * threads) + 1)
    assert all(len(part) * max(lengths[row] for row in part) <= max(share, max(lengths)) for part in parts)
    assert len(parts) >= min(threads, len(lengths), sum(lengths) // 128)
