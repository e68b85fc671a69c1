import numpy as np
import pytest
from scipy import sparse

from training.recommendation.co_purchase import CoPurchaseSettings, co_purchases
from training.recommendation.collaborative import (
    AlsSettings,
    ItemItemSettings,
    choose_item_item,
    item_item,
    train_als,
)
from training.recommendation.interactions import Interactions, interactions
from training.recommendation.neighbours import found_at, heaviest, shrunk
from vitrine.v1 import user_event_pb2

_PURCHASE = user_event_pb2.EVENT_TYPE_PURCHASE


def _of(histories: list[list[int]], products: int, times: list[list[float]] | None = None) -> Interactions:
    at = times or [list(map(float, range(len(history)))) for history in histories]
    rows = [
        (visitor, product, time)
        for visitor, (history, own) in enumerate(zip(histories, at, strict=True))
        for product, time in zip(history, own, strict=True)
    ]
    visitors, chosen, moments = map(np.array, zip(*rows, strict=True))
    kinds = np.full(len(rows), _PURCHASE)
    return interactions(visitors, chosen, moments.astype(float), kinds, [str(one) for one in range(products)])


def test_item_item_counts_followers_once_and_leaders_by_the_backward_share() -> None:
    learned = item_item(
        _of([[0, 1], [0, 1], [2]], 4), ItemItemSettings(backward=0.3, anchor_power=0, power=0)
    ).toarray()

    # Two histories of two events, each of weight 1 / sqrt(2).
    assert learned[0, 1] == pytest.approx(2 / np.sqrt(2))
    assert learned[1, 0] == pytest.approx(0.3 * 2 / np.sqrt(2))
    assert np.count_nonzero(learned) == 2


def test_events_of_one_time_have_no_order() -> None:
    learned = item_item(
        _of([[0, 1]], 2, [[5.0, 5.0]]), ItemItemSettings(backward=0.0, anchor_power=0, power=0)
    ).toarray()

    assert learned[0, 1] == learned[1, 0] == pytest.approx(0.5 / np.sqrt(2))


def test_order_is_used_where_it_foretells_and_not_where_it_misleads() -> None:
    # Products go round: the next is always the one after.
    onward = _of([[start % 8, (start + 1) % 8, (start + 2) % 8] for start in range(40)], 8)
    # 1 comes after 0, and more seldom before 2; but those who have 1 turn to 0.
    backward = [[0, 1]] * 20 + [[1, 2]] * 10
    backward = [[*pair, 3 + visitor] for visitor, pair in enumerate(backward)]
    backward += [[33 + visitor, 1, 0] for visitor in range(10)]

    assert choose_item_item(onward).backward == 0.3
    assert choose_item_item(_of(backward, 43)).backward == 1.0


def test_nothing_is_learned_of_products_without_events_nor_of_single_events() -> None:
    alone = _of([[0], [1]], 3)

    assert item_item(alone).nnz == 0
    assert co_purchases(alone).nnz == 0
    factors = train_als(alone, AlsSettings(factors=4)).factors
    assert factors[:2].any(axis=1).all()
    assert not factors[2].any()


def test_als_places_products_of_the_same_visitors_together_and_the_same_each_time() -> None:
    known = _of([[0, 1, 2]] * 6 + [[3, 4, 5]] * 6, 6)
    settings = AlsSettings(factors=4)
    first = train_als(known, settings)

    np.testing.assert_array_equal(first.factors, train_als(known, settings).factors)
    alike = first.factors @ first.factors.T
    assert alike[0, 1] > 10 * abs(alike[0, 4])
    assert (first.alpha, first.regularization) == (settings.alpha, settings.regularization)


def test_co_purchases_are_shares_of_the_anchors_baskets() -> None:
    # Two baskets of tea (0) and pot (1), one of tea alone, and one pair that came once.
    known = _of([[0, 1], [0, 1], [0], [2, 3]], 4, [[1.0, 1.0], [1.0, 1.0], [1.0], [1.0, 1.0]])
    learned = co_purchases(known, CoPurchaseSettings(basket_power=0, power=0, least=2, doubt=1)).toarray()

    assert learned[0, 1] == pytest.approx(2 / (3 + 1))
    assert learned[1, 0] == pytest.approx(2 / (2 + 1))
    assert np.count_nonzero(learned) == 2


def test_baskets_are_purchases_of_one_time() -> None:
    apart = _of([[0, 1]] * 3, 2, [[1.0, 2.0]] * 3)

    assert co_purchases(apart).nnz == 0


def test_the_heaviest_of_each_row_stay_and_the_shrunk_have_no_diagonal() -> None:
    pairs = sparse.csr_array(np.array([[9.0, 1, 2, 2], [4, 9, 0, 0], [0, 0, 0, 0], [0, 0, 0, 9]]))

    weighted = shrunk(pairs, np.array([4, 1, 1, 1]), 0.5, 0.0)
    np.testing.assert_allclose(weighted.toarray()[0], [0, 0.5, 1, 1])
    np.testing.assert_allclose(heaviest(weighted, 1).toarray(), [[0, 0, 1, 0], [4, 0, 0, 0], [0] * 4, [0] * 4])


def test_places_are_counted_without_what_is_left_out() -> None:
    scores = sparse.csr_array(np.array([[3.0, 2.0, 1.0], [3.0, 0.0, 1.0]]))
    out = sparse.csr_array(np.array([[0.5, 0, 0], [0, 0, 0]]))

    np.testing.assert_array_equal(found_at(scores, np.array([2, 1]), out), [1, np.inf])
