"""Rankings over the wire, from servers of other versions too."""

import pytest

from vitrine.messages.ranker import ranking_from_message, ranking_to_message
from vitrine.ports import RankedCandidate, Ranking
from vitrine.v1 import ranker_service_pb2

RANKED = tuple(RankedCandidate(index, name, 1.0, 1.0, 0.5) for index, name in enumerate("abc"))


@pytest.mark.parametrize("read_pairs", [0, 2, 3])
def test_a_ranking_comes_back_with_how_many_pairs_were_read(read_pairs: int) -> None:
    ranking = Ranking(RANKED, "sha256:0", read_pairs=read_pairs)
    assert ranking_from_message(ranking_to_message(ranking)) == ranking


def test_a_server_that_does_not_tell_has_read_each_pair() -> None:
    """Else a gateway beside rankers of before would never learn what a pair costs, and ask for four at a time."""
    old: ranker_service_pb2.RankResponse = ranking_to_message(Ranking(RANKED, "sha256:0"))
    old.ClearField("read_pairs")
    assert ranking_from_message(old).read_pairs == 3
