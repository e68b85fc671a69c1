"""Digests of products: equal content is equal, any change of content is another."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from vitrine.messages.product import product_from_message, product_to_message
from vitrine.product import Availability, Product, ProductKind, checked_product
from vitrine.product_digest import DIGEST_BYTES, content_digest

WATCH = checked_product(
    Product(
        id="w1",
        title="智能手表 GT",
        brand="Acme",
        categories=("Electronics > Watches",),
        description="防水",
        price=10,
        original_price=12,
        currency_code="CNY",
        attributes={"color": ("black", "white"), "weight_g": (45,)},
        image_uris=("https://a/1.jpg",),
    )
)
# For each field a value that is not the watch's; None: it is no content.
CHANGES: dict[str, Any] = {
    "id": "w2",
    "title": "智能手表",
    "brand": "",
    "categories": (),
    "description": "",
    "price": 9.0,
    "original_price": 12.5,
    "currency_code": "EUR",
    "availability": Availability.PREORDER,
    "attributes": {"color": ("white", "black"), "weight_g": (45,)},
    "image_uris": (),
    "language": "en",
    "kind": ProductKind.GUIDE,
    "about_product_ids": ("w3",),
    "rating": 4.0,
    "update_time": None,
    "revision": None,
}


@pytest.mark.parametrize("name", [field.name for field in fields(Product)])
def test_any_change_of_content_is_another_digest(name: str) -> None:
    if CHANGES[name] is not None:
        assert content_digest(replace(WATCH, **{name: CHANGES[name]})) != content_digest(WATCH)


def test_when_it_was_written_does_not_count() -> None:
    later = replace(WATCH, update_time=datetime(2020, 1, 1, tzinfo=UTC), revision=7)
    assert content_digest(later) == content_digest(WATCH)
    assert len(content_digest(WATCH)) == DIGEST_BYTES


def test_the_wire_and_the_order_of_attributes_do_not_count() -> None:
    assert content_digest(product_from_message(product_to_message(WATCH))) == content_digest(WATCH)
    turned = replace(WATCH, attributes=dict(reversed(WATCH.attributes.items())))
    assert content_digest(turned) == content_digest(WATCH)


def test_words_do_not_move_between_fields() -> None:
    one, other = Product(id="p", title="a", brand="b"), Product(id="p", title="ab")
    assert content_digest(one) != content_digest(other)
    assert content_digest(Product(id="p", title="a", attributes={"n": ("1",)})) != content_digest(
        Product(id="p", title="a", attributes={"n": (1.0,)})
    )
