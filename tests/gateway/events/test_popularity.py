"""Decay over the years: units stay within a float, and eras change without a jump."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from gateway.events.popularity import Decay, segments
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
