"""Reads Icecat: 19,406 electronics products in English, and grades 0 to 3 by people on 90 queries."""

import csv
from pathlib import Path
from typing import Any

from evaluation.judged_data import Grades, JudgedShop, judged_shop, read_rows
from vitrine.errors import VitrineError, invalid
from vitrine.product import (
    MAX_ATTRIBUTE_NAME_CHARACTERS,
    MAX_ATTRIBUTE_VALUE_CHARACTERS,
    MAX_ATTRIBUTES,
    Product,
    checked_product,
)


def read_icecat(data_dir: Path) -> JudgedShop:
    """The shop in `data_dir`/icecat. Raises InvalidArgument naming the file and row that is wrong."""
    path = data_dir / "icecat" / "products.jsonl.gz"
    products = []
    for number, row in enumerate(read_rows(path), 1):
        try:
            products.append(checked_product(_product(row)))
        except (KeyError, VitrineError) as error:
            raise invalid(str(path), f"line {number} is not a product: {error}") from error
    return judged_shop("icecat", tuple(products), _grades(data_dir / "icecat" / "judgments.csv"))


def _product(row: dict[str, Any]) -> Product:
    price = row.get("price")
    return Product(
        id=str(row["id"]),
        title=row["title"],
        brand=row.get("supplier") or "",
        description=row.get("short_description") or "",
        price=None if price is None else price / 100,
        currency_code="" if price is None else "USD",
        attributes=_attributes(row),
        language="en",
    )


def _attributes(row: dict[str, Any]) -> dict[str, tuple[str, ...] | tuple[float, ...]]:
    """The words (attr_t_*) and numbers (attr_n_*) that fit a product's limits; yes-or-no attributes are left out."""
    attributes: dict[str, tuple[str, ...] | tuple[float, ...]] = {}
    for key, value in row.items():
        kind, name = key[:7], key[7:]
        if len(attributes) == MAX_ATTRIBUTES or not 0 < len(name) <= MAX_ATTRIBUTE_NAME_CHARACTERS:
            continue
        if kind == "attr_t_" and value and len(value) <= MAX_ATTRIBUTE_VALUE_CHARACTERS:
            attributes[name] = (str(value),)
        elif kind == "attr_n_" and value is not None:
            attributes[name] = (float(value),)
    return attributes


def _grades(path: Path) -> dict[str, Grades]:
    grades: dict[str, Grades] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                try:
                    grades.setdefault(row["query"], {})[row["product_id"]] = int(row["grade"])
                except (KeyError, TypeError, ValueError):
                    raise invalid(str(path), f"line {number} is not query,product_id,grade") from None
    except OSError as error:
        raise invalid(str(path), f"cannot be read ({error}); --data-dir names the folder that holds it") from error
    return grades
