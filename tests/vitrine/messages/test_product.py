"""Products and filters over the wire."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrine.errors import InvalidArgument
from vitrine.messages.product import (
    filter_from_message,
    filter_to_message,
    found_product,
    product_from_message,
    product_to_message,
    shown_product,
)
from vitrine.ports import ProductFilter
from vitrine.product import Availability, Product, ProductKind
from vitrine.v1 import product_pb2, retriever_service_pb2

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_price = st.floats(0, 1e9)
_times = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))
_products = st.builds(
    Product,
    id=_text,
    title=_text,
    brand=_text,
    categories=st.lists(_text, max_size=3).map(tuple),
    description=_text,
    price=st.none() | _price,
    original_price=st.none() | _price,
    currency_code=_text,
    availability=st.sampled_from(Availability),
    attributes=st.dictionaries(
        _text, st.lists(_text, max_size=3).map(tuple) | st.lists(st.floats(allow_nan=False), max_size=3).map(tuple)
    ),
    image_uris=st.lists(_text, max_size=3).map(tuple),
    language=_text,
    update_time=st.none() | _times,
    revision=st.integers(0, 2**63 - 1),
    kind=st.sampled_from(ProductKind),
    about_product_ids=st.lists(_text, max_size=3).map(tuple),
    rating=st.none() | st.floats(1, 5),
)


@given(_products)
def test_every_product_comes_back_as_it_went(product: Product) -> None:
    data = product_to_message(product).SerializeToString()
    assert product_from_message(product_pb2.Product.FromString(data)) == product


@given(_products)
def test_a_product_without_description_lacks_nothing_else(product: Product) -> None:
    message = product_to_message(product, with_description=False)
    assert product_from_message(message) == replace(product, description="")


def test_an_unset_availability_is_in_stock() -> None:
    assert product_from_message(product_pb2.Product(id="a")).availability is Availability.IN_STOCK


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (product_pb2.Product(availability=9), "availability"),  # type: ignore[arg-type]
        (
            product_pb2.Product(attributes={"size": product_pb2.AttributeValues(text=["M"], numbers=[40])}),
            "attributes[size]",
        ),
        (product_pb2.Product(update_time={"seconds": 2**62}), "update_time"),
        (product_pb2.Product(update_time={"seconds": -(2**62)}), "update_time"),
        (product_pb2.Product(update_time={"nanos": -1}), "update_time"),
    ],
)
def test_what_a_product_cannot_hold_is_refused_by_field(message: product_pb2.Product, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        product_from_message(message)
    assert [v.field for v in caught.value.violations] == [field]


@given(
    st.builds(
        ProductFilter,
        categories=st.lists(_text, max_size=3).map(tuple),
        brands=st.lists(_text, max_size=3).map(tuple),
        min_price=st.none() | _price,
        max_price=st.none() | _price,
        currency_code=_text,
        availabilities=st.lists(st.sampled_from(Availability), max_size=3).map(tuple),
        languages=st.lists(_text, max_size=3).map(tuple),
        kinds=st.lists(st.sampled_from(ProductKind), max_size=3).map(tuple),
        about_product_ids=st.lists(_text, max_size=3).map(tuple),
    )
)
def test_every_filter_comes_back_as_it_went(product_filter: ProductFilter) -> None:
    data = filter_to_message(product_filter).SerializeToString()
    assert filter_from_message(retriever_service_pb2.ProductFilter.FromString(data)) == product_filter


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (retriever_service_pb2.ProductFilter(min_price=float("nan")), "filter.min_price"),
        (retriever_service_pb2.ProductFilter(max_price=float("inf")), "filter.max_price"),
        (retriever_service_pb2.ProductFilter(availabilities=[1, 0]), "filter.availabilities[1]"),  # type: ignore[list-item]
        (retriever_service_pb2.ProductFilter(availabilities=[77]), "filter.availabilities[0]"),  # type: ignore[list-item]
        (retriever_service_pb2.ProductFilter(availabilities=[1] * 101), "filter.availabilities"),  # type: ignore[list-item]
        (retriever_service_pb2.ProductFilter(kinds=[2, 0]), "filter.kinds[1]"),  # type: ignore[list-item]
        (retriever_service_pb2.ProductFilter(kinds=[1] * 101), "filter.kinds"),  # type: ignore[list-item]
    ],
)
def test_a_wrong_filter_is_refused_by_field(message: retriever_service_pb2.ProductFilter, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        filter_from_message(message)
    assert [v.field for v in caught.value.violations] == [field]


@pytest.mark.parametrize(
    ("title", "description", "is_kept"),
    [("Watch", "x" * 200, True), ("Watch", "x" * 201, False), ("x" * 4_096, "", False)],
)
def test_a_product_read_again_is_the_one_kept_but_for_long_ones(title: str, description: str, is_kept: bool) -> None:
    product = Product(id="p", title=title, description=description)
    message = product_to_message(product)
    first, again = found_product(message), found_product(message)
    assert first == again == product
    assert (first is again) == is_kept


def test_a_product_shown_again_is_written_once_and_its_description_left_out_where_not_wanted() -> None:
    product = Product(id="p", title="Watch", description="Round.", attributes={"colour": ("red",)})
    assert shown_product(product) == product_to_message(product)
    assert shown_product(product, False) == product_to_message(product, False)
    assert shown_product(product, False) is shown_product(product, False)
    assert shown_product(product).description == "Round."


def test_another_product_is_never_shown_in_its_place() -> None:
    for number in range(10_000):
        product = Product(id=f"p{number}", title="Watch", revision=number)
        assert shown_product(product).id == product.id
        assert shown_product(replace(product, revision=number + 1)).revision == number + 1


def test_whoever_walks_through_all_whole_descriptions_pushes_nothing_out() -> None:
    popular = Product(id="popular", title="Watch", description="Round.")
    shown = shown_product(popular)
    found = found_product(shown)
    for number in range(5_000):
        walked = Product(id=f"p{number}", title="Watch", description="Round. " * 40)
        assert found_product(shown_product(walked)) == walked
    assert shown_product(popular) is shown
    assert found_product(shown) is found


def test_new_versions_push_nothing_out_but_those_before_them() -> None:
    popular = Product(id="popular", title="Watch")
    shown = shown_product(popular)
    found = found_product(shown)
    for number in range(5_000):
        changed = Product(id="changed", title="Watch", revision=number)
        assert found_product(shown_product(changed)) == changed
    assert shown_product(popular) is shown
    assert found_product(shown) is found


def test_a_long_product_is_not_kept() -> None:
    for product in (
        Product(id="p", title="x" * 4_096),
        Product(id="p", title="Watch", description="x" * 201),
    ):
        assert shown_product(product) == product_to_message(product)
        assert shown_product(product) is not shown_product(product)
    assert shown_product(product, False) is shown_product(product, False)
