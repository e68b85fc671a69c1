"""Conditions in Milvus: what it finds is what the plan says of each product."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.retriever.filters import plan_of
from services.retriever.lexical_index import entry_of
from services.retriever.milvus.collection import VECTOR, Collection
from services.retriever.milvus.connection import Milvus
from services.retriever.milvus.entity import entity_of
from services.retriever.milvus.expression import expression_of
from services.retriever.settings import RetrieverSettings
from vitrine.deadline import Deadline
from vitrine.ports import ProductFilter
from vitrine.product import Availability, Product, ProductKind, checked_product

BRANDS = ("Acme", "ACME", "Größe", "华为", 'So"ny\\', "100%_x", "")
PRODUCTS = [
    Product(
        id=f"p{number}",
        title="shoe",
        brand=BRANDS[number % len(BRANDS)],
        categories=(("Shoes",), ("Shoes > Running shoes > Trail", "Sale"), ("电子 > 手表",), ())[number % 4],
        price=None if number % 5 == 0 else float(number),
        currency_code="EUR" if number % 2 else "CNY",
        availability=list(Availability)[number % 4],
        language=("en", "en-GB", "zh-Hans")[number % 3],
        attributes={"Größe, EU": (38.0, 41.5), "colour": ("Red", "navy blue")} if number % 3 else {"colour": (7.0,)},
    )
    for number in range(60)
] + [Product(id="r0", title="shoe", kind=ProductKind.REVIEW, about_product_ids=("p1",), language="en")]
EXPRESSIONS = (
    "",
    'brand = "acme"',
    'NOT brand = "acme"',
    'brand = "So\\"ny\\\\"',
    'brand = "100%_*"',
    'brand = "ac*" OR categories : "Shoes"',
    'categories = "Shoes"',
    'categories != "Shoes"',
    "price > 10 AND price <= 20",
    "NOT price > 10",
    "-price:*",
    'attributes.colour = "navy blue"',
    "attributes.colour = 7",
    'attributes."Größe, EU" > 41',
    'attributes."Größe, EU" > 39 AND attributes."Größe, EU" < 41',
    'attributes."Größe, EU" = 38',
    'NOT attributes."Größe, EU":*',
    'language : "en" AND (price < 9 OR NOT brand:*)',
    'attributes.none = "x"',
)
filters = st.builds(
    ProductFilter,
    categories=st.lists(st.sampled_from(["Shoes", "shoes>running shoes", "电子", "Nothing"]), max_size=2).map(tuple),
    brands=st.lists(st.sampled_from(["acme", "GRÖSSE", "华为"]), max_size=2).map(tuple),
    min_price=st.sampled_from([None, None, 0.0, 7.0]),
    max_price=st.sampled_from([None, None, 12.0]),
    currency_code=st.sampled_from(["", "EUR"]),
    availabilities=st.lists(st.sampled_from(Availability), max_size=2).map(tuple),
    kinds=st.sampled_from([(), (ProductKind.REVIEW,), tuple(ProductKind)]),
    product_ids=st.sampled_from([(), ("p1", "p7", "p8", "r0")]),
    expression=st.sampled_from(EXPRESSIONS),
)


@pytest.fixture(scope="module")
def collection(milvus_uri: str) -> Iterator[Collection]:
    """The products in a collection."""
    milvus = Milvus(RetrieverSettings(milvus_uri=milvus_uri, milvus_index="FLAT"))
    made = milvus.create("expressions", {VECTOR: 2}, "")
    vectors = {VECTOR: np.array([1.0, 0.0], np.float32)}
    made.put([entity_of(row, p.id, entry_of(p), vectors) for row, p in enumerate(map(checked_product, PRODUCTS), 1)])
    yield made
    milvus.drop("expressions")
    milvus.close()


def _found(collection: Collection, filter: ProductFilter) -> list[str]:
    expression = expression_of(plan_of(filter).condition)
    return sorted(entity["id"] for entity in collection.read(expression, ["id"], 100, Deadline.after(60)))


def _expected(filter: ProductFilter) -> list[str]:
    plan = plan_of(filter)
    return sorted(product.id for product in PRODUCTS if plan.matches(checked_product(product)))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_kind_of_condition(collection: Collection, expression: str) -> None:
    filter = ProductFilter(expression=expression)
    assert _found(collection, filter) == _expected(filter)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters)
def test_any_filter(collection: Collection, filter: ProductFilter) -> None:
    assert _found(collection, filter) == _expected(filter)


def test_these_tests_tell_products_apart() -> None:
    counts: dict[str, Any] = {one: len(_expected(ProductFilter(expression=one))) for one in EXPRESSIONS if one}
    assert all(0 < count < 60 for one, count in counts.items() if "none" not in one)
