"""Money in whole smallest units of its currency (cents, fen, yen), so that sums are exact."""

from decimal import Decimal

# Beyond it a sum might leave the whole numbers that Lua and JSON hold exactly.
MAX_UNITS = 10**12
# ISO 4217: digits after the point where they are not 2.
_CODES_BY_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DIGITS = {code: digits for digits, codes in _CODES_BY_DIGITS.items() for code in codes.split()}
_TOLERANCE = Decimal("1e-6")


def units_of(amount: float, currency_code: str) -> int | None:
    """The amount in smallest units; None when it is finer than these. It must be finite."""
    exact = Decimal(repr(amount)).scaleb(_digits(currency_code))
    whole = round(exact)
    return whole if abs(exact - whole) <= _TOLERANCE else None


def amount_of(units: int, currency_code: str) -> float:
    """Smallest units as an amount."""
    return float(Decimal(units).scaleb(-_digits(currency_code)))


def smallest(currency_code: str) -> str:
    """The smallest amount, as people write it ("0.01")."""
    return f"{Decimal(1).scaleb(-_digits(currency_code)):f}"


def _digits(currency_code: str) -> int:
    return _DIGITS.get(currency_code, 2)
