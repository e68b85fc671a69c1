"""The bare loop's groups."""

from bench.alone import in_groups
from services.ranker.pairs import Pair


def test_groups_are_of_like_length_and_hold_every_pair_once() -> None:
    pairs = [Pair([0] * length, [0] * length) for length in (30, 10, 31, 10, 29, 60)]
    groups = in_groups(pairs, 100)
    assert [[len(pair.ids) for pair in group] for group in groups] == [[10, 10, 29], [30, 31], [60]]
    assert in_groups(pairs[:1], 20) == [pairs[:1]]
