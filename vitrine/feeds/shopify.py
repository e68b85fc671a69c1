"""Shopify's product CSV: one product from the rows of its variants and pictures.

Column names are those of its help page on CSV files, before and since they were renamed ("Handle", "URL handle").
"""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from vitrine.feeds.feed import RowSource
from vitrine.money import read_money
from vitrine.product import MAX_ATTRIBUTE_VALUES
from vitrine.rows import Row

# Renamed columns, by the names that they had.
_RENAMED = {
    "url handle": "handle", "description": "body (html)", "published on online store": "published",
    "sku": "variant sku", "price": "variant price", "compare-at price": "variant compare at price",
    "barcode": "variant barcode", "inventory quantity": "variant inventory qty",
    "inventory tracker": "variant inventory tracker",
    "continue selling when out of stock": "variant inventory policy", "product image url": "image src",
    "variant image url": "variant image", "weight value (grams)": "variant grams",
}  # fmt: skip
_OPTIONS = (1, 2, 3)
_READ = {
    "handle", "title", "body (html)", "vendor", "product category", "type", "tags", "published", "status",
    "variant sku", "variant price", "variant compare at price", "variant barcode", "variant inventory qty",
    "variant inventory tracker", "variant inventory policy", "image src", "variant image", "variant grams",
    *(f"option{number} {part}" for number in _OPTIONS for part in ("name", "value")),
}  # fmt: skip


def is_shopify(columns: list[str]) -> bool:
    """Whether a table with these columns is Shopify's."""
    names = {_column(name) for name in columns}
    return {"handle", "title"} <= names and bool({"variant price", "option1 name", "body (html)"} & names)


class ShopifyProducts:
    """The rows of a Shopify CSV put together by handle: values {"rows": [...]}, one row for each product."""

    def __init__(self, source: RowSource) -> None:
        self._source = source
        self.size = source.size

    def rows(self, skip: int = 0) -> Iterator[Row]:
        """The products after the first `skip`."""
        # A row that cannot be read stands alone, and so does one without a handle: the catalogue refuses it by name.
        for number, (_, group) in enumerate(groupby(self._source.rows(), _group_key), 1):
            first, *others = group
            if number > skip:
                values = [_named(row.values) for row in (first, *others)]
                position = others[-1].position if others else first.position
                yield Row(number, first.line, position, {"rows": values}, first.fault)


def shopify_row(values: dict[str, Any], mended: Counter[str]) -> dict[str, Any] | None:
    """One product, its options and SKUs as attributes, at the price of the cheapest variant that can be bought."""
    rows: list[dict[str, str]] = values["rows"]
    head = {name: next((row[name] for row in rows if row.get(name)), "") for name in rows[0]}
    if head.get("status", "").lower() in ("draft", "archived") or head.get("published", "").lower() == "false":
        mended["drafts and products not published left out"] += 1
        return None
    variants = [row for row in rows if row.get("variant price") or row.get("variant sku")] or [rows[0]]
    buyable = [row for row in variants if _is_buyable(row)]
    cheapest = min(buyable or variants, key=_price)
    attributes: dict[str, Any] = {"tags": _parts(head.get("tags", ""))}
    for number in _OPTIONS:
        name = head.get(f"option{number} name", "")
        if name and name.lower() != "title":
            attributes[name] = _unique(row.get(f"option{number} value", "") for row in variants)
    attributes["sku"] = _unique(row.get("variant sku", "").lstrip("'") for row in variants)
    attributes["gtin"] = _unique(row.get("variant barcode", "").lstrip("'") for row in variants)
    if grams := cheapest.get("variant grams", ""):
        attributes["weight_g"] = grams if not grams.replace(".", "", 1).isdecimal() else float(grams)
    for name, texts in attributes.items():
        if isinstance(texts, list) and len(texts) > MAX_ATTRIBUTE_VALUES:
            mended[f"{name} beyond {MAX_ATTRIBUTE_VALUES} values left out"] += 1
            attributes[name] = texts[:MAX_ATTRIBUTE_VALUES]
    images = [*(row.get("image src", "") for row in rows), *(row.get("variant image", "") for row in rows)]
    compared = cheapest.get("variant compare at price", "")
    return {
        "id": head.get("handle", ""),
        "title": head.get("title", ""),
        "description": head.get("body (html)", ""),
        "brand": head.get("vendor", ""),
        "categories": _unique([head.get("product category", ""), head.get("type", "")]),
        "price": cheapest.get("variant price", ""),
        "original_price": compared if compared.strip("0.,") else "",
        "availability": "in_stock" if buyable else "out_of_stock",
        "image_uris": _unique(images),
        "attributes": attributes,
        **{name: text for name, text in head.items() if name not in _READ},
    }


def _column(name: str) -> str:
    name = name.strip().lower()
    return _RENAMED.get(name, name)


def _named(values: dict[str, Any]) -> dict[str, str]:
    return {_column(name): str(value or "").strip() for name, value in values.items()}


def _group_key(row: Row) -> tuple[str, int]:
    handle = _named(row.values).get("handle", "")
    return handle, 0 if handle else row.number


def _is_buyable(row: dict[str, str]) -> bool:
    if row.get("variant inventory policy", "").lower() in ("continue", "true", "yes"):
        return True
    stock = row.get("variant inventory qty", "")
    # Without a tracker, or a count, the shop does not count what it has.
    if not stock or ("variant inventory tracker" in row and not row["variant inventory tracker"]):
        return True
    try:
        return float(stock) > 0
    except ValueError:
        return True


def _price(row: dict[str, str]) -> float:
    try:
        return read_money(row.get("variant price", ""))[0]
    except ValueError:
        return float("inf")


def _parts(text: str) -> list[str]:
    return _unique(part.strip() for part in text.split(","))


def _unique(texts: Any) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]
