"""Rows turned into products."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.sample.files import product_row
from cli.sample.products import Shop
from cli.sample.reviews import reviews
from vitrine.errors import InvalidArgument
from vitrine.mapping import Source, load_mapping
from vitrine.messages.product import product_to_message
from vitrine.product import Availability, Product, ProductKind
from vitrine.product_row import ProductRows


def native(**row: Any) -> Product:
    return ProductRows(load_mapping(None)).product({"id": "1", "title": "Watch", **row})


def test_the_sample_shop_needs_no_mapping() -> None:
    shop = Shop(200, seed=1)
    rows = ProductRows(load_mapping(None))
    for index in range(200):
        product = shop.product(index)
        assert product.update_time is not None
        expected = replace(product, update_time=product.update_time.replace(microsecond=0))
        assert rows.product(product_row(product)) == expected
    assert not rows.unused_columns


def test_icecat_is_mapped() -> None:
    rows = ProductRows(load_mapping(Path("icecat")))
    product = rows.product(
        {
            "id": "3920564",
            "name": "006R90321",
            "title": "Xerox 006R90321 toner cartridge",
            "short_description": "Toner for CopyCentre C65",
            "img_high": "http://images.example/high.jpg",
            "img_500x500": "http://images.example/500.jpg",
            "supplier": "Xerox",
            "price": 4995,
            "attr_t_type": "Original",
            "attr_n_quantity_per_pack": 6.0,
            "attr_b_recycled": False,
            "attr_t_" + "x" * 65: "a name too long",
            "attr_t_long": "x" * 257,
        }
    )
    assert product == Product(
        id="3920564",
        title="Xerox 006R90321 toner cartridge",
        brand="Xerox",
        description="Toner for CopyCentre C65",
        price=49.95,
        currency_code="USD",
        image_uris=("http://images.example/high.jpg", "http://images.example/500.jpg"),
        attributes={"type": ("Original",), "quantity_per_pack": (6.0,), "recycled": ("no",)},
        language="en",
    )
    assert list(rows.unused_columns) == ["name"]
    assert rows.dropped_attributes == 2


def test_more_attributes_than_are_kept_are_left_out_where_the_mapping_says_so() -> None:
    row = {"id": "1", "title": "Laptop", **{f"attr_n_{number}": number for number in range(130)}}
    rows = ProductRows(load_mapping(Path("icecat")))
    assert list(rows.product(row).attributes) == [str(number) for number in range(100)]
    assert rows.dropped_attributes == 30
    with pytest.raises(InvalidArgument, match="attributes: has 130 entries"):
        native(attributes={str(number): number for number in range(130)})


def test_values_of_every_source_are_read() -> None:
    product = native(
        id=123.0,
        brand=7,
        categories="Shoes > Running | Sale",
        price="19.90",
        original_price=Decimal("25"),
        currency_code="EUR",
        availability="Out of stock",
        image_uris='["http://a.example/1.jpg"]',
        update_time="2026-01-02T03:04:05+01:00",
        attributes='{"size": ["M", "L"], "weight_g": 120}',
        **{"attributes.color": "red", "attributes.empty": " "},
    )
    assert product == Product(
        id="123",
        title="Watch",
        brand="7",
        categories=("Shoes > Running", "Sale"),
        price=19.9,
        original_price=25.0,
        currency_code="EUR",
        availability=Availability.OUT_OF_STOCK,
        image_uris=("http://a.example/1.jpg",),
        update_time=datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC),
        attributes={"size": ("M", "L"), "weight_g": (120.0,), "color": ("red",)},
        language="en",
    )
    assert native(update_time=date(2026, 1, 2)).update_time == datetime(2026, 1, 2, tzinfo=UTC)
    assert native(attributes=[("color", "red")]).attributes == {"color": ("red",)}


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        ({"title": ""}, "title", "is empty"),
        ({"title": None}, "title", "is empty"),
        ({"title": " \t　\u200b"}, "title", "is empty"),
        ({"title": ["a"]}, "title", "is a list; give text"),
        ({"id": None}, "id", "is empty"),
        ({"id": "a b"}, "id", "white space"),
        ({"price": "10 - 20", "currency_code": "EUR"}, "price", "is not a number"),
        ({"price": "5 dinero"}, "price", "names no currency that is known"),
        ({"price": "5 €", "currency_code": "USD"}, "price", "is in EUR, and currency_code says USD"),
        ({"price": "5 €", "original_price": "$6"}, "original_price", "another currency than price"),
        ({"price": 10**400, "currency_code": "EUR"}, "price", "is not a number"),
        ({"price": True, "currency_code": "EUR"}, "price", "give a number"),
        ({"price": -1, "currency_code": "EUR"}, "price", "not negative"),
        ({"price": float("inf"), "currency_code": "EUR"}, "price", "is not a number"),
        ({"price": 5}, "currency_code", "a price needs"),
        ({"availability": "maybe"}, "availability", "is not one of in_stock"),
        ({"update_time": "yesterday"}, "update_time", "is not a time"),
        ({"update_time": 17}, "update_time", "is a int"),
        ({"attributes": "red"}, "attributes", "is not a JSON object"),
        ({"attributes": {"a": {"b": 1}}}, "attributes", "holds objects"),
        ({"categories": "[1,"}, "categories", "begins like a JSON list"),
        ({"language": "chinese!"}, "language", "is not a BCP 47 tag"),
    ],
)
def test_a_wrong_value_names_its_field(row: dict[str, Any], field: str, message: str) -> None:
    """dify#6807, azure-search-openai-demo#1134 (cases 57, 58): empty and blank titles are refused by name."""
    with pytest.raises(InvalidArgument) as caught:
        native(**row)
    assert [violation.field for violation in caught.value.violations] == [field]
    assert message in caught.value.violations[0].description


