"""A row of the file turned into a product, by a mapping."""

import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.mapping import Mapping, Source
from vitrine.product import (
    MAX_ATTRIBUTE_NAME_CHARACTERS,
    MAX_ATTRIBUTE_VALUE_CHARACTERS,
    MAX_ATTRIBUTE_VALUES,
    MAX_ATTRIBUTES,
    Availability,
    Product,
    ProductKind,
    checked_product,
)
from vitrine.text import clean_text

_LISTS = ("categories", "image_uris", "about_product_ids")
_NUMBERS = ("price", "original_price", "rating")
AttributeValue = tuple[str, ...] | tuple[float, ...]
Choice = TypeVar("Choice", Availability, ProductKind)


class ProductRows:
    """Turns rows into checked products; remembers what it left out: columns never used, attributes beyond limits."""

    def __init__(self, mapping: Mapping) -> None:
        self._sources = mapping.fields.sources()
        self._attributes = mapping.attributes
        self._named = {column: name for name, column in mapping.attributes.columns.items()}
        self._used = {column for source in self._sources.values() for column in source.columns}
        self._used |= {*self._named, mapping.attributes.column}
        self.unused_columns: dict[str, None] = {}
        self.dropped_attributes = 0

    def product(self, row: dict[str, Any]) -> Product:
        """The row's product, its texts cleaned; update_time stays unset where the row has none.

        Raises InvalidArgument naming each wrong field, with its column, and the fix.
        """
        violations: list[FieldViolation] = []
        fields: dict[str, Any] = {}
        for name, source in self._sources.items():
            try:
                fields[name] = _field(name, source, row)
            except ValueError as error:
                violations.append(FieldViolation(_label(name, source), str(error)))
        try:
            fields["attributes"] = self._attributes_of(row)
        except ValueError as error:
            violations.append(FieldViolation("attributes", str(error)))
        if violations:
            raise InvalidArgument(*violations)
        if fields.get("kind") is not ProductKind.REVIEW and (stars := fields.pop("rating", None)) is not None:
            # A feed's average over all reviews: to the catalogue a property like others.
            fields["attributes"].setdefault("rating", (stars,))
        filled = {name: value for name, value in fields.items() if value is not None}
        product = Product(**{"id": "", "title": "", **filled})
        return replace(checked_product(product), update_time=product.update_time)

    def _attributes_of(self, row: dict[str, Any]) -> dict[str, AttributeValue]:
        attributes: dict[str, AttributeValue] = {}
        whole = row.get(self._attributes.column)
        for name, value in _object(whole).items():
            self._add(attributes, clean_text(str(name)), value)
        for column, value in row.items():
            name = self._named.get(column) or _stripped(column, self._attributes.prefixes)
            if name:
                self._add(attributes, clean_text(name), value)
            elif column not in self._used:
                self.unused_columns[column] = None
        return attributes

    def _add(self, attributes: dict[str, AttributeValue], name: str, value: Any) -> None:
        values = _attribute(name, value)
        if not values:
            return
        if self._attributes.drop_oversized and (_is_oversized(name, values) or len(attributes) == MAX_ATTRIBUTES):
            self.dropped_attributes += 1
            return
        # Two columns may give one name: attr_t_weight and attr_n_weight.
        while name in attributes:
            name += "_2"
        attributes[name] = values


def _label(name: str, source: Source) -> str:
    return name if source.columns in ((), (name,)) else f"{name} (column {', '.join(source.columns)})"


def _field(name: str, source: Source, row: dict[str, Any]) -> Any:
    if name in _LISTS:
        return tuple(text for column in source.columns for text in _texts(row.get(column), source.split))
    value = source.value or next((row[column] for column in source.columns if _is_filled(row.get(column))), None)
    if value is None:
        return None
    if name in _NUMBERS:
        return round(_number(value) * source.scale, 6)
    if name == "availability":
        return _one_of(Availability, _text(value), "availability_")
    if name == "kind":
        return _one_of(ProductKind, _text(value), "product_kind_")
    if name == "update_time":
        return _time(value)
    return _text(value)


def _is_filled(value: Any) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return False
    return not (isinstance(value, str) and not value.strip())


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    # A column of whole numbers with gaps is read as floats by most tools: 123.0 is the id 123.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"is a {type(value).__name__}; give text")


def _texts(value: Any, split: str) -> list[str]:
    if not _is_filled(value):
        return []
    if isinstance(value, list):
        return [clean_text(_text(item)) for item in value if _is_filled(item)]
    text = clean_text(_text(value))
    if text.startswith("["):
        try:
            return _texts(json.loads(text), "")
        except json.JSONDecodeError:
            raise ValueError(f"{text[:40]!r} begins like a JSON list and is none") from None
    parts = text.split(split) if split else [text]
    return [part.strip() for part in parts if part.strip()]


def _number(value: Any) -> float:
    if isinstance(value, (str, int, float, Decimal)) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            raise ValueError(f"{str(value)[:40]!r} is not a number; write for example 1299.90") from None
    raise ValueError(f"is a {type(value).__name__}; give a number")


def _one_of(kinds: type[Choice], text: str, prefix: str) -> Choice:
    try:
        return kinds(text.strip().lower().replace(" ", "_").replace("-", "_").removeprefix(prefix))
    except ValueError:
        known = ", ".join(one.value for one in kinds)
        raise ValueError(f"{text[:40]!r} is not one of {known}") from None


def _time(value: Any) -> datetime:
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


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            raise ValueError(f"{value[:40]!r} is not a JSON object") from None
    if isinstance(value, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        return dict(value)  # how Parquet's maps arrive
    if not _is_filled(value):
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"is a {type(value).__name__}; give an object of names and values")
    return value


def _attribute(name: str, value: Any) -> AttributeValue:
    values = [item for item in (value if isinstance(value, list) else [value]) if _is_filled(item)]
    if any(isinstance(item, (dict, list)) for item in values):
        raise ValueError(f"{name!r} holds objects or lists; give words or numbers")
    if values and all(isinstance(item, (int, float, Decimal)) and not isinstance(item, bool) for item in values):
        return tuple(map(_number, values))
    texts = (("yes" if item else "no") if isinstance(item, bool) else clean_text(_text(item)) for item in values)
    return tuple(text for text in texts if text)


def _is_oversized(name: str, values: AttributeValue) -> bool:
    return (
        len(name) > MAX_ATTRIBUTE_NAME_CHARACTERS
        or len(values) > MAX_ATTRIBUTE_VALUES
        or any(isinstance(value, str) and len(value) > MAX_ATTRIBUTE_VALUE_CHARACTERS for value in values)
    )


def _stripped(column: str, prefixes: tuple[str, ...]) -> str:
    return next((column.removeprefix(prefix) for prefix in prefixes if column.startswith(prefix)), "")
