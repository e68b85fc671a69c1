"""Reads UCI Online Retail and cleans it: baskets of known customers, as purchases."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from evaluation.recommendation.data import numbered
from training.recommendation.interactions import Interactions, interactions
from training.run_folder import file_digest
from vitrine.errors import InvalidArgument, invalid
from vitrine.product import Product
from vitrine.rows import Row, RowFile
from vitrine.v1 import user_event_pb2

_COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
# Five digits and perhaps letters; the rest are postage, bank charges, manual entries and the like.
_PRODUCT_CODE = re.compile(r"\d{5}[A-Z]*")


@dataclass(frozen=True)
class Transactions:
    """Purchases, one row for each product of a basket, and the products by their commonest description."""

    purchases: Interactions
    products: tuple[Product, ...]
    digest: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Line:
    invoice: str
    code: str
    description: str
    quantity: int
    time_s: float
    price: float
    customer: str


def read_online_retail(data_dir: Path) -> Transactions:
    """The set in `data_dir`/online_retail. Raises InvalidArgument naming the file, line and column that is wrong."""
    path = data_dir / "online_retail" / "transactions.csv.gz"
    dropped: Counter[str] = Counter()
    names: dict[str, Counter[str]] = {}
    prices: dict[str, float] = {}
    baskets: dict[tuple[str, str, float], None] = {}
    for line in _lines(path):
        if fault := _unfit(line):
            dropped[fault] += 1
            continue
        names.setdefault(line.code, Counter())[line.description] += 1
        prices[line.code] = line.price
        key = (line.customer, line.code, line.time_s)
        if key in baskets:
            dropped["duplicates and further lines of a product in a basket"] += 1
        baskets[key] = None
    if not baskets:
        raise invalid(str(path), "has no purchase of a known customer; each line is one product of an invoice")
    ids, numbers = numbered(names)
    customers = {customer: number for number, customer in enumerate(sorted({customer for customer, *_ in baskets}))}
    purchases = interactions(
        visitors=np.array([customers[customer] for customer, *_ in baskets], np.int64),
        products=np.array([numbers[code] for _, code, _ in baskets], np.int64),
        times=np.array([time_s for *_, time_s in baskets], np.float64),
        event_types=np.full(len(baskets), user_event_pb2.EVENT_TYPE_PURCHASE, np.int64),
        product_ids=ids,
    )
    products = tuple(
        Product(id=one, title=names[one].most_common(1)[0][0], price=prices[one], currency_code="GBP") for one in ids
    )
    notes = tuple(f"{count:,} {what} left out" for what, count in dropped.most_common())
    return Transactions(purchases, products, file_digest(path)[:16], notes)


def _unfit(line: _Line) -> str:
    """Why a line is no purchase of a product by a known customer; empty when it is."""
    if line.invoice[:1] not in "0123456789":
        return "returns and corrections of accounts"
    if line.quantity <= 0:
        return "lines without a positive quantity"
    if not _PRODUCT_CODE.fullmatch(line.code):
        return "lines of stock codes that are no products (postage, charges, vouchers)"
    if line.price <= 0 or not line.description:
        return "lines without a price or description"
    if not line.customer:
        return "lines without a customer"
    return ""


def _lines(path: Path) -> Iterator[_Line]:
    try:
        for row in RowFile(path).rows():
            if row.fault:
                raise invalid(str(path), f"line {row.line} {row.fault}")
            yield _line(path, row)
    except InvalidArgument as error:
        if error.violations[0].field == "PATH":
            said = f"{error.violations[0].description}; --data-dir names the folder that holds it"
            raise invalid(str(path), said) from error
        raise


def _line(path: Path, row: Row) -> _Line:
    if missing := [name for name in _COLUMNS if name not in row.values]:
        raise invalid(str(path), f"has no column {missing[0]!r}; it has {', '.join(map(repr, row.values))}")

    def refused(column: str, needed: str) -> InvalidArgument:
        return invalid(str(path), f"line {row.line}, column {column}: {row.values[column]!r} is not {needed}")

    try:
        quantity = int(row.values["Quantity"])
    except ValueError:
        raise refused("Quantity", "a whole number") from None
    try:
        price = float(row.values["UnitPrice"])
        if not math.isfinite(price):
            raise ValueError
    except ValueError:
        raise refused("UnitPrice", "a number") from None
    try:
        time = datetime.fromisoformat(row.values["InvoiceDate"])
    except ValueError:
        raise refused("InvoiceDate", "a time such as 2010-12-01 08:26:00") from None
    return _Line(
        invoice=row.values["InvoiceNo"].strip(),
        # The same code comes in either case.
        code=row.values["StockCode"].strip().upper(),
        description=row.values["Description"].strip(),
        quantity=quantity,
        time_s=(time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp(),
        price=price,
        customer=row.values["CustomerID"].strip().removesuffix(".0"),
    )
