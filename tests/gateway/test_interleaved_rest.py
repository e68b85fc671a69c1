"""Two orders as one where most candidates are told by columns alone."""

from gateway.ranking import Ordered, interleaved
from gateway.search import RankScores
from vitrine.ports import BareCandidates, Candidate
from vitrine.product import Product

RANK = RankScores(0.0, 0.5, 0.5)


def order(ids: str, rest: str) -> Ordered:
    """An order of candidates with products, the first two ranked, and a rest without; scores fall from 1."""
    found = [Candidate(one, 1.0 - place / 8, (), Product(id=one, title=one)) for place, one in enumerate(ids)]
    scores = [0.25 - place / 64 for place in range(len(rest))]
    return Ordered(found, [RANK, RANK], rest=BareCandidates(list(rest), scores))


def test_none_is_lost_or_told_twice_and_the_first_have_their_products() -> None:
    first, second = order("abcd", "efg"), order("exab", "cyf")
    drafted, teams = interleaved(first, second, "seed")
    assert len(teams) == len(drafted.ranks) == 2
    assert drafted.ranks == [RANK, RANK]
    told = [one.product_id for one in drafted.candidates] + list(drafted.rest.product_ids)
    assert sorted(told) == list("abcdefgxy")
    assert all(one.product is not None for one in drafted.candidates)
    assert len(drafted.rest.product_ids) == len(drafted.rest.scores)
    # What both tell without a product, or one of them behind such, stays in columns.
    assert {"f", "g", "y"} <= set(drafted.rest.product_ids)
