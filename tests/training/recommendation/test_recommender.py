"""Training of all parts: nothing is judged by an event that it has seen."""

import numpy as np
from scipy import sparse

from gateway.recommendation.features import FEATURES
from tests.training.recommendation.conftest import TrainedShop
from training.recommendation.candidates import Sources
from training.recommendation.fusion import FusionSettings
from training.recommendation.histories import histories_of
from training.recommendation.interactions import Interactions, interactions
from training.recommendation.recommender import (
    _without_last_of,
    last_event_lists,
    neighbours_of,
    popular_weights,
    ranked,
)
from training.sources.catalogue import read_products

_VIEW, _CART, _PURCHASE = 4, 6, 10


def made(rows: list[tuple[int, int, float, int]], products: int = 5) -> Interactions:
    """Interactions of (visitor, product, time, type)."""
    visitors, numbers, times, types = (np.array(column) for column in zip(*rows, strict=True))
    return interactions(visitors, numbers, times.astype(float), types, [f"p{one}" for one in range(products)])


def test_lists_hold_the_last_product_and_only_what_was_known_before() -> None:
    learned = made([(0, 0, 0, _VIEW), (0, 1, 1, _VIEW), (1, 2, 0, _VIEW)])
    counts = learned.without_last(1).product_counts()
    early = Sources(trained_events=counts, popular=np.array([1, 0.5, 0.4, 0.3, 0.2], np.float32))
    settings = FusionSettings(anonymous=0.0)
    lists = last_event_lists(learned, learned.without_last(1), learned, early, settings)
    assert (len(lists), lists.asked) == (2, 2)
    sizes = np.diff(lists.bounds)
    # Visitor 0 has seen product 0; of visitor 1 nothing was known.
    assert sorted(sizes.tolist()) == [4, 5]


def test_a_basket_is_asked_for_its_last_product() -> None:
    learned = made([(0, 0, 0, _PURCHASE), (0, 1, 0, _PURCHASE), (1, 2, 0, _VIEW)])
    early = Sources(trained_events=learned.product_counts(), popular=np.linspace(1, 0.1, 5).astype(np.float32))
    lists = last_event_lists(learned, learned.without_last(1), learned, early, FusionSettings(anonymous=0.0))
    assert lists.asked == 3
    flags = lists.features[lists.bounds[:-1], FEATURES.index("goes_with")]
    assert sorted(flags.tolist()) == [0, 0, 1]


def test_baskets_without_the_last_product() -> None:
    learned = made([(0, 0, 0, _VIEW), (0, 1, 5, _PURCHASE)])
    baskets = made([(0, 0, 1, _PURCHASE), (0, 1, 1, _PURCHASE), (0, 1, 5, _PURCHASE)])
    assert _without_last_of(learned, baskets).products.tolist() == [0]


def test_popularity_goes_by_what_was_done_and_halves() -> None:
    day = 86_400.0
    learned = made([(0, 0, 0, _PURCHASE), (1, 1, 7 * day, _VIEW), (2, 2, 7 * day, _CART)])
    np.testing.assert_allclose(popular_weights(learned, 7.0), [2.5 / 3, 1 / 3, 1, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(popular_weights(learned, None), [1, 0.2, 0.6, 0, 0], rtol=1e-6)


def test_neighbours_come_heaviest_first_without_those_of_no_weight() -> None:
    weights = sparse.csr_array(np.array([[0, 1, 2], [0, 0, 0], [0.5, -1, 0]], np.float32))
    found = neighbours_of(weights)
    assert found.starts.tolist() == [0, 2, 2, 3]
    assert found.products.tolist() == [2, 1, 0]
    assert found.weights.tolist() == [2, 1, 0.5]


def test_the_engine_finds_what_follows_better_than_what_is_popular(trained_shop: TrainedShop) -> None:
    """Visitors go from a product to the next of its kind: so does the ranking."""
    parts = trained_shop.trained.parts
    ids = list(parts_ids(trained_shop))
    histories = [histories_of(made([(0, ids.index(f"p{kind}-2"), 0, _VIEW)], len(ids)))[0] for kind in range(4)]
    found = ranked(parts, histories, 5, ("engine", "popular"))
    hits = {
        name: sum(f"p{kind}-3" in [ids[one] for one in rows[kind]] for kind in range(4)) for name, rows in found.items()
    }
    assert hits["engine"] >= 3 > hits["popular"]


def test_a_ranking_is_of_the_asked_length_filled_up_with_none(trained_shop: TrainedShop) -> None:
    ids = parts_ids(trained_shop)
    history = histories_of(made([(0, 0, 0, _VIEW)], len(ids)))[0]
    rows = ranked(trained_shop.trained.parts, [history], 100, ("engine",))["engine"][0]
    shown = rows[rows >= 0]
    assert sorted(shown.tolist()) == list(range(1, len(ids)))
    assert (rows[len(shown) :] == -1).all()


def parts_ids(shop: TrainedShop) -> tuple[str, ...]:
    return tuple(product.id for product in read_products([shop.catalogue], None, print))
