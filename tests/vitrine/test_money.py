"""Prices as shops write them."""

from decimal import Decimal
from typing import Any

import pytest

from vitrine.money import read_money, shared_sign


@pytest.mark.parametrize(
    ("value", "amount", "currency"),
    [
        (12, 12.0, ""),
        (Decimal("9.90"), 9.9, ""),
        ("15.00 USD", 15.0, "USD"),
        ("USD 15.00", 15.0, "USD"),
        ("1.299,00 €", 1299.0, "EUR"),
        ("1.299 €", 1299.0, "EUR"),
        ("1.299", 1.299, ""),
        ("1,299", 1299.0, ""),
        ("12,5", 12.5, ""),
        ("0,299", 0.299, ""),
        ("¥1,299", 1299.0, "CNY"),
        ("￥９９.９", 99.9, "CNY"),
        ("99元", 99.0, "CNY"),
        ("1 299,00 zł", 1299.0, "PLN"),
        ("1\u00a0299,00 €", 1299.0, "EUR"),
        ("1’299.00 CHF", 1299.0, "CHF"),
        ("1.299.000 ₫", 1299000.0, "VND"),
        ("₹1,29,999.00", 129999.0, "INR"),
        ("1.299 KWD", 1.299, "KWD"),
        ("12,- €", 12.0, "EUR"),
        ("US$ 1,299.50", 1299.5, "USD"),
        (".5 €", 0.5, "EUR"),
        ("12 руб.", 12.0, "RUB"),
        ("49,90 lei", 49.9, "RON"),
        ("-5 €", -5.0, "EUR"),
        ("1e3", 1000.0, ""),
    ],
)
def test_amount_and_currency_are_read(value: Any, amount: float, currency: str) -> None:
    assert read_money(value) == (amount, currency)


@pytest.mark.parametrize(
    "value", ["", "free", "10 - 20", "10.00-20.00", "10 20", "1,2,3", "1.299.00,5", "2 for 5 €", "nan"]
)
def test_what_is_no_single_amount_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"is not a number; write for example 1299.90|no currency that is known"):
        read_money(value)


def test_a_shared_sign_takes_the_currency_beside_it() -> None:
    assert read_money("¥500", "JPY") == (500.0, "JPY")
    assert read_money("$5", "CAD") == (5.0, "CAD")
    assert read_money("$5", "EUR") == (5.0, "USD")
    assert read_money("499 kr", "SEK") == (499.0, "SEK")
    assert read_money("R1 299.00", "ZAR") == (1299.0, "ZAR")
    assert read_money("5", "EUR") == (5.0, "EUR")
    with pytest.raises(ValueError, match="no currency that is known"):
        read_money("499 kr")
    assert [shared_sign(price) for price in ("￥5", "5 kr", "5 €", "5", 5)] == ["¥", "KR", "", "", ""]
