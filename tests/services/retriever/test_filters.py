"""One plan, answered alike by a product, by the columns and by the lexical index."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.retriever.columns import Columns, rebuilt
from services.retriever.field_columns import FieldColumns
from services.retriever.filters import plan_of
from services.retriever.lexical_filter import is_exact
from services.retriever.lexical_index import LexicalIndex, entry_of
from services.retriever.query_reader import read_query
from vitrine.ports import ProductFilter
from vitrine.product import CONTENT_KINDS, Availability, Product, ProductKind, checked_product

BRANDS = ("Acme", "ACME", "Größe", "华为", "")
CATEGORIES = ("Shoes", "Shoes > Running shoes", "Shoes > Running shoes > Trail", "Shoestrings", "电子 > 手表")
LANGUAGES = ("en", "en-GB", "zh", "zh-Hans-CN", "zhx")
prices = st.one_of(st.none(), st.sampled_from([0.0, 0.1, 9.99, 10.0, 10.01, 1e9]))

products = st.builds(
    Product,
    id=st.sampled_from(["p", "q"]),
    title=st.just("shoe"),
    brand=st.sampled_from(BRANDS),
    categories=st.lists(st.sampled_from(CATEGORIES), max_size=2).map(tuple),
    price=prices,
    currency_code=st.sampled_from(["EUR", "CNY"]),
    availability=st.sampled_from(Availability),
    original_price=st.none(),
    attributes=st.fixed_dictionaries(
        {},
        optional={
            "Color": st.sampled_from([("Red",), ("red", "Blue"), ("BLUE",), ("black",)]),
            "size": st.sampled_from([(38.0,), (38.0, 40.0), (39.75,), (0.0,), (-3.0,), ("40",), ()]),
        },
    ),
    language=st.sampled_from(LANGUAGES),
)
content = st.builds(
    Product,
    id=st.sampled_from(["r", "s"]),
    title=st.just("shoe"),
    kind=st.sampled_from(CONTENT_KINDS),
    about_product_ids=st.lists(st.sampled_from(["p", "q", "P"]), max_size=2, unique=True).map(tuple),
    language=st.sampled_from(LANGUAGES),
)
filters = st.builds(
    ProductFilter,
    categories=st.lists(st.sampled_from([*CATEGORIES, "shoes>running shoes", "Nothing"]), max_size=2).map(tuple),
    brands=st.lists(st.sampled_from(["acme", "GRÖSSE", "华为", "nobody"]), max_size=2).map(tuple),
    min_price=prices,
    max_price=prices,
    currency_code=st.sampled_from(["", "EUR"]),
    availabilities=st.lists(st.sampled_from(Availability), max_size=2).map(tuple),
    languages=st.lists(st.sampled_from(["en", "ZH", "zh-hans", "xx"]), max_size=2).map(tuple),
    kinds=st.lists(st.sampled_from(ProductKind), max_size=3).map(tuple),
    about_product_ids=st.sampled_from([(), (), ("q",), ("p", "none")]),
    product_ids=st.sampled_from([(), (), ("q",), ("p", "none")]),
).filter(lambda f: f.min_price is None or f.max_price is None or f.min_price <= f.max_price)


EXPRESSIONS = (
    "",
    "attributes.size < 40",
    "attributes.size >= 39.5 AND -attributes.color = red",
    "attributes.size != 38",
    "NOT attributes.size:*",
    "attributes.color = (blue, RED) OR price > 9.99",
    "attributes.color = bl* OR attributes.size = 40",
    "NOT (attributes.color = blue AND price <= 10)",
    "attributes.size > 0 AND attributes.size < 1e12",
    'categories = "Shoes" OR language = zh',
    'NOT categories = "Shoes"',
    "-language : zh brand:*",
    "id = (p, r) AND original_price:*",
    "(brand = acme OR (price = 0 AND availability = preorder)) AND NOT (attributes.size = (38, 40) OR brand = x)",
)


@settings(max_examples=50, deadline=None)
@given(st.lists(products | content, min_size=1, max_size=12), filters, st.sampled_from(EXPRESSIONS))
def test_all_three_agree(made: list[Product], filter: ProductFilter, expression: str) -> None:
    """A product, the columns whole and in parts, compacted and restored, and the words, with the columns where these
    are not exact."""
    checked = [checked_product(product) for product in made]
    plan = plan_of(replace(filter, expression=expression)).without(["q"] if len(made) % 2 else [])
    columns, index = Columns(dim=1), LexicalIndex()
    for row, product in enumerate(checked):
        entry = entry_of(product)
        columns.append([row], [product.id], [entry.values], np.ones((1, 1), np.float32))
        index.add(row, product.id, entry)
        columns.view().allowed(plan)
    expected = [plan.matches(product) for product in checked]
    assert columns.view().allowed(plan).tolist() == expected
    assert _restored(columns, len(checked)).matching(plan.condition, len(checked)).tolist() == expected
    words = index.view()
    found = words.search(read_query("shoe", words), plan, 100)[0]
    if not is_exact(plan.condition):
        assert set(np.flatnonzero(expected)) <= set(found.tolist())
        found = found[np.array(expected)[found]]
    assert sorted(found.tolist()) == np.flatnonzero(expected).tolist()
    columns.kill([0])
    assert (
        rebuilt(columns.view(), np.flatnonzero(columns.view().alive), "float32").view().allowed(plan).tolist()
        == expected[1:]
    )


def _restored(columns: Columns, count: int) -> FieldColumns:
    saved = columns.view().fields
    fields = FieldColumns(columns.view().ids)
    fields.restore({name: array.view().copy() for name, array in saved.arrays().items()}, saved.texts())
    assert {name: array.view().tolist() for name, array in fields.arrays().items()} == {
        name: array.view().tolist() for name, array in saved.arrays().items()
    }
    return fields


def test_a_view_sees_nothing_that_came_later() -> None:
    columns = Columns(dim=1)
    fields: dict[str, tuple[str | float, ...]] = {"brand": ("Acme",), "price": (3.0,)}
    for row in range(3):
        columns.append([row], [f"p{row}"], [fields], np.ones((1, 1), np.float32))
        if row == 1:
            earlier = columns.view()
    plan = plan_of(ProductFilter(brands=("acme",), max_price=3.0, product_ids=("p1", "p2", "x")))
    assert columns.view().allowed(plan).tolist() == [False, True, True]
    assert earlier.allowed(plan).tolist() == [False, True]


def test_what_met_a_condition_is_known_after_a_compaction(monkeypatch: pytest.MonkeyPatch) -> None:
    columns, vectors = Columns(2), np.ones((20, 2), np.float32)
    columns.append(
        range(20), [str(n) for n in range(20)], [{"brand": ("acme" if n % 3 else "zeta",)} for n in range(20)], vectors
    )
    acme = plan_of(ProductFilter(brands=("acme",)))
    columns.view().allowed(acme)
    columns.append([20, 21], ["20", "21"], [{"brand": ("acme",)}, {"brand": ("zeta",)}], vectors[:2])
    columns.kill([0, 1, 7, 20])
    view = columns.view()
    smaller = rebuilt(view, np.flatnonzero(view.alive), "float32")
    smaller.append([22], ["22"], [{"brand": ("acme",)}], vectors[:1])
    looked_at: list[tuple[int, int]] = []
    met = FieldColumns._met

    def meeting(fields: FieldColumns, condition: Any, start: int, stop: int) -> Any:
        looked_at.append((start, stop))
        return met(fields, condition, start, stop)

    with monkeypatch.context() as counting:
        counting.setattr(FieldColumns, "_met", meeting)
        found = smaller.view().rows[smaller.view().allowed(acme)].tolist()
    assert found == [n for n in range(20) if n % 3 and n not in (1, 7)] + [22]
    # What nobody had asked of, and what came later.
    assert looked_at[0] == (17, 19)


def _matches(product: Product, **conditions: Any) -> bool:
    return plan_of(ProductFilter(**conditions)).matches(checked_product(product))


def test_an_upper_level_holds_what_is_below_it() -> None:
    trail = Product(id="p", title="t", categories=("Shoes > Running shoes > Trail",))
    assert _matches(trail, categories=("Shoes",))
    assert _matches(trail, categories=("shoes > RUNNING shoes",))
    assert not _matches(trail, categories=("Shoes > Trail",))
    assert not _matches(trail, categories=("Running shoes",))


def test_bounds_are_inclusive_and_a_product_without_price_has_none() -> None:
    priced = Product(id="p", title="t", price=10.0, currency_code="EUR")
    assert _matches(priced, min_price=10.0, max_price=10.0)
    assert not _matches(priced, max_price=9.99)
    assert not _matches(priced, min_price=10.0, currency_code="CNY")
    assert not _matches(Product(id="p", title="t"), min_price=0.0)
    assert _matches(Product(id="p", title="t"))


def test_a_language_holds_its_regions() -> None:
    assert _matches(Product(id="p", title="t", language="zh-Hans"), languages=("zh",))
    assert not _matches(Product(id="p", title="t", language="zh"), languages=("zh-Hans",))


def test_without_kinds_products_alone_match() -> None:
    review = Product(id="r", title="t", kind=ProductKind.REVIEW, about_product_ids=("p",))
    assert _matches(Product(id="p", title="t"))
    assert not _matches(review)
    assert not _matches(review, kinds=(ProductKind.PRODUCT, ProductKind.GUIDE))
    assert _matches(review, kinds=(ProductKind.PRODUCT, ProductKind.REVIEW))
    assert _matches(review, kinds=(ProductKind.REVIEW,), about_product_ids=("q", "p"))
    assert not _matches(review, kinds=(ProductKind.REVIEW,), about_product_ids=("P",))
    assert not _matches(Product(id="p", title="t"), about_product_ids=("p",))
