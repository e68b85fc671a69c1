"""Blending lists, and the order that diversity gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.recommendation.blend import CandidateList, Proposal, blended
from gateway.recommendation.diversity import diversified
from gateway.recommendation.query import Recommendation, Source
from vitrine.product import Product


def listed(source: Source, share: float, *ids: str) -> CandidateList:
    return CandidateList(source, share, [Proposal(Product(one, f"title {one}")) for one in ids])


def recommended(product_id: str, score: float, category: str = "", brand: str = "") -> Recommendation:
    return Recommendation(Product(product_id, "t", brand=brand, categories=(category,) if category else ()), score, ())


@given(
    st.lists(
        st.tuples(st.floats(0.01, 10), st.lists(st.sampled_from("abcdefghij"), unique=True, max_size=10)), max_size=5
    )
)
def test_scores_are_the_sums_of_their_reasons_and_no_product_is_there_twice(
    given_lists: list[tuple[float, list[str]]],
) -> None:
    found = blended([listed(Source.HISTORY, share, *ids) for share, ids in given_lists])
    assert {one.product.id for one in found} == {product_id for _, ids in given_lists for product_id in ids}
    assert len({one.product.id for one in found}) == len(found)
    assert found == sorted(found, key=lambda one: (-one.score, one.product.id))
    for one in found:
        assert one.score == pytest.approx(sum(reason.contribution for reason in one.reasons))
        assert all(reason.contribution > 0 for reason in one.reasons)


def test_each_list_has_its_share_of_the_places() -> None:
    many = listed(Source.HISTORY, 4.0, *(f"h{number:02}" for number in range(50)))
    few = listed(Source.PROFILE, 1.0, *(f"p{number:02}" for number in range(50)))
    first = [one.product.id for one in blended([many, few])[:20]]
    assert sum(product_id.startswith("p") for product_id in first) == 4
    assert first[0] == "h00"


def test_ties_are_broken_by_id() -> None:
    lists = [listed(Source.HISTORY, 1.0, "b"), listed(Source.PROFILE, 1.0, "a"), listed(Source.SEARCHED, 1.0, "c")]
    assert [one.product.id for one in blended(lists)] == ["a", "b", "c"]


def test_one_more_of_a_kind_stands_back_as_far_as_asked_for() -> None:
    scored = [
        recommended("w1", 1.0, "Electronics > Watches", "Zeta"),
        recommended("w2", 0.95, "Electronics > Watches", "Zeta"),
        recommended("e1", 0.93, "Electronics > Phones", "Acme"),
        recommended("s1", 0.9, "Shoes", "Acme"),
        recommended("none", 0.5),
    ]
    products = [one.product for one in scored]
    relevance = np.array([one.score for one in scored])

    def shown(count: int, diversity: float) -> list[str]:
        return [products[place].id for place in diversified(products, relevance, count, diversity)]

    assert shown(5, 0.0) == ["w1", "w2", "e1", "s1", "none"]
    assert shown(3, 0.3) == ["w1", "s1", "e1"]
    assert len(shown(9, 1.0)) == 5
    assert diversified([], np.zeros(0), 3, 0.3) == []
