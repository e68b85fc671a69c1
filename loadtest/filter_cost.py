"""`python -m loadtest.filter_cost`: what filters, facets and sorted lists cost in a retriever with many products.

Fills the retriever's columns with the sample shop's products, and with `--words` its lexical index, and prints
milliseconds of processor time in one thread: of a filter that is new, of the same filter after one more write, of a
search by words with it, of the size of what holds every word, of a facet, and of a page of a sorted list.
"""

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from cli.sample.products import Shop
from services.retriever.columns import Columns
from services.retriever.conditions import AllOf, Condition
from services.retriever.facets import facet_of
from services.retriever.field_values import values_of
from services.retriever.filters import plan_of
from services.retriever.lexical_index import LexicalIndex, entry_of
from services.retriever.lexical_memo import found_rows
from services.retriever.lexical_view import LexicalView
from services.retriever.query_reader import read_query
from services.retriever.retrieval import WORDS_POOL
from services.retriever.sorted_list import beginning, cursor_of, sorted_positions
from vitrine.ports import FacetSpec, ProductFilter
from vitrine.product import Product

EXPRESSIONS = (
    "availability = in_stock",
    "language = zh",
    'categories : "Electronics"',
    "price >= 100 AND price < 200 AND currency_code = EUR",
    "attributes.color = (red, blue, 红色)",
    "attributes.storage_gb >= 256",
    "NOT brand = (Norvik, Lumora) AND -availability = out_of_stock",
    "price < 12",
    'id = ("P0000001", "P0000777")',
)
FACETS = (
    FacetSpec("brand"),
    FacetSpec("categories"),
    FacetSpec("attributes.color"),
    FacetSpec("price", bounds=(50.0, 100.0, 500.0)),
)
QUERIES = ("手机", "wireless", "black wireless headphones", "蓝牙耳机 主动降噪")
_TIMES = 7
_STEP = 5_000
T = TypeVar("T")


def _timed(work: Callable[[], T], times: int = _TIMES) -> tuple[float, T]:
    """Median milliseconds of this thread's processor time, and the last result."""
    spent = []
    for _ in range(times):
        started = time.thread_time()
        result = work()
        spent.append(time.thread_time() - started)
    return float(np.median(spent)) * 1_000, result


def _filled(count: int, with_words: bool) -> tuple[Columns, LexicalIndex | None]:
    shop = Shop(count, seed=1)
    columns, index = Columns(1), LexicalIndex() if with_words else None
    for start in range(0, count, _STEP):
        products = [shop.product(number) for number in range(start, min(start + _STEP, count))]
        _append(columns, start, products)
        if index is not None:
            for row, product in enumerate(products, start=start):
                index.add(row, product.id, entry_of(product))
    return columns, index


def _append(columns: Columns, first: int, products: list[Product]) -> None:
    rows, ids = range(first, first + len(products)), [product.id for product in products]
    columns.append(rows, ids, [values_of(product) for product in products], np.ones((len(products), 1), np.float32))


def _filters(columns: Columns, words: LexicalView | None, query: str) -> None:
    print(f"{'filter':<66} {'share':>7} {'new ms':>7} {'again ms':>8} {'words ms':>8}")
    for number, expression in enumerate(("", *EXPRESSIONS)):
        plan = plan_of(ProductFilter(expression=expression))
        view = columns.view()
        brackets = iter(range(1, 4))
        new_ms, allowed = _timed(
            lambda: view.fields.matching(_never_asked(plan.condition, next(brackets)), len(view.rows)),  # noqa: B023
            3,
        )
        view.allowed(plan)
        _append(columns, len(columns), [Product(id=f"new{number}", title="t", language="en")])
        view = columns.view()
        again_ms, _ = _timed(lambda: view.allowed(plan), 1)  # noqa: B023
        words_ms = float("nan")
        if words is not None:
            reading = read_query(query, words)
            words_ms, _ = _timed(lambda: found_rows(view, words, reading, plan, WORDS_POOL))  # noqa: B023
        share = float(allowed.mean())
        print(f"{expression or 'none':<66} {share:>7.2%} {new_ms:>7.2f} {again_ms:>8.2f} {words_ms:>8.2f}")


def _sizes(columns: Columns, words: LexicalView) -> None:
    view, plan = columns.view(), plan_of(ProductFilter())
    print(f"\n{'size of what holds every word':<34} {'products':>9} {'count ms':>9} {'fetch ms':>9} {'of 500 ms':>10}")
    for query in QUERIES:
        reading = read_query(query, words)
        some = view.rows[np.flatnonzero(view.alive)[:: max(1, len(view.rows) // 500)]][:500]
        count_ms, count = _timed(lambda: words.count(reading, plan))  # noqa: B023
        fetch_ms, _ = _timed(lambda: words.matching(reading, plan))  # noqa: B023
        among_ms, _ = _timed(lambda: words.count(reading, plan, among=some))  # noqa: B023
        print(f"{query:<34} {count:>9,} {count_ms:>9.2f} {fetch_ms:>9.2f} {among_ms:>10.2f}")


def _never_asked(condition: Condition, number: int) -> Condition:
    """The same condition in so many brackets that nothing is known of it."""
    for _ in range(number):
        condition = AllOf((condition,))
    return condition


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--words", action="store_true", help="fill a lexical index too, which takes longest")
    parser.add_argument("--query", default="wireless headphones 手机")
    arguments = parser.parse_args()
    columns, index = _filled(arguments.products, arguments.words)
    fields = columns.view().fields
    size = sum(buffer.view().nbytes for buffer in fields.arrays().values())
    print(f"{arguments.products:,} products, {size / 1e6:,.0f} MB of field columns")
    words = None if index is None else index.view()
    _filters(columns, words, arguments.query)
    if words is not None:
        _sizes(columns, words)
    view = columns.view()
    everything = np.flatnonzero(view.alive)
    some = everything[:: max(1, len(everything) // 5_000)]
    print(f"\n{'facet':<24} {'of all ms':>9} {f'of {len(some):,} ms':>12}")
    for spec in FACETS:
        all_ms, _ = _timed(lambda: facet_of(fields, spec, everything, len(view.rows)), 3)  # noqa: B023
        some_ms, _ = _timed(lambda: facet_of(fields, spec, some, len(view.rows)))  # noqa: B023
        print(f"{spec.key:<24} {all_ms:>9.2f} {some_ms:>12.2f}")
    print(f"\n{'order':<24} {'first page':>10} {'second ms':>10}")
    nothing = np.empty(0, np.int64)
    for order_by in ("price", "newest"):
        start = beginning(view, order_by)
        first_ms, (_, cursor) = _timed(lambda: sorted_positions(view, everything, start, nothing, 20), 3)  # noqa: B023
        second = cursor_of(cursor, order_by)
        second_ms, _ = _timed(lambda: sorted_positions(view, everything, second, nothing, 20), 3)  # noqa: B023
        print(f"{order_by:<24} {first_ms:>10.2f} {second_ms:>10.2f}")


if __name__ == "__main__":
    main()
