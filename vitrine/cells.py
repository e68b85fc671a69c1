"""Values as rows of product files hold them, read as text, lists, numbers, choices, times and objects.

Each function raises ValueError saying what is wrong with the value, and the fix.
"""

import json
import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from vitrine.plain_text import plain_text
from vitrine.product import Availability, ProductKind
from vitrine.text import clean_text

AttributeValue = tuple[str, ...] | tuple[float, ...]
Choice = TypeVar("Choice", Availability, ProductKind)
# What feeds write beside the names of the choices themselves; schema.org's without their address.
_AVAILABILITIES = {
    Availability.IN_STOCK: (
        "instock", "available", "yes", "true", "limitedavailability", "instoreonly", "onlineonly", "madetoorder",
        "available_for_order", "有货", "现货", "有貨", "現貨",
    ),
    Availability.OUT_OF_STOCK: (
        "outofstock", "unavailable", "no", "false", "soldout", "sold_out", "discontinued", "reserved", "缺货",
        "无货", "售罄", "缺貨", "無貨",
    ),
    Availability.PREORDER: ("pre_order", "presale", "pre_sale", "预售", "預售", "预订", "預訂"),
    Availability.BACKORDER: ("back_order", "on_backorder"),
}  # fmt: skip
_COUNT = re.compile(r"_?\d+(\.\d+)?")  # "-5" came here as "_5"
_AVAILABILITY_NAMES = {name: choice for choice, names in _AVAILABILITIES.items() for name in names}


def is_filled(value: Any) -> bool:
    """Whether there is a value: not None, NaN or blank text."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return False
    return not (isinstance(value, str) and not value.strip())


def text_of(value: Any) -> str:
    """Text, or a number as text."""
    if isinstance(value, str):
        return value
    # A column of whole numbers with gaps is read as floats by most tools: 123.0 is the id 123.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"is a {type(value).__name__}; give text")


def texts_of(value: Any, split: str) -> list[str]:
    """A list, a JSON list in a text, or a text divided at each `split`."""
    if not is_filled(value):
        return []
    if isinstance(value, list):
        return [clean_text(text_of(item)) for item in value if is_filled(item)]
    text = clean_text(text_of(value))
    if text.startswith("["):
        try:
            return texts_of(json.loads(text), "")
        except json.JSONDecodeError:
            raise ValueError(f"{text[:40]!r} begins like a JSON list and is none") from None
    parts = text.split(split) if split else [text]
    return [part.strip() for part in parts if part.strip()]


def number_of(value: Any) -> float:
    """A number, or a text that is one as programs write it."""
    if isinstance(value, (str, int, float, Decimal)) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            raise ValueError(f"{str(value)[:40]!r} is not a number; write for example 1299.90") from None
    raise ValueError(f"is a {type(value).__name__}; give a number")


def availability_of(value: Any) -> Availability:
    """An availability by its own name, or as Merchant Center, schema.org and Chinese shops call it, or by how many."""
    name = text_of(value).strip().lower().rpartition("schema.org/")[2].removeprefix("availability_")
    name = name.replace(" ", "_").replace("-", "_")
    if _COUNT.fullmatch(name):
        return Availability.IN_STOCK if not name.startswith("_") and float(name) > 0 else Availability.OUT_OF_STOCK
    return _AVAILABILITY_NAMES.get(name) or choice_of(Availability, name, "availability_")


def choice_of(kinds: type[Choice], value: Any, prefix: str) -> Choice:
    """One of the choices by its name, with or without the prefix of its protobuf name."""
    text = text_of(value)
    try:
        return kinds(text.strip().lower().replace(" ", "_").replace("-", "_").removeprefix(prefix))
    except ValueError:
        known = ", ".join(one.value for one in kinds)
        raise ValueError(f"{text[:40]!r} is not one of {known}") from None


def time_of(value: Any) -> datetime:
    """A time with its zone; UTC where it has none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError(f"{value[:40]!r} is not a time such as 2026-01-31T12:00:00Z") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        raise ValueError(f"is a {type(value).__name__}; give a time such as 2026-01-31T12:00:00Z")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def object_of(value: Any) -> dict[str, Any]:
    """An object, or the JSON of one; empty for no value."""
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            raise ValueError(f"{value[:40]!r} is not a JSON object") from None
    if isinstance(value, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        return dict(value)  # how Parquet's maps arrive
    if not is_filled(value):
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"is a {type(value).__name__}; give an object of names and values")
    return value


def attribute_of(name: str, value: Any) -> AttributeValue:
    """An attribute's words or numbers; empty where nothing is filled."""
    values = [item for item in (value if isinstance(value, list) else [value]) if is_filled(item)]
    if any(isinstance(item, (dict, list)) for item in values):
        raise ValueError(f"{name!r} holds objects or lists; give words or numbers")
    if values and all(isinstance(item, (int, float, Decimal)) and not isinstance(item, bool) for item in values):
        return tuple(map(number_of, values))
    texts = (
        ("yes" if item else "no") if isinstance(item, bool) else clean_text(plain_text(text_of(item)))
        for item in values
    )
    return tuple(dict.fromkeys(text for text in texts if text))
