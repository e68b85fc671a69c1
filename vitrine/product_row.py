"""A row of the file turned into a product, by a mapping."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from vitrine.cells import (
    AttributeValue,
    attribute_of,
    availability_of,
    choice_of,
    is_filled,
    number_of,
    object_of,
    text_of,
    texts_of,
    time_of,
)
from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.mapping import Mapping, Source
from vitrine.money import read_money, shared_sign
from vitrine.offer import Offer
from vitrine.plain_text import is_markup, plain_text
from vitrine.product import (
    MAX_ATTRIBUTE_NAME_CHARACTERS,
    MAX_ATTRIBUTE_VALUE_CHARACTERS,
    MAX_ATTRIBUTE_VALUES,
    MAX_ATTRIBUTES,
    MAX_BRAND_CHARACTERS,
    MAX_CATEGORIES,
    MAX_CATEGORY_CHARACTERS,
    MAX_DESCRIPTION_CHARACTERS,
    MAX_ID_CHARACTERS,
    MAX_IMAGE_URI_CHARACTERS,
    MAX_IMAGE_URIS,
    MAX_TITLE_CHARACTERS,
    Product,
    ProductKind,
    checked_product,
    id_violation,
)
from vitrine.text import clean_text

_WORDS = {
    "title": MAX_TITLE_CHARACTERS,
    "brand": MAX_BRAND_CHARACTERS,
    "description": MAX_DESCRIPTION_CHARACTERS,
}
_LISTS = {
    "categories": (MAX_CATEGORIES, MAX_CATEGORY_CHARACTERS),
    "image_uris": (MAX_IMAGE_URIS, MAX_IMAGE_URI_CHARACTERS),
}
_PRICES = ("price", "original_price")


class ProductRows:
    """Turns rows into checked products, mends what real rows have, and remembers what it did.

    `mended` counts what was changed on the way, `unused_columns` are never read, `dropped_attributes` are beyond the
    catalogue's limits. A price that names no currency, beside no column that does, is in `currency_code`.
    """

    def __init__(self, mapping: Mapping, currency_code: str = "", mended: Counter[str] | None = None) -> None:
        self._sources = mapping.fields.sources()
        self._attributes = mapping.attributes
        self._currency_code = currency_code
        self._named = {column: name for name, column in mapping.attributes.columns.items()}
        self._used = {column for source in self._sources.values() for column in source.columns}
        self._used |= {*self._named, mapping.attributes.column}
        self.unused_columns: dict[str, None] = {}
        self.dropped_attributes = 0
        self.mended: Counter[str] = Counter() if mended is None else mended

    def product(self, row: dict[str, Any]) -> Product:
        """The row's product, its texts cleaned; update_time stays unset where the row has none.

        Raises InvalidArgument naming each wrong field, with its column, and the fix.
        """
        violations: list[FieldViolation] = []
        fields: dict[str, Any] = {}
        for name, source in self._sources.items():
            try:
                fields[name] = self._field(name, source, row)
            except ValueError as error:
                violations.append(FieldViolation(_label(name, source), str(error)))
        violations += self._read_prices(fields)
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

    def offer(self, row: dict[str, Any]) -> Offer:
        """The row's id, price and availability alone; without a source of prices they stay.

        Raises InvalidArgument naming each wrong field, and the fix.
        """
        violations: list[FieldViolation] = []
        fields: dict[str, Any] = {}
        keep_price = "price" not in self._sources
        for name in ("id", "availability", *(() if keep_price else (*_PRICES, "currency_code"))):
            if (source := self._sources.get(name)) is None:
                continue
            try:
                fields[name] = self._field(name, source, row)
            except ValueError as error:
                violations.append(FieldViolation(_label(name, source), str(error)))
        violations += self._read_prices(fields)
        if fault := id_violation(fields.get("id") or ""):
            violations.append(FieldViolation("id", fault))
        if violations:
            raise InvalidArgument(*violations)
        return Offer(keep_price=keep_price, **{name: value for name, value in fields.items() if value is not None})

    def id_of(self, row: dict[str, Any]) -> str:
        """The id of a row that may be wrong otherwise, cut to what ids may have; "" where there is none."""
        values = (row.get(column) for column in self._sources["id"].columns)
        return str(next((value for value in values if is_filled(value)), ""))[:MAX_ID_CHARACTERS]

    def _field(self, name: str, source: Source, row: dict[str, Any]) -> Any:
        if name in (*_LISTS, "about_product_ids"):
            texts = (text for column in source.columns for text in texts_of(row.get(column), source.split))
            return self._listed(name, texts) if name in _LISTS else tuple(texts)
        value = source.value or next((row[column] for column in source.columns if is_filled(row.get(column))), None)
        if value is None or name in _PRICES:
            return value
        if name == "rating":
            return round(number_of(value) * source.scale, 6)
        if name == "availability":
            return availability_of(value)
        if name == "kind":
            return choice_of(ProductKind, value, "product_kind_")
        if name == "update_time":
            return time_of(value)
        if name in _WORDS:
            return self._words(name, text_of(value))
        text = text_of(value).strip()
        return text.upper() if name == "currency_code" else text

    def _words(self, name: str, text: str) -> str:
        """Plain words, no more than the catalogue keeps."""
        text = self._plain(name, text)
        limit = _WORDS[name]
        if len(text) > limit and len(text := clean_text(text)) > limit:
            self.mended[f"{name} cut to its first {limit:,} characters"] += 1
            text = text[:limit]
        return text

    def _plain(self, name: str, text: str) -> str:
        if is_markup(text):
            self.mended[f"HTML or entities in {name} read as plain text"] += 1
            return plain_text(text)
        return text

    def _listed(self, name: str, texts: Iterable[str]) -> tuple[str, ...]:
        most, characters = _LISTS[name]
        plain = [text.replace("&amp;", "&") if name == "image_uris" else self._plain(name, text) for text in texts]
        kept = [text for text in dict.fromkeys(plain) if text.strip() and len(text) <= characters]
        if len(kept) > most or len(kept) < len(set(plain)):
            self.mended[f"{name} beyond {most} of {characters:,} characters left out"] += 1
        return tuple(kept[:most])

    def _read_prices(self, fields: dict[str, Any]) -> list[FieldViolation]:
        """Puts amounts and their one currency in place of what the row says; what is wrong, by field."""
        violations: list[FieldViolation] = []
        beside: str = fields.get("currency_code") or ""
        codes: set[str] = set()
        for name in _PRICES:
            if (value := fields.get(name)) is None:
                continue
            source = self._sources[name]
            try:
                amount, code = read_money(value, beside or self._currency_code)
                fields[name] = round(amount * source.scale, 6)
                if beside and code != beside:
                    raise ValueError(f"is in {code}, and currency_code says {beside}; give one currency")
                codes.add(code)
                if not beside and (sign := shared_sign(value)) and not self._currency_code:
                    self.mended[f"prices in {sign} taken as {code}: say another with --currency"] += 1
            except ValueError as error:
                violations.append(FieldViolation(_label(name, source), str(error)))
        if len(codes := codes - {""}) > 1:
            violations.append(FieldViolation("original_price", f"has another currency than price: {sorted(codes)}"))
        elif codes:
            (fields["currency_code"],) = codes
        price, original = (fields.get(name) for name in _PRICES)
        if isinstance(price, float) and isinstance(original, float) and original <= price:
            # One that is the price itself says only that there is no discount.
            self.mended["original_price below price left out"] += original < price
            fields["original_price"] = None
        return violations

    def _attributes_of(self, row: dict[str, Any]) -> dict[str, AttributeValue]:
        attributes: dict[str, AttributeValue] = {}
        whole = row.get(self._attributes.column)
        for name, value in object_of(whole).items():
            self._add(attributes, clean_text(str(name)), value)
        for column, value in row.items():
            name = self._named.get(column) or _stripped(column, self._attributes.prefixes)
            if name:
                self._add(attributes, clean_text(name), value)
            elif column not in self._used:
                self.unused_columns[column] = None
        return attributes

    def _add(self, attributes: dict[str, AttributeValue], name: str, value: Any) -> None:
        values = attribute_of(name, value)
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


def _is_oversized(name: str, values: AttributeValue) -> bool:
    return (
        len(name) > MAX_ATTRIBUTE_NAME_CHARACTERS
        or len(values) > MAX_ATTRIBUTE_VALUES
        or any(isinstance(value, str) and len(value) > MAX_ATTRIBUTE_VALUE_CHARACTERS for value in values)
    )


def _stripped(column: str, prefixes: tuple[str, ...]) -> str:
    return next((column.removeprefix(prefix) for prefix in prefixes if column.startswith(prefix)), "")
