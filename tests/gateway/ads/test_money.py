"""Money in whole smallest units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ads.money import amount_of, smallest, units_of


@pytest.mark.parametrize(
    ("amount", "code", "units"),
    [
        (0.29, "CNY", 29),
        (0.1 + 0.2, "EUR", 30),
        (19.99, "USD", 1_999),
        (7.0, "JPY", 7),
        (0.125, "KWD", 125),
        (0.005, "CNY", None),
        (0.5, "JPY", None),
    ],
)
def test_an_amount_is_a_number_of_smallest_units_or_refused(amount: float, code: str, units: int | None) -> None:
    assert units_of(amount, code) == units


def test_the_smallest_amount_is_told_as_people_write_it() -> None:
    assert [smallest(code) for code in ("CNY", "JPY", "TND", "CLF")] == ["0.01", "1", "0.001", "0.0001"]


@given(st.integers(0, 10**12), st.sampled_from(["CNY", "JPY", "KWD"]))
def test_there_and_back_is_the_same(units: int, code: str) -> None:
    assert units_of(amount_of(units, code), code) == units
