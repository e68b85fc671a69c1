"""WooCommerce's product CSV."""

from typing import Any

import pytest

from vitrine.errors import InvalidArgument
from vitrine.product import Availability

EXPORT = """ID,Type,SKU,"GTIN, UPC, EAN, or ISBN",Name,Published,Is featured?,Visibility in catalog,Short description,\
Description,Date sale price starts,Date sale price ends,Tax status,In stock?,Stock,Backorders allowed?,Weight (kg),\
Sale price,Regular price,Categories,Tags,Images,Parent,Brands,Attribute 1 name,Attribute 1 value(s),\
Attribute 1 visible,Attribute 1 global,Meta: _cost
9,variation,woo-vneck-red,,V-Neck - Red,1,0,visible,,,,,taxable,0,,0,,,10,,,,id:44,,Color,Red,,1,3
44,variable,woo-vneck,,V-Neck T-Shirt,1,1,visible,"A <em>variable</em> one.","Line one\\nline two",,,taxable,1,,0,0.5,\
,,"Clothing > Tshirts, Clothing, Home \\, garden","soft, v-neck","https://i.example/1.jpg, https://i.example/2.jpg",,Acme,\
Color,"Red, Green",1,1,3
45,"simple, virtual",woo-album,4006381333931,Album,1,0,visible,,Digital,2001-01-01,2001-02-01,taxable,1,,0,,12.00,\
15.00,Music,,,,,,,,,
46,simple,woo-beanie,,Beanie,1,0,visible,,,,,taxable,backorder,,1,,"18,00","20,00",Clothing,,,,,,,,,
47,simple,,,Draft,-1,0,visible,,,,,taxable,1,,0,,,1,,,,,,,,,,
48,simple,,,Hidden,1,0,hidden,,,,,taxable,1,,0,,,1,,,,,,,,,,
49,variation,orphan,,Orphan,1,0,visible,,,,,taxable,1,,0,,,1,,,,missing-sku,,,,,,
50,variation,woo-vneck-green,,V-Neck - Green,1,0,visible,,,,,taxable,1,4,0,,9,12,,,,woo-vneck,,Color,Green,,1,3
,simple,only-sku,,'-20% mug,1,0,visible,,,,,taxable,0,,0,,,5,,,,,,,,,,
"""


def test_variations_are_found_wherever_they_stand(read_feed: Any) -> None:
    found = read_feed("wc-product-export.csv", "\ufeff" + EXPORT, currency_code="EUR")
    assert found.kind == "WooCommerce CSV"
    shirt = found.products["44"]
    assert shirt.title == "V-Neck T-Shirt"
    assert shirt.description == "A variable one. Line one line two"
    assert (shirt.price, shirt.original_price, shirt.currency_code) == (9.0, 12.0, "EUR")
    assert shirt.availability is Availability.IN_STOCK
    assert shirt.brand == "Acme"
    assert shirt.categories == ("Clothing > Tshirts", "Clothing", "Home , garden")
    assert shirt.image_uris == ("https://i.example/1.jpg", "https://i.example/2.jpg")
    assert shirt.attributes == {
        "tags": ("soft", "v-neck"),
        "weight_kg": (0.5,),
        "Color": ("Red", "Green"),
        "sku": ("woo-vneck", "woo-vneck-red", "woo-vneck-green"),
    }
    assert set(found.products) == {"44", "45", "46", "only-sku"}


def test_sales_stock_and_states_are_read(read_feed: Any) -> None:
    found = read_feed("wc-product-export.csv", EXPORT, currency_code="EUR")
    album, beanie, mug = (found.products[name] for name in ("45", "46", "only-sku"))
    # The sale was long ago.
    assert (album.price, album.original_price) == (15.0, None)
    assert album.attributes["gtin"] == ("4006381333931",)
    assert (beanie.price, beanie.original_price, beanie.availability) == (18.0, 20.0, Availability.BACKORDER)
    assert (mug.title, mug.availability) == ("-20% mug", Availability.OUT_OF_STOCK)
    assert found.left_out == 2
    assert found.refused == [(8, "is a variation of 'missing-sku', which the file does not have")]
    assert "meta: _cost" in found.unused


def test_the_currency_has_to_be_said(read_feed: Any) -> None:
    with pytest.raises(InvalidArgument, match="a WooCommerce export, which names no currency"):
        read_feed("wc.csv", EXPORT)
