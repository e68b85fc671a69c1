"""Prices as shops write them: "1.299,00 €", "¥1,299", "15.00 USD"."""

import math
import re
import unicodedata
from contextlib import suppress
from decimal import Decimal
from typing import Any

# Signs that one currency uses, or one far more than others; of `_SHARED` a currency beside the price decides.
_SIGNS = {
    "€": "EUR", "£": "GBP", "$": "USD", "US$": "USD", "HK$": "HKD", "NT$": "TWD", "A$": "AUD", "AU$": "AUD",
    "C$": "CAD", "CA$": "CAD", "S$": "SGD", "NZ$": "NZD", "MX$": "MXN", "R$": "BRL", "¥": "CNY", "元": "CNY",
    "人民币": "CNY", "RMB": "CNY", "CN¥": "CNY", "円": "JPY", "JP¥": "JPY", "₩": "KRW", "원": "KRW", "₹": "INR",
    "RS": "INR", "₽": "RUB", "₺": "TRY", "₫": "VND", "฿": "THB", "₴": "UAH", "₪": "ILS", "ZŁ": "PLN", "KČ": "CZK",
    "FT": "HUF", "₱": "PHP", "РУБ": "RUB", "LEI": "RON", "ЛВ": "BGN", "ГРН": "UAH",
}  # fmt: skip
_SHARED = {
    "$": frozenset({"USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP"}),
    "¥": frozenset({"CNY", "JPY"}),
    "KR": frozenset({"SEK", "NOK", "DKK", "ISK"}),
    "R": frozenset({"ZAR"}),
}
_CODE = re.compile(r"[A-Z]{3}")
_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_PLAIN = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_PARTS = re.compile(r"(?P<before>[^\d+-]*)(?P<amount>[+-]?\s*\d[\d.,'\s]*)(?P<after>\D*)")
_SHOWN_CHARACTERS = 40


def shared_sign(value: Any) -> str:
    """The sign that is all that a price says of its currency, where several use it; "" for any other price."""
    if not isinstance(value, str):
        return ""
    sign = re.sub(r"[\d\s.,'’-]", "", unicodedata.normalize("NFKC", value)).upper()
    return sign if sign in _SHARED else ""


def read_money(value: Any, currency_code: str = "") -> tuple[float, str]:
    """The amount, and the ISO 4217 code that the price itself names, or `currency_code`, as for a sign that is shared.

    A number without a currency is read as programs write it (1.299 is less than two); with one, or with a comma, three
    digits after the only separator are thousands, but in currencies of three decimals.
    Raises ValueError saying what is wrong and how to write it.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise ValueError(f"is a {type(value).__name__}; give a number")
    if not isinstance(value, str) or _PLAIN.fullmatch(value.strip()):
        with suppress(ValueError, OverflowError):
            if math.isfinite(amount := float(value)):
                return amount, currency_code
        raise ValueError(_not_a_number(str(value)))
    text = unicodedata.normalize("NFKC", value).replace("’", "'").replace("−", "-").strip()
    text = f"0{text}" if re.match(r"[.,]\d", text) else text
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ValueError(_not_a_number(value))
    # "12,-" and "12.–" are twelve.
    after = re.sub(r"^[\s.,]*[-–—]+", "", parts["after"])
    named = _currency(f"{parts['before'].strip()} {after.strip()}".strip(), currency_code, value)
    amount = _amount(parts["amount"], named, value, is_money=named != "")
    return amount, named or currency_code


def _currency(sign: str, beside: str, value: str) -> str:
    """The code that the text around an amount names; "" for none."""
    sign = sign.upper().strip().rstrip(".")
    if not sign or beside in _SHARED.get(sign, ()):
        return beside if sign else ""
    code = _SIGNS.get(sign, sign)
    if not _CODE.fullmatch(code):
        raise ValueError(f"{_shown(value)} names no currency that is known; write for example 1299.90 EUR")
    return code


def _amount(text: str, currency: str, value: str, *, is_money: bool) -> float:
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text.lstrip("+"))
    digits = digits.strip().rstrip(".,")
    marks = [mark for mark in ".,' " if mark in re.sub(r"\s", " ", digits)]
    digits = re.sub(r"\s", " ", digits)
    decimal_mark = _decimal_mark(digits, marks, currency, is_money=is_money)
    whole, _, decimals = digits.rpartition(decimal_mark) if decimal_mark else (digits, "", "")
    grouping = [mark for mark in marks if mark in whole]
    if len(grouping) > 1 or any(mark in decimals for mark in marks):
        raise ValueError(_not_a_number(value))
    for mark in grouping:
        # Groups of three; of two before the last in India.
        if not re.fullmatch(rf"\d{{1,3}}({re.escape(mark)}\d{{2,3}})*{re.escape(mark)}\d{{3}}", whole):
            raise ValueError(_not_a_number(value))
        whole = whole.replace(mark, "")
    amount = float(f"{sign}{whole}.{decimals or 0}")
    if not math.isfinite(amount):
        raise ValueError(_not_a_number(value))
    return amount


def _decimal_mark(digits: str, marks: list[str], currency: str, *, is_money: bool) -> str:
    """Which of the marks divides whole from decimals; "" for none."""
    points = sorted((mark for mark in marks if mark in ".,"), key=digits.rfind)
    if not points:
        return ""
    last = points[-1]
    if digits.count(last) > 1:
        return ""
    whole, _, decimals = digits.rpartition(last)
    if len(points) > 1 or len(decimals) != 3 or not re.fullmatch(r"[1-9][\d ']*", whole):
        return last
    if currency in _THREE_DECIMALS or (last == "." and not is_money):
        return last
    return ""


def _not_a_number(value: str) -> str:
    return f"{_shown(value)} is not a number; write for example 1299.90"


def _shown(value: str) -> str:
    return repr(value[:_SHOWN_CHARACTERS])
