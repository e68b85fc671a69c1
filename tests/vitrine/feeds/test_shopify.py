"""Shopify's product CSV, as exported before and since its columns were renamed."""

from typing import Any

import pytest

from vitrine.errors import InvalidArgument
from vitrine.product import Availability

OLD = """Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,\
Option2 Value,Option3 Name,Option3 Value,Variant SKU,Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,\
Variant Inventory Policy,Variant Price,Variant Compare At Price,Variant Barcode,Image Src,Image Position,SEO Title,\
Variant Image,Cost per item,Status
classic-tee,Classic Tee,"<p>Soft <b>cotton</b>.</p>
<ul><li>Washable</li></ul>",Acme,Apparel & Accessories > Clothing > Shirts,T-Shirts,"summer, cotton",TRUE,Size,S,Color,\
Red,,,TEE-S-RED,180.0,shopify,0,deny,19.99,24.99,'0123456789,https://i.example/1.jpg,1,seo,,7.50,active
classic-tee,,,,,,,,,M,,Red,,,TEE-M-RED,180.0,shopify,5,deny,21.99,25.00,,https://i.example/2.jpg,2,,https://i.example/m.jpg,7.50,
classic-tee,,,,,,,,,L,,Blue,,,TEE-L-BLUE,180.0,shopify,3,deny,22.99,,,,,,,7.50,
classic-tee,,,,,,,,,,,,,,,,,,,,,,https://i.example/3.jpg,3,,,,
gift-card,Gift Card,,Acme,,Gifts,,TRUE,Title,Default Title,,,,,,,,,continue,10.00,0.00,,,,,,,active
secret,Secret,,Acme,,,,TRUE,Title,Default Title,,,,,,,,,deny,1,,,,,,,,draft
hidden,Hidden,,Acme,,,,FALSE,Title,Default Title,,,,,,,,,deny,1,,,,,,,,active
,Nameless,,Acme,,,,TRUE,,,,,,,,,,,deny,1,,,,,,,,active
"""


def test_variants_become_one_product(read_feed: Any) -> None:
    found = read_feed("products_export.csv", OLD, currency_code="USD")
    assert found.kind == "Shopify CSV"
    assert set(found.products) == {"classic-tee", "gift-card"}
    tee = found.products["classic-tee"]
    assert (tee.title, tee.description, tee.brand) == ("Classic Tee", "Soft cotton. Washable", "Acme")
    # Size S is sold out: the price is that of the cheapest one left.
    assert (tee.price, tee.original_price, tee.currency_code) == (21.99, 25.0, "USD")
    assert tee.availability is Availability.IN_STOCK
    assert tee.categories == ("Apparel & Accessories > Clothing > Shirts", "T-Shirts")
    assert tee.image_uris == tuple(f"https://i.example/{name}.jpg" for name in ("1", "2", "3", "m"))
    assert tee.attributes == {
        "tags": ("summer", "cotton"),
        "Size": ("S", "M", "L"),
        "Color": ("Red", "Blue"),
        "sku": ("TEE-S-RED", "TEE-M-RED", "TEE-L-BLUE"),
        "gtin": ("0123456789",),
        "weight_g": (180.0,),
    }


def test_drafts_are_left_out_and_rows_without_handle_refused(read_feed: Any) -> None:
    found = read_feed("products_export.csv", OLD, currency_code="USD")
    assert (found.left_out, found.mended["drafts and products not published left out"]) == (2, 2)
    assert found.refused == [(10, "id: is empty; give the shop's own id")]
    gift = found.products["gift-card"]
    assert (gift.price, gift.original_price, gift.attributes) == (10.0, None, {})
    # What the shop pays is nobody's business.
    assert "cost per item" in found.unused


NEW = """Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,SKU,Barcode,\
Option1 name,Option1 value,Price,Compare-at price,Inventory tracker,Inventory quantity,\
Continue selling when out of stock,Weight value (grams),Product image URL,Price / International
丝绸围巾,silk-scarf,桑蚕丝,华丝,Clothing > Scarves,,,TRUE,Active,SS-1,,颜色,红,"1,299.00",,shopify,0,DENY,120,,
,silk-scarf,,,,,,,,SS-2,,,蓝,"1,399.00",,shopify,0,DENY,120,,
"""


def test_renamed_columns_are_read(read_feed: Any) -> None:
    scarf = read_feed("export.csv", "\ufeff" + NEW, currency_code="CNY").products["silk-scarf"]
    assert (scarf.title, scarf.price, scarf.currency_code, scarf.language) == ("丝绸围巾", 1299.0, "CNY", "zh")
    assert scarf.availability is Availability.OUT_OF_STOCK
    assert scarf.attributes["颜色"] == ("红", "蓝")
    assert scarf.attributes["sku"] == ("SS-1", "SS-2")


def test_the_currency_has_to_be_said(read_feed: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"--currency: export\.csv is a Shopify export, which names no currency"):
        read_feed("export.csv", NEW)
