"""Judged data, as evaluation sees it: a shop with graded queries, or labelled pairs of query and title."""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitrine.errors import invalid
from vitrine.product import Product

_RELEVANT_GRADE = 2

Grades = dict[str, int]  # product id -> grade, 0 and up


@dataclass(frozen=True, slots=True)
class JudgedShop:
    """A catalogue and what people said of it; `grades` by query, and only queries with a product above grade 0.

    `traffic` is how often a query was asked and `popularity` how often visitors saw, put in a cart or bought a
    product, where either is known.
    """

    name: str
    products: tuple[Product, ...]
    grades: dict[str, Grades]
    traffic: Mapping[str, int] = field(default_factory=dict)
    popularity: Mapping[str, int] = field(default_factory=dict)

    @property
    def relevant_grade(self) -> int:
        """The grade from which a product counts as relevant: 2, or 1 where grades are yes or no."""
        return min(_RELEVANT_GRADE, max(max(judged.values()) for judged in self.grades.values()))


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """A query, a product title, whether they belong together, and which collection says so."""

    query: str
    title: str
    relevant: bool
    source: str


def judged_shop(
    name: str,
    products: tuple[Product, ...],
    grades: dict[str, Grades],
    *,
    traffic: Mapping[str, int] | None = None,
    popularity: Mapping[str, int] | None = None,
) -> JudgedShop:
    """The shop without the queries that have no relevant product: nothing can be ordered well or badly for them.

    Raises InvalidArgument when a judged product is not in the catalogue, or no query is left.
    """
    known = {product.id for product in products}
    for query, judged in grades.items():
        if missing := judged.keys() - known:
            raise invalid(name, f"query {query!r} judges {sorted(missing)[0]!r}, which is not among the products")
    kept = {query: judged for query, judged in grades.items() if max(judged.values()) > 0}
    if not kept:
        raise invalid(name, "has no query with a relevant product")
    return JudgedShop(name, products, kept, traffic or {}, popularity or {})


def baseline_text(product: Product) -> str:
    """What the published baselines read of a product: title, then brand, as the shop writes them."""
    return f"{product.title} {product.brand}".strip()


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a gzipped JSON-lines file. Raises InvalidArgument naming the file and line that can't be read."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield json.loads(line)
                except ValueError:
                    raise invalid(str(path), f"line {number} is not JSON") from None
    except (OSError, EOFError) as error:
        raise invalid(str(path), f"cannot be read ({error}); --data-dir names the folder that holds it") from error
