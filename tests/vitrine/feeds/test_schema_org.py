"""schema.org Products as JSON-LD, in pages, documents and lines."""

import json
from typing import Any

import pytest

from vitrine.errors import InvalidArgument
from vitrine.product import Availability

ANVIL: dict[str, Any] = {
    "@context": "https://schema.org/",
    "@type": "Product",
    "name": "Executive Anvil &amp; Stand",
    "image": ["https://i.example/1.jpg", {"@type": "ImageObject", "url": "https://i.example/2.jpg"}],
    "description": "<p>Sleek and deadly.</p>",
    "sku": "0446310786",
    "gtin13": "4006381333931",
    "brand": {"@type": "Brand", "name": "ACME"},
    "category": "Tools > Anvils",
    "aggregateRating": {"@type": "AggregateRating", "ratingValue": "4.4", "reviewCount": 89},
    "additionalProperty": [{"@type": "PropertyValue", "name": "Weight", "value": "55 kg"}],
    "color": "Black",
    "offers": {
        "@type": "Offer",
        "priceCurrency": "USD",
        "price": "119.99",
        "availability": "https://schema.org/InStock",
        "priceSpecification": {
            "@type": "UnitPriceSpecification",
            "priceType": "https://schema.org/ListPrice",
            "price": 150,
        },
    },
}
GROUP: dict[str, Any] = {
    "@context": "https://schema.org/",
    "@graph": [
        {"@type": "WebSite", "name": "shop"},
        {
            "@type": "ProductGroup",
            "productGroupID": "tee",
            "name": "T-Shirt",
            "hasVariant": [
                {
                    "@type": "Product",
                    "sku": "tee-s",
                    "size": "S",
                    "offers": {"price": 10, "priceCurrency": "EUR", "availability": "OutOfStock"},
                },
                {
                    "@type": "Product",
                    "sku": "tee-m",
                    "size": "M",
                    "offers": [{"price": 12, "priceCurrency": "EUR", "availability": "InStock"}],
                },
            ],
        },
    ],
}


def test_json_lines_are_read(read_feed: Any) -> None:
    aggregate = {
        "@type": "https://schema.org/Product",
        "@id": "https://shop.example/p/7",
        "name": ["蓝牙耳机"],
        "offers": {"@type": "AggregateOffer", "lowPrice": "1,299", "priceCurrency": "CNY", "offerCount": 3},
    }
    lines = [ANVIL, GROUP, aggregate, {"@type": "Organization", "name": "x"}, {"@type": "Product", "name": "no id"}]
    found = read_feed("crawl.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert found.kind == "schema.org JSON lines"
    anvil = found.products["0446310786"]
    assert (anvil.title, anvil.description, anvil.brand) == ("Executive Anvil & Stand", "Sleek and deadly.", "ACME")
    assert (anvil.price, anvil.original_price, anvil.currency_code) == (119.99, 150.0, "USD")
    assert anvil.availability is Availability.IN_STOCK
    assert anvil.categories == ("Tools > Anvils",)
    assert anvil.image_uris == ("https://i.example/1.jpg", "https://i.example/2.jpg")
    assert anvil.attributes == {
        "color": ("Black",),
        "sku": ("0446310786",),
        "gtin": ("4006381333931",),
        "Weight": ("55 kg",),
        "rating": (4.4,),
    }
    tee = found.products["tee"]
    assert (tee.price, tee.availability) == (12.0, Availability.IN_STOCK)
    assert tee.attributes == {"size": ("S", "M"), "sku": ("tee-s", "tee-m")}
    earphones = found.products["https://shop.example/p/7"]
    assert (earphones.title, earphones.price, earphones.currency_code) == ("蓝牙耳机", 1299.0, "CNY")
    assert found.left_out == 1
    assert found.refused == [(5, "id: is empty; give the shop's own id")]


def page(*scripts: str) -> str:
    bodies = "".join(f'<script type="application/ld+json">\n{script}\n</script>\n' for script in scripts)
    return f"<!DOCTYPE html>\n<html><head><title>Shop</title>\n<meta charset=utf-8>{bodies}</head><body>a</body></html>"


def test_a_page_is_read_with_what_templates_leave_in_it(read_feed: Any) -> None:
    raw_line_end = json.dumps(ANVIL).replace("Sleek and", "Sleek\nand")
    trailing = json.dumps(GROUP).replace("]}]}", "]},]}")
    listed = {"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "item": {**ANVIL, "sku": "A2"}}]}
    found = read_feed(
        "page.html",
        page("<!--\n" + raw_line_end + "\n-->", '{"@type": "Product", "name": ', json.dumps([listed]), trailing),
    )
    assert found.kind == "schema.org page"
    assert set(found.products) == {"0446310786", "A2", "tee"}
    assert found.products["0446310786"].description == "Sleek and deadly."
    assert [line for line, reason in found.refused if "is not JSON" in reason] == [9]
    assert found.mended["commas after the last entry of JSON left out"] == 1


def test_a_document_is_read(read_feed: Any) -> None:
    found = read_feed("products.json", json.dumps([ANVIL, GROUP], indent=2))
    assert (found.kind, set(found.products)) == ("schema.org document", {"0446310786", "tee"})


def test_a_page_without_products_says_so(read_feed: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"holds no schema\.org Product as JSON-LD"):
        read_feed("page.html", page())


def test_a_list_of_other_objects_is_read_by_their_names(read_feed: Any) -> None:
    found = read_feed("a.json", '[\n{"id": "1", "name": "Mug"},\n{"id": "2", "name": "Cup"}\n]')
    assert (found.kind, set(found.products)) == ("JSON list", {"1", "2"})
    with pytest.raises(InvalidArgument, match="holds no schema"):
        read_feed("a.json", "[1, 2]")
    with pytest.raises(InvalidArgument, match="is not JSON"):
        read_feed("a.json", "[1, 2")
