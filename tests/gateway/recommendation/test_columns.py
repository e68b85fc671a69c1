"""What features read of a call's candidates; where nothing is known there is NaN, and never an error."""

from datetime import UTC, datetime, timedelta
from math import isnan, nan

import numpy as np
import pytest

from gateway.recommendation.columns import Evidence, TextMatches, columns_of
from gateway.recommendation.features import COLUMNS, FEATURES, features
from gateway.recommendation.query import Profile
from vitrine.ports import Related, Relation, RelationColumn
from vitrine.product import Availability, Product

NOW = datetime(2026, 1, 31, tzinfo=UTC)
SHOE = Product(
    id="shoe", title="shoe", brand="Acme", categories=("Shoes > Red",), price=50.0, currency_code="EUR",
    language="en", update_time=NOW - timedelta(days=30),
)  # fmt: skip
BARE = Product(id="bare", title="x")
LATER = Product(id="later", title="x", availability=Availability.PREORDER, price=9.0, currency_code="CNY")


def candidates() -> Related:
    def known_of_first(score: float) -> RelationColumn:
        return RelationColumn(np.zeros(3, np.int64), np.array([score, nan, nan], np.float32), np.full(3, -1))

    relations = {Relation.TEXT: known_of_first(0.75), Relation.ALS: known_of_first(-0.5)}
    return Related((SHOE, BARE, LATER), relations, np.array([7, 0, 3]), (), (), "", 1)


def test_154_of_a_product_without_anything_nothing_is_known() -> None:
    columns = columns_of(candidates(), Evidence(), NOW)
    assert set(columns) <= set(COLUMNS)
    known = {"trained_events", "not_in_stock"}
    assert {name for name, values in columns.items() if not isnan(values[1])} == known
    read = features(columns, 0, 3)
    assert read.shape == (3, len(FEATURES))
    assert np.isfinite(read).all()
    assert {name for name, value in zip(FEATURES, read[1], strict=True) if value} == {"new"}


def test_each_column_is_what_its_source_says() -> None:
    liked = Product(id="liked", title="l", brand="Acme", categories=("Shoes > Red",), price=25.0, currency_code="EUR")
    evidence = Evidence(
        anchors=[(liked, 3.0), (BARE, 1.0)],
        seen={"shoe": 2},
        popular={"shoe": 0.5},
        popular_in_category={"Shoes": {"shoe": 0.25, "bare": 1.0}, "Hats": {"shoe": 1.0}},
        popular_in_country={"later": 1.0},
        trending={"shoe": 2.0},
        searched=TextMatches("red", {"shoe": 1.0}, {"shoe": 0.5}),
        stated=Profile(languages=("en",)),
    )
    columns = {name: values[0] for name, values in columns_of(candidates(), evidence, NOW).items()}
    assert columns == pytest.approx(
        {
            "text": 0.75,
            "als": -0.5,
            "trained_events": 7.0,
            "popular": 0.5,
            # Of a category that it does not lie in, the weight is no word about it.
            "popular_in_category": 0.25,
            "popular_in_country": nan,
            "trending": 2.0,
            "searched": 0.5,
            "searched_rank": 1.0,
            "profile_fit": 1.0,
            "seen": 2.0,
            "age_days": 30.0,
            "not_in_stock": 0.0,
            "category_share": 0.75,
            "brand_share": 0.75,
            "price_fit": 0.5,
        },
        nan_ok=True,
    )
    later = {name: values[2] for name, values in columns_of(candidates(), evidence, NOW).items()}
    assert later["not_in_stock"] == 1.0
    # A price of another currency says nothing.
    assert isnan(later["price_fit"])
