"""Google Merchant Center's product data, from XML or a table: its attributes as the catalogue's fields.

Names and formats are those of its product data specification.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from vitrine.errors import invalid

# What a shopper may filter by or search for, under its own name.
_ATTRIBUTES = (
    "color", "size", "material", "pattern", "gender", "age_group", "condition", "gtin", "mpn", "item_group_id",
    "size_type", "size_system", "energy_efficiency_class", "multipack", "product_highlight", "custom_label_0",
    "custom_label_1", "custom_label_2", "custom_label_3", "custom_label_4", "unit_pricing_measure",
)  # fmt: skip
# "Black/White/Red" are three colours of one product.
_DIVIDED = ("color", "material")
_READ = (
    "id", "title", "structured_title", "description", "structured_description", "summary", "content", "brand",
    "product_type", "google_product_category", "image_link", "additional_image_link", "price", "sale_price",
    "sale_price_effective_date", "availability", "product_detail",
)  # fmt: skip


def column_name(name: str) -> str:
    """The attribute that a column or element means: "Image Link" and "g:image_link" are image_link."""
    return name.strip().lower().partition("(")[0].removeprefix("g:").strip().replace(" ", "_")


def merchant_center_row(values: dict[str, Any], _mended: Counter[str]) -> dict[str, Any]:
    """One product of the feed. A sale price counts while its dates say so."""
    row = {column_name(name): value for name, value in values.items()}
    price = _one(row.get("price"))
    sale = _one(row.get("sale_price")) if _is_on(_one(row.get("sale_price_effective_date"))) else ""
    types = _all(row.get("product_type"))
    taxonomy = _one(row.get("google_product_category"))
    attributes: dict[str, Any] = {}
    for name in _ATTRIBUTES:
        if found := _all(row.get(name)):
            parts = [part.strip() for text in found for part in (text.split("/") if name in _DIVIDED else [text])]
            attributes[name] = parts
    for name, value in _details(row.get("product_detail")):
        attributes.setdefault(name, []).append(value)
    if taxonomy.isdigit():
        attributes["google_product_category"] = taxonomy
    return {
        "id": _one(row.get("id")),
        "title": _one(row.get("title")) or _one(row.get("structured_title")),
        "description": next(
            (text for name in ("description", "structured_description", "summary", "content")
             if (text := _one(row.get(name)))),
            "",
        ),
        "brand": _one(row.get("brand")),
        "categories": types or [text for text in [taxonomy] if text and not text.isdigit()],
        "price": sale or price,
        "original_price": price if sale else "",
        "availability": _one(row.get("availability")),
        "image_uris": [_one(row.get("image_link")), *_images(row.get("additional_image_link"))],
        "attributes": attributes,
        **{name: value for name, value in row.items() if name not in (*_READ, *_ATTRIBUTES)},
    }  # fmt: skip


def _all(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for item in values if (text := _one(item))]


def _one(value: Any) -> str:
    """The first text of a value; the content of a structured one."""
    if isinstance(value, list):
        return next((text for item in value if (text := _one(item))), "")
    if isinstance(value, dict):
        return _one(value.get("content"))
    return value.strip() if isinstance(value, str) else ""


def _images(value: Any) -> list[str]:
    # A table has all of them in one cell, and an address may hold commas itself.
    return [
        part for text in _all(value) for part in text.replace(",http", "\nhttp").replace(", http", "\nhttp").split("\n")
    ]


def _details(value: Any) -> list[tuple[str, str]]:
    """Names and values of product details: elements, or "section:name:value" in a table, several divided by commas."""
    details = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            details.append((_one(item.get("attribute_name")), _one(item.get("attribute_value"))))
        elif isinstance(item, str):
            for part in item.split(","):
                section_and_name, _, text = part.strip().strip('"').rpartition(":")
                details.append((section_and_name.rpartition(":")[2], text))
    return [(name.strip(), text.strip()) for name, text in details if name.strip() and text.strip()]


def _is_on(dates: str) -> bool:
    """Whether a sale of these dates ("start/end") is on now; one without dates always is."""
    if not dates:
        return True
    start, _, end = (part.strip() for part in dates.partition("/"))
    try:
        times = [datetime.fromisoformat(text) for text in (start, end)]
    except ValueError:
        raise invalid(
            "sale_price_effective_date",
            f"{dates[:60]!r} is not two times such as 2026-02-24T13:00-0800/2026-02-28T15:30-0800",
        ) from None
    first, last = (time if time.tzinfo else time.replace(tzinfo=UTC) for time in times)
    return first <= datetime.now(UTC) <= last
