"""The rules for products."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vitrine.errors import InvalidArgument
from vitrine.product import Availability, Product, ProductKind, category_prefixes, checked_product, id_violation

WATCH = Product(
    id="w-1",
    title="智能手表 Pro",
    brand="Lumo",
    categories=("Electronics > Watches",),
    price=99.0,
    original_price=129.0,
    currency_code="CNY",
    attributes={"color": ("black", "红"), "weight_g": (32.5,)},
)


def violated(product: Product) -> list[str]:
    with pytest.raises(InvalidArgument) as caught:
        checked_product(product)
    return [violation.field for violation in caught.value.violations]


def test_a_right_product_gets_language_and_time() -> None:
    checked = checked_product(WATCH)
    assert checked.language == "zh"
    assert checked.update_time is not None
    assert datetime.now(UTC) - checked.update_time < timedelta(minutes=1)
    assert replace(checked, language="", update_time=None) == WATCH


def test_texts_are_cleaned_and_equal_categories_kept_once() -> None:
    checked = checked_product(
        replace(
            WATCH,
            title=" Smart\u200b  watch\n",
            brand="Lumo\x00",
            categories=("A>B", "A  >  B ", "A > > B"),
            attributes={"color": ("dark\t red\ud800",)},
            image_uris=(" https://shop.example/1.jpg\n",),
            language="ZH-CN",
        )
    )
    assert (checked.title, checked.brand, checked.categories) == ("Smart watch", "Lumo", ("A > B",))
    assert checked.attributes == {"color": ("dark red",)}
    assert checked.image_uris == ("https://shop.example/1.jpg",)
    assert checked.language == "zh-cn"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": "a b"}, "id"),
        ({"id": "a\u200b"}, "id"),
        ({"id": "a\u3000"}, "id"),
        ({"id": "x" * 129}, "id"),
        ({"title": ""}, "title"),
        ({"title": " \u200b\u3000"}, "title"),
        ({"title": "x" * 1001}, "title"),
        ({"brand": "x" * 257}, "brand"),
        ({"categories": tuple(f"c{i}" for i in range(11))}, "categories"),
        ({"categories": (" > ",)}, "categories[0]"),
        ({"categories": ("ok", "x" * 513)}, "categories[1]"),
        ({"description": "x" * 20_001}, "description"),
        ({"price": -0.01, "original_price": None}, "price"),
        ({"price": math.nan, "original_price": None}, "price"),
        ({"price": math.inf, "original_price": None}, "price"),
        ({"price": None}, "original_price"),
        ({"original_price": 98.0}, "original_price"),
        ({"currency_code": ""}, "currency_code"),
        ({"currency_code": "cny"}, "currency_code"),
        ({"currency_code": "EURO"}, "currency_code"),
        ({"attributes": {f"a{i}": ("x",) for i in range(101)}}, "attributes"),
        ({"attributes": {"": ("x",)}}, "attributes"),
        ({"attributes": {" color": ("x",)}}, "attributes[ color]"),
        ({"attributes": {"n" * 65: ("x",)}}, f"attributes[{'n' * 65}]"),
        ({"attributes": {"sizes": tuple(map(str, range(65)))}}, "attributes[sizes]"),
        ({"attributes": {"color": ("x" * 257,)}}, "attributes[color]"),
        ({"attributes": {"weight": (1.0, math.nan)}}, "attributes[weight]"),
        ({"attributes": {"weight": (1.0, "heavy")}}, "attributes[weight]"),
        ({"image_uris": tuple(f"u{i}" for i in range(21))}, "image_uris"),
        ({"image_uris": ("u" * 2049,)}, "image_uris[0]"),
        ({"language": "Chinese!"}, "language"),
        ({"update_time": datetime(2026, 1, 1)}, "update_time"),
    ],
)
def test_each_wrong_field_is_named(change: dict[str, object], field: str) -> None:
    assert violated(replace(WATCH, **change)) == [field]  # type: ignore[arg-type]


def test_all_wrong_fields_are_named_at_once() -> None:
    assert violated(Product(id="", title="", price=-1, currency_code="?")) == ["id", "title", "price", "currency_code"]


def test_the_limits_themselves_are_allowed() -> None:
    checked_product(
        Product(
            id="x" * 128,
            title="长" * 1000,
            brand="x" * 256,
            categories=tuple(f"{i:0512}" for i in range(10)),
            description="x" * 20_000,
            price=0.0,
            currency_code="EUR",
            attributes={f"{i:064}": ("x" * 256,) * 64 for i in range(100)},
            image_uris=tuple(f"{i:02048}" for i in range(20)),
        )
    )


def test_category_prefixes_run_from_broad_to_narrow() -> None:
    assert category_prefixes("A > B > C") == ["A", "A > B", "A > B > C"]


def test_a_right_id_has_no_violation() -> None:
    assert id_violation("sku/42-黑") is None


REVIEW = Product("r-1", "", description="戴着很舒服", kind=ProductKind.REVIEW, about_product_ids=("w-1",), rating=4.5)


def test_a_review_needs_no_title_and_names_each_product_once() -> None:
    checked = checked_product(replace(REVIEW, about_product_ids=("w-1", "w-2", "w-1")))
    assert (checked.title, checked.language, checked.rating) == ("", "zh", 4.5)
    assert checked.about_product_ids == ("w-1", "w-2")
    checked_product(replace(REVIEW, kind=ProductKind.GUIDE, rating=None, about_product_ids=(), title="Guide"))


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (replace(REVIEW, description=" \u200b"), "description"),
        (replace(REVIEW, price=1.0, currency_code="CNY"), "price"),
        (replace(REVIEW, availability=Availability.OUT_OF_STOCK), "availability"),
        (replace(REVIEW, rating=0.9), "rating"),
        (replace(REVIEW, rating=5.1), "rating"),
        (replace(REVIEW, rating=math.nan), "rating"),
        (replace(REVIEW, about_product_ids=("a b",)), "about_product_ids[0]"),
        (replace(REVIEW, about_product_ids=("w-1", "r-1")), "about_product_ids[1]"),
        (replace(REVIEW, about_product_ids=tuple(f"w-{number}" for number in range(21))), "about_product_ids"),
        (replace(REVIEW, kind=ProductKind.GUIDE), "rating"),
        (replace(WATCH, rating=4.0), "rating"),
        (replace(WATCH, about_product_ids=("w-2",)), "about_product_ids"),
    ],
)
def test_what_does_not_belong_to_a_kind_is_refused(item: Product, field: str) -> None:
    assert violated(item) == [field]
