"""Reads a shop of one's own: a folder with its products and judgements, and with events where it has them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from evaluation.judged_data import Grades, JudgedShop, judged_shop
from vitrine.errors import InvalidArgument, invalid
from vitrine.mapping import load_mapping
from vitrine.product import Product
from vitrine.product_row import ProductRows
from vitrine.rows import FORMATS, Row, RowFile
from vitrine.text import normalize_text

_ENDINGS = (*FORMATS, *(f"{ending}.gz" for ending in FORMATS if ending != ".parquet"))
# As `vitrine sample` names them, and as the event store exports them.
_INTERACTIONS = frozenset({"view", "click", "add-to-cart", "purchase", "view_item", "select_item", "add_to_cart"})


def read_shop_folder(folder: Path, mapping: Path | None = None, traffic: Path | None = None) -> JudgedShop:
    """The shop in `folder`: files named products, judgements and perhaps events, in any format that ingest reads.

    judgements: query, product_id, grade (0, 1, …; the higher the better). events, as `vitrine sample` writes them:
    searches count as the queries' traffic, unless `traffic` (query, count) says it; views, carts and purchases as the
    products' popularity. Raises InvalidArgument naming the file and line that is wrong.
    """
    products = _products(file_of(folder, "products"), mapping)
    grades = _grades(file_of(folder, "judgements"))
    searches: Counter[str] = Counter()
    popularity: Counter[str] = Counter()
    if any((folder / f"events{ending}").is_file() for ending in _ENDINGS):
        searches, popularity = _events(file_of(folder, "events"))
    if traffic is not None:
        searches = _traffic(traffic)
    known = {query: searches[normalize_text(query)] for query in grades}
    return judged_shop(folder.resolve().name, products, grades, traffic=known, popularity=popularity)


def file_of(folder: Path, name: str) -> Path:
    """The one file of a folder with this name, whatever its ending. Raises InvalidArgument for none or several."""
    found = [folder / f"{name}{ending}" for ending in _ENDINGS if (folder / f"{name}{ending}").is_file()]
    if len(found) != 1:
        fault = f"has {len(found)} files of that name" if found else "has none"
        raise invalid(f"{folder}/{name}", f"the folder {fault}; give one that ends in one of {', '.join(_ENDINGS)}")
    return found[0]


def _rows(path: Path) -> Iterator[Row]:
    for row in RowFile(path).rows():
        if row.fault:
            raise invalid(str(path), f"line {row.line} {row.fault}")
        yield row


def _products(path: Path, mapping: Path | None) -> tuple[Product, ...]:
    """A product that comes twice counts as its last row says."""
    reader = ProductRows(load_mapping(mapping))
    products: dict[str, Product] = {}
    for row in _rows(path):
        try:
            product = reader.product(row.values)
        except InvalidArgument as error:
            raise invalid(str(path), f"line {row.line} is not a product: {error.message}") from error
        products[product.id] = product
    return tuple(products.values())


def _grades(path: Path) -> dict[str, Grades]:
    grades: dict[str, Grades] = {}
    for row in _rows(path):
        try:
            query, product_id = str(row.values["query"] or ""), str(row.values["product_id"] or "")
            grade = float(row.values["grade"])
            if not (normalize_text(query) and product_id and grade >= 0 and grade == int(grade)):
                raise ValueError
        except (KeyError, TypeError, ValueError, OverflowError):
            raise invalid(
                str(path), f"line {row.line} is not query, product_id and grade (a whole number, 0 and up)"
            ) from None
        if grades.setdefault(query, {}).setdefault(product_id, int(grade)) != grade:
            raise invalid(str(path), f"line {row.line} judges {product_id!r} for {query!r} again, with another grade")
    return grades


def _events(path: Path) -> tuple[Counter[str], Counter[str]]:
    searches: Counter[str] = Counter()
    popularity: Counter[str] = Counter()
    for row in _rows(path):
        kind = row.values.get("event_type")
        if kind == "search":
            searches[normalize_text(str(row.values.get("query") or ""))] += 1
        elif kind in _INTERACTIONS:
            popularity.update(str(product_id) for product_id in row.values.get("product_ids") or ())
    return searches, popularity


def _traffic(path: Path) -> Counter[str]:
    searches: Counter[str] = Counter()
    for row in _rows(path):
        try:
            searches[normalize_text(str(row.values["query"]))] += int(row.values["count"])
        except (KeyError, TypeError, ValueError):
            raise invalid(str(path), f"line {row.line} is not query and count") from None
    return searches