@pytest.mark.parametrize(
    ("row", "price", "currency_code"),
    [
        ({"price": "1.299,00 €"}, 1299.0, "EUR"),
        ({"price": "¥1,299"}, 1299.0, "CNY"),
        ({"price": "¥1,299", "currency_code": "JPY"}, 1299.0, "JPY"),
        ({"price": "1.299,00", "currency_code": "eur"}, 1299.0, "EUR"),
        ({"price": 12.5, "currency_code": "EUR"}, 12.5, "EUR"),
    ],
)
def test_prices_are_read_as_shops_write_them(row: dict[str, Any], price: float, currency_code: str) -> None:
    product = native(**row)
    assert (product.price, product.currency_code) == (price, currency_code)


def test_a_sign_that_several_currencies_use_is_told() -> None:
    rows = ProductRows(load_mapping(None))
    assert rows.product({"id": "1", "title": "a", "price": "¥5"}).currency_code == "CNY"
    assert list(rows.mended) == ["prices in ¥ taken as CNY: say another with --currency"]
    rows = ProductRows(load_mapping(None), "JPY")
    assert rows.product({"id": "1", "title": "a", "price": "¥5"}).currency_code == "JPY"
    assert rows.product({"id": "1", "title": "a", "price": "5 €"}).currency_code == "EUR"
    assert rows.product({"id": "1", "title": "a", "price": 5}).currency_code == "JPY"
    assert not rows.mended


def test_what_is_too_long_is_cut_and_markup_is_read_as_words() -> None:
    rows = ProductRows(load_mapping(None))
    product = rows.product(
        {
            "id": "1",
            "title": "Caf&eacute; <b>cup</b> " + "x" * 2_000,
            "description": "<p>Fine</p><style>p {}</style><ul><li>red<li>blue</ul>" + "<br>字" * 3_500_000,
            "categories": [f"A &amp; B &gt; {number}" for number in range(12)],
            "image_uris": [f"https://a.example/{number}?x=1&amp;y=2" for number in range(22)] + ["h" * 3_000],
            "price": 5,
            "original_price": 4,
            "currency_code": "EUR",
            "attributes": {"material": "wood &amp; steel"},
        }
    )
    assert product.title.startswith("Café cup xxx")
    assert len(product.title) == 1_000
    assert product.description.startswith("Fine red blue 字 字")
    assert 19_990 < len(product.description) <= 20_000
    assert product.categories == tuple(f"A & B > {number}" for number in range(10))
    assert product.image_uris == tuple(f"https://a.example/{number}?x=1&y=2" for number in range(20))
    assert (product.price, product.original_price) == (5.0, None)
    assert product.attributes == {"material": ("wood & steel",)}
    assert set(rows.mended) == {
        "HTML or entities in title read as plain text",
        "HTML or entities in description read as plain text",
        "HTML or entities in categories read as plain text",
        "title cut to its first 1,000 characters",
        "description cut to its first 20,000 characters",
        "categories beyond 10 of 512 characters left out",
        "image_uris beyond 20 of 2,048 characters left out",
        "original_price below price left out",
    }


def test_a_mapped_field_is_named_with_its_column() -> None:
    mapping = load_mapping(None)
    fields = mapping.fields.model_copy(update={"price": Source(columns=("cost",))})
    rows = ProductRows(mapping.model_copy(update={"fields": fields}))
    with pytest.raises(InvalidArgument, match="'abc'") as caught:
        rows.product({"id": "1", "title": "a", "cost": "abc"})
    assert caught.value.violations[0].field == "price (column cost)"


def test_characters_that_no_wire_carries_do_not_get_through() -> None:
    product = native(
        title="Wat\ud800ch",
        brand="B\x00",
        description="\udfff",
        image_uris=["http://a.example/\ud800"],
        attributes={"co\ud800lor": ["r\ud800ed"]},
    )
    message = product_to_message(product)
    assert (message.title, message.brand, message.attributes["color"].text[0]) == ("Watch", "B", "red")


def test_missing_values_are_missing() -> None:
    product = native(price=float("nan"), brand=None, attributes={"a": None, "b": [], "c": [None, "x"]})
    assert product.price is None
    assert product.brand == ""
    assert product.attributes == {"c": ("x",)}


def test_reviews_are_mapped_as_the_sample_shop_writes_them() -> None:
    shop, rows = Shop(30, seed=1), ProductRows(load_mapping(Path("reviews")))
    written = [row for index in range(30) for row in reviews(shop, index, visitors=10)]
    assert len(written) > 10
    for row in written:
        review = rows.product(row)
        assert (review.id, review.title, review.description) == (row["id"], "", row["text"])
        assert (review.kind, review.rating) == (ProductKind.REVIEW, row["rating"])
        assert (review.about_product_ids, review.language) == ((row["product_id"],), row["language"])
    # Who wrote it is no business of the catalogue, from which erasing a visitor takes nothing.
    assert list(rows.unused_columns) == ["visitor_id"]


def test_content_is_read_by_its_own_names() -> None:
    guide = native(title="How to choose", kind="PRODUCT_KIND_GUIDE", about_product_ids="a|b")
    assert (guide.kind, guide.about_product_ids) == (ProductKind.GUIDE, ("a", "b"))
    assert native(kind="review", rating="4.5").rating == 4.5
    with pytest.raises(InvalidArgument, match="'advert' is not one of product, review, guide"):
        native(kind="advert")


def test_the_average_rating_of_a_feeds_product_is_an_attribute() -> None:
    product = native(rating=4.4)
    assert product.rating is None
    assert product.attributes == {"rating": (4.4,)}
    assert native(rating=4.4, attributes={"rating": 3}).attributes == {"rating": (3.0,)}
