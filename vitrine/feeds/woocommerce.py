"""WooCommerce's product CSV: products, and variations that name their parent.

Column names are those of its product CSV importer and exporter.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vitrine.feeds.feed import RowSource
from vitrine.money import read_money
from vitrine.product import MAX_ATTRIBUTE_VALUES
from vitrine.rows import Row

_ATTRIBUTE_NAME = re.compile(r"attribute (\d+) name")
_READ = {
    "id", "type", "sku", "gtin, upc, ean, or isbn", "name", "published", "visibility in catalog", "short description",
    "description", "date sale price starts", "date sale price ends", "in stock?", "backorders allowed?", "stock",
    "sale price", "regular price", "categories", "tags", "images", "parent", "brands",
    "variations",
}  # fmt: skip
_ATTRIBUTE_COLUMN = re.compile(r"attribute \d+ .*")
_MEASURE = re.compile(r"(weight|length|width|height) \((\w+)\)")


@dataclass(frozen=True, slots=True)
class _Variation:
    """What a variation says, of which its product's own row says nothing."""

    sku: str
    price: str
    regular_price: str
    is_buyable: bool

    def rank(self) -> tuple[bool, float]:
        """Those that can be bought first, of these the cheapest; a price that cannot be read last."""
        try:
            return not self.is_buyable, read_money(self.price)[0]
        except ValueError:
            return not self.is_buyable, float("inf")


def is_woocommerce(columns: list[str]) -> bool:
    """Whether a table with these columns is WooCommerce's."""
    names = {name.strip().lower() for name in columns}
    return {"type", "name", "regular price"} <= names and bool({"sku", "id"} & names)


class WooCommerceProducts:
    """The products of a WooCommerce CSV, each with its variations, which may stand anywhere in the file.

    Reads the file twice, and keeps what variations say: a few hundred bytes for each.
    """

    def __init__(self, source: RowSource) -> None:
        self._source = source
        self.size = source.size

    def rows(self, skip: int = 0) -> Iterator[Row]:
        """The products after the first `skip`, then variations whose product is not in the file, as faults."""
        variations: dict[str, list[_Variation]] = {}
        parents: set[str] = set()
        for row in self._source.rows():
            values = _named(row.values)
            if _is_variation(values):
                variations.setdefault(values.get("parent", ""), []).extend(_variation(values))
            else:
                parents |= set(_keys(values))
        number = 0
        for row in self._source.rows():
            values = _named(row.values)
            fault = row.fault
            if _is_variation(values):
                parent = values.get("parent", "")
                if parent in parents:
                    continue
                fault = f"is a variation of {parent!r}, which the file does not have"
            number += 1
            if number > skip:
                own = [variation for key in _keys(values) for variation in variations.get(key, ())]
                yield Row(number, row.line, row.position, {**values, "variations": own}, fault)


def woocommerce_row(values: dict[str, Any], mended: Counter[str]) -> dict[str, Any] | None:
    """One product; what its variations say is put together, its price is that of the cheapest that can be bought."""
    variations: list[_Variation] = values["variations"]
    if values.get("published") in ("0", "-1") or values.get("visibility in catalog") == "hidden":
        mended["drafts and hidden products left out"] += 1
        return None
    price, regular = _prices(values)
    if priced := [variation for variation in variations if variation.price]:
        cheapest = min(priced, key=_Variation.rank)
        price, regular = cheapest.price, cheapest.regular_price
    attributes: dict[str, Any] = {"tags": _parts(values.get("tags", ""))}
    for column, name in values.items():
        if (found := _ATTRIBUTE_NAME.fullmatch(column)) and name:
            attributes[name] = _parts(values.get(f"attribute {found[1]} value(s)", ""))
        elif (found := _MEASURE.fullmatch(column)) and name:
            attributes[f"{found[1]}_{found[2]}"] = float(name) if name.replace(".", "", 1).isdecimal() else name
    skus = [values.get("sku", ""), *(variation.sku for variation in variations)]
    attributes["sku"] = [sku for sku in dict.fromkeys(skus) if sku][:MAX_ATTRIBUTE_VALUES]
    attributes["gtin"] = values.get("gtin, upc, ean, or isbn", "")
    is_buyable = any(one.is_buyable for one in variations) if variations else _is_buyable(values)
    short, long = (values.get(name, "") for name in ("short description", "description"))
    read = {name for name in values if name in _READ or _ATTRIBUTE_COLUMN.fullmatch(name) or _MEASURE.fullmatch(name)}
    return {
        "id": values.get("id") or values.get("sku", ""),
        "title": values.get("name", ""),
        "description": f"{short} {long}" if short not in long else long,
        "brand": values.get("brands", "").partition(",")[0],
        "categories": _parts(values.get("categories", "")),
        "price": price,
        "original_price": regular,
        "availability": _availability(values, is_buyable=is_buyable),
        "image_uris": _parts(values.get("images", "")),
        "attributes": attributes,
        **{name: text for name, text in values.items() if name not in read},
    }


def _named(values: dict[str, Any]) -> dict[str, Any]:
    return {name.strip().lower(): _text(str(value or "")) for name, value in values.items()}


def _text(text: str) -> str:
    # The exporter writes line ends as \n, and a quote before what a spreadsheet would take for a formula.
    text = text.strip()
    return (text[1:] if text[:1] == "'" and text[1:2] in "=+-@" else text).replace("\\n", "\n").replace("\\r", "")


def _is_variation(values: dict[str, str]) -> bool:
    return "variation" in [kind.strip().lower() for kind in values.get("type", "").split(",")]


def _keys(values: dict[str, str]) -> list[str]:
    """What variations may call this product: "id:17" or its SKU."""
    return [key for key in (f"id:{values['id']}" if values.get("id") else "", values.get("sku", "")) if key]


def _variation(values: dict[str, str]) -> list[_Variation]:
    """What the row says; nothing where it is not published."""
    price, regular = _prices(values)
    variation = _Variation(values.get("sku", ""), price, regular, _is_buyable(values))
    return [] if values.get("published") in ("0", "-1") else [variation]


def _prices(values: dict[str, str]) -> tuple[str, str]:
    """Price to pay and price before a discount, as texts; a sale price counts within its dates."""
    regular, sale = values.get("regular price", ""), values.get("sale price", "")
    today = datetime.now(UTC).date().isoformat()
    starts, ends = (values.get(f"date sale price {part}", "")[:10] for part in ("starts", "ends"))
    is_on = bool(sale) and (not starts or starts <= today) and (not ends or today <= ends)
    return (sale, regular) if is_on else (regular, "")


def _is_buyable(values: dict[str, str]) -> bool:
    state = values.get("in stock?", "").lower()
    return state not in ("0", "no", "outofstock") or _allows_backorder(values)


def _allows_backorder(values: dict[str, str]) -> bool:
    return values.get("backorders allowed?", "").lower() in ("1", "yes", "notify")


def _availability(values: dict[str, str], *, is_buyable: bool) -> str:
    state = values.get("in stock?", "").lower()
    if state in ("backorder", "onbackorder") or (state == "0" and is_buyable and _allows_backorder(values)):
        return "backorder"
    return "in_stock" if is_buyable else "out_of_stock"


def _parts(text: str) -> list[str]:
    """Values divided by commas, but for those that a backslash keeps."""
    parts = (part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", text))
    return [part for part in dict.fromkeys(parts) if part]
