"""p(click): expectation and correction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ads.click_probability import Shown, corrected, relevance_probability, scaled

shown = st.builds(Shown, st.integers(0, 10**6), st.floats(0, 1e6))


def test_middling_relevance_gives_the_middling_rate() -> None:
    assert relevance_probability(0.5, 0.02) == pytest.approx(0.02)
    assert relevance_probability(1.0, 0.02) == pytest.approx(0.04)


def test_nothing_shown_corrects_nothing() -> None:
    assert corrected(0.03, Shown(), Shown()) == pytest.approx(0.03)


def test_a_product_is_corrected_by_its_campaign_and_then_by_itself() -> None:
    good = Shown(clicks=40, expected=20.0)
    # Odds of 1 to 50 times (40 + 2) / (20 + 2), for a product of the campaign that was not shown itself.
    odds = 0.02 / 0.98 * 42 / 22
    assert corrected(0.02, good, Shown()) == pytest.approx(odds / (1 + odds))
    # One that was shown 5 times what 1 click needs and has none: times (0 + 2 x 42 / 22) / (5 + 2).
    assert corrected(0.02, good, Shown(0, 5.0)) == pytest.approx(scaled(0.02, (2 * 42 / 22) / 7))


def test_what_is_scaled_stays_a_probability() -> None:
    assert scaled(0.001, 3.0) == pytest.approx(0.003, rel=0.01)
    assert scaled(0.5, 3.0) == pytest.approx(0.75)
    assert scaled(0.9, 1.0) == pytest.approx(0.9)


def test_one_lucky_click_says_little() -> None:
    assert corrected(0.02, Shown(1, 0.02), Shown(1, 0.02)) < 0.05


@given(st.floats(1e-6, 0.5), shown, shown)
def test_it_is_a_probability_that_grows_with_clicks(probability: float, campaign: Shown, product: Shown) -> None:
    now = corrected(probability, campaign, product)
    assert 0.0 < now < 1.0
    assert corrected(probability, campaign, Shown(product.clicks + 1, product.expected)) >= now
    assert corrected(probability, campaign, Shown(product.clicks, product.expected + 1)) <= now
