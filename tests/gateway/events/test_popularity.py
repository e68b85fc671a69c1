"""Decay over the years: units stay within a float, and eras change without a jump."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from gateway.events.popularity import Decay, risen, segments
from vitrine.user_event import EventProduct, EventType, UserEvent

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("half_life_days", [0.1, 1.0, 7.0, 365.0])
def test_a_weight_halves_with_each_half_life_whatever_the_era(half_life_days: float) -> None:
    decay = Decay(half_life_days)
    for step in range(0, 3_000, 37):
        then = START + timedelta(days=step * half_life_days / 5)
        units = decay.growth(then)
        assert math.isfinite(units * 1e9)
        for half_lives in (0, 1, 10, 63):
            now = then + timedelta(days=half_lives * half_life_days)
            assert units * decay.share(decay.era(then), now) == pytest.approx(2.0**-half_lives, rel=1e-3)


def test_what_is_forgotten_weighs_nothing() -> None:
    decay = Decay(1.0)
    assert decay.share(decay.era(START), START + timedelta(days=2_000)) == 0.0


def test_a_product_is_counted_under_all_the_country_and_each_level_of_its_category() -> None:
    event = UserEvent("e", EventType.VIEW_ITEM, "v", products=(EventProduct("p"),), country_code="CN")
    assert list(segments(event, "A > B > C")) == [
        "all",
        "country:CN",
        "category:A",
        "category:A > B",
        "category:A > B > C",
    ]


def test_risen_is_what_has_more_of_the_weight_than_it_used_to() -> None:
    usual = {"steady": 70.0, "risen": 7.0, "faded": 70.0}
    # Three quarters of all is steady and faded; a shop that is busier by half has no trend by that.
    assert risen({"steady": 10.0, "risen": 1.0, "faded": 10.0}, usual) == {}
    assert risen({"steady": 15.0, "risen": 1.5, "faded": 15.0}, usual) == {}
    found = risen({"steady": 10.0, "risen": 9.0, "faded": 2.0}, usual)
    assert found == {"risen": pytest.approx(math.log2(9.0 / 1.0))}


def test_a_few_clicks_more_are_no_trend_and_neither_is_a_new_shop() -> None:
    assert risen({"one": 3.0, "other": 1.0}, {"one": 10.0, "other": 10.0}) == {}
    assert risen({"one": 3.0, "other": 1.0}, {"one": 3.0, "other": 1.0}) == {}
    assert risen({}, {}) == {}
