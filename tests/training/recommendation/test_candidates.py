"""Candidates of many visitors at once: who finds what, what is left out, and what nobody knows."""

import numpy as np

from gateway.recommendation.features import FEATURES
from training.recommendation.candidates import Als, Candidates, ProductFacts, Sources, candidates
from training.recommendation.histories import NOTHING_KNOWN, History, basket_of, history_of
from vitrine.learned_products import Neighbours
from vitrine.ports import Relation

_COUNT = 6
_VIEW, _PURCHASE = 4, 10


def sources(**changes: object) -> Sources:
    """Six products: 0 is the most popular, 5 has no event; item-item leads from 1 to 2 and 3."""
    given: dict[str, object] = {
        "trained_events": np.array([9, 5, 4, 3, 2, 0]),
        "popular": np.array([1.0, 0.5, 0.4, 0.3, 0.2, 0.0], np.float32),
        "neighbours": {
            Relation.ITEM_ITEM: Neighbours(
                np.array([0, 0, 2, 2, 2, 2, 2]), np.array([2, 3]), np.array([0.8, 0.2], np.float32)
            )
        },
    }
    return Sources(**given | changes)  # type: ignore[arg-type]


def only(found: Sources, history: History, depth: int = 10) -> Candidates:
    (one,) = candidates(found, [history], depth)
    return one


def feature(found: Candidates, name: str) -> dict[int, float]:
    column = found.features[:, FEATURES.index(name)]
    return dict(zip(found.products.tolist(), column.round(3).tolist(), strict=True))


def test_every_source_proposes_and_what_was_seen_is_left_out() -> None:
    found = only(sources(), history_of(np.array([1, 4]), [_VIEW, _VIEW]), depth=2)
    assert found.products.tolist() == [0, 2, 3]
    assert feature(found, "item_item_known") == {0: 0, 2: 1, 3: 1}


def test_who_is_not_known_gets_what_is_popular_and_no_relation() -> None:
    found = only(sources(), NOTHING_KNOWN)
    assert found.products.tolist() == [0, 1, 2, 3, 4]
    assert set(found.scores) == {"popular"}
    assert feature(found, "history_length")[0] == 0


def test_a_block_of_visitors_gives_what_each_gets_alone() -> None:
    rng = np.random.default_rng(0)
    text = rng.normal(size=(_COUNT, 4)).astype(np.float32)
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    factors = rng.normal(size=(_COUNT, 3)).astype(np.float32)
    factors[5] = 0
    full = sources(text=text, als=Als(factors, 0.1, 2.0), behaviour=text, encode=lambda block: text[: len(block)] * 0)
    histories = [history_of(np.array([1]), [_VIEW]), NOTHING_KNOWN, history_of(np.array([5, 2]), [_VIEW, _PURCHASE])]
    for together, history in zip(candidates(full, histories, 10), histories, strict=True):
        alone = only(full, history)
        assert together.products.tolist() == alone.products.tolist()
        np.testing.assert_allclose(together.features, alone.features, atol=1e-5)


def test_als_knows_nothing_of_a_product_without_events() -> None:
    factors = np.ones((_COUNT, 2), np.float32)
    factors[5] = 0
    text = np.eye(_COUNT, dtype=np.float32)
    found = only(sources(als=Als(factors, 0.1, 1.0), text=text), history_of(np.array([1]), [_VIEW]))
    assert feature(found, "als_known") == {0: 1, 2: 1, 3: 1, 4: 1, 5: 0}
    assert feature(found, "new")[5] == 1


def test_what_the_catalogue_says_of_products_like_those_of_the_history() -> None:
    facts = ProductFacts(
        categories=("shoes", "shoes", "hats", "shoes", "", "hats"),
        brands=("Acme", "Acme", "Zeta", "Zeta", "", ""),
        prices=np.array([20, 10, 10, np.nan, 5, 1], np.float32),
    )
    found = only(sources(facts=facts), history_of(np.array([1]), [_VIEW]))
    assert feature(found, "category_share") == {0: 1, 2: 0, 3: 1, 4: 0}
    assert feature(found, "brand_share") == {0: 1, 2: 0, 3: 0, 4: 0}
    assert feature(found, "price_fit") == {0: 0.5, 2: 1, 3: 0, 4: 0.5}
    assert feature(found, "popular_in_category")[0] == 1
    assert feature(found, "popular_in_category")[2] == 0


def test_a_basket_asks_for_what_goes_with_it_and_leaves_out_what_was_bought() -> None:
    known = history_of(np.array([0, 3]), [_PURCHASE, _VIEW])
    basket = basket_of(np.array([1]), known.left_out)
    found = only(sources(), basket)
    assert found.products.tolist() == [2, 4]
    assert feature(found, "goes_with") == {2: 1, 4: 1}


def test_later_products_of_a_history_weigh_more_and_purchases_twice() -> None:
    history = history_of(np.array([4, 2, 3]), [_VIEW, _PURCHASE, _VIEW])
    assert history.items.tolist() == [4, 2, 3]
    assert history.liked.tolist() == [3, 2, 4]
    assert history.weights[1] > history.weights[0] > history.weights[2] > 0
    assert history.left_out.tolist() == [2, 3, 4]
