"""Numbers with units in a text, each as one word whatever its unit is called: "1.5L" and "1500 毫升" are "1500ml"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

# Base unit, and its other names with how many of the base they are. Inches and centimetres stay apart: shops round
# them, and who asks for 17 inches does not mean all that is 43 cm long.
_UNITS: dict[str, dict[str, float]] = {
    "ml": {"ml": 1, "cl": 10, "dl": 100, "l": 1_000, "liter|litre|liters|litres": 1_000, "毫升": 1, "升|公升": 1_000},
    "g": {"mg": 0.001, "g": 1, "kg": 1_000, "毫克": 0.001, "克": 1, "千克|公斤": 1_000, "斤": 500},
    "mm": {"mm": 1, "cm": 10, "m|meter|metre|meters|metres": 1_000, "毫米": 1, "厘米|公分": 10, "米": 1_000},
    "inch": {"inch|inches|\"|′′|”|''": 1, "寸|英寸|吋": 1},
    "ft": {"ft|feet|foot|英尺": 1},
    "oz": {"oz|ounce|ounces|盎司": 1},
    "lb": {"lb|lbs|pound|pounds|磅": 1},
    "mb": {"kb": 0.001, "mb": 1, "gb": 1_000, "tb": 1_000_000},
    "hz": {"hz|赫兹": 1, "khz": 1e3, "mhz": 1e6, "ghz": 1e9},
    "w": {"w|watt|watts": 1, "kw": 1_000, "瓦": 1, "千瓦": 1_000},
    "wh": {"wh": 1, "kwh": 1_000},
    "mah": {"mah|毫安|毫安时": 1, "ah": 1_000},
    "v": {"v|volt|volts|伏": 1},
    "mp": {"mp|megapixel|megapixels": 1, "万像素": 0.01},
}
_FACTORS = {
    name: (base, float(factor))
    for base, names in _UNITS.items()
    for many, factor in names.items()
    for name in many.split("|")
}
# The longest name first. A Latin unit ends where its letters end; no number is taken out of a model's ("wh-1000xm5").
# It begins with a digit, so that `re` leaps from digit to digit, and looks behind that only then.
_NAMES = "|".join(map(re.escape, sorted(_FACTORS, key=len, reverse=True)))
_QUANTITY = re.compile(
    r"(\d(?<![a-z0-9.,/-]\d)(?:\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d*(?:[.,]\d{1,3})?))[ -]?(" + _NAMES + r")(?![a-z0-9])"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and unit at `start` <= character < `end` of a normalised text; `word` is what it is in base units."""

    start: int
    end: int
    word: str
    number: str


def quantities(text: str) -> Iterator[Quantity]:
    """The quantities of a normalised text, in order."""
    for match in _QUANTITY.finditer(text):
        yield Quantity(match.start(), match.end(), *_said(*match.groups()))


def quantity_words(text: str) -> list[str]:
    """The words of the quantities of a normalised text, in order."""
    return [_said(number, unit)[0] for number, unit in _QUANTITY.findall(text)]


# A shop's products repeat their sizes.
@lru_cache(maxsize=4_096)
def _said(number: str, unit: str) -> tuple[str, str]:
    """The word of a quantity, and its number."""
    counted = _number(number)
    base, factor = _FACTORS[unit]
    return f"{counted * factor:.10g}{base}", f"{counted:.10g}"


def _number(text: str) -> float:
    if "," not in text:
        return float(text)
    # A comma divides thousands where three digits follow it each time, and decimals where fewer do.
    thousands = "." in text or all(len(part) == 3 for part in text.split(",")[1:])
    return float(text.replace(",", "" if thousands else "."))
