"""Google Merchant Center feeds: RSS, Atom and tables, with the dirt of real ones."""

import gzip
import tracemalloc
from typing import Any

import pytest

from vitrine.errors import InvalidArgument
from vitrine.feeds.opening import open_feed
from vitrine.product import Availability

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0">
<channel>
<title>Shop &nbsp; feed</title><link>https://shop.example</link>
<item>
  <title>RSS's own title</title>
  <g:id>TV_123456</g:id>
  <g:title>Google Chromecast &amp;amp; HDMI</g:title>
  <g:description><![CDATA[<p>Chromecast plugs into the HDMI port.</p><ul><li>1080p</li></ul>]]></g:description>
  <g:link>https://shop.example/p?a=1&b=2</g:link>
  <g:image_link>https://img.example/1.jpg?w=1&amp;h=2</g:image_link>
  <g:additional_image_link>https://img.example/2.jpg</g:additional_image_link>
  <g:additional_image_link>https://img.example/3.jpg</g:additional_image_link>
  <g:condition>new</g:condition>
  <g:availability>in stock</g:availability>
  <g:price>35.00 USD</g:price>
  <g:sale_price>30.00 USD</g:sale_price>
  <g:gtin>811571013579</g:gtin>
  <g:brand>Google</g:brand>
  <g:product_type>Home &gt; Video</g:product_type>
  <g:google_product_category>Electronics &gt; Video</g:google_product_category>
  <g:color>Black/Navy</g:color>
  <g:product_detail>
    <g:section_name>General</g:section_name>
    <g:attribute_name>Ports</g:attribute_name>
    <g:attribute_value>HDMI</g:attribute_value>
  </g:product_detail>
  <g:shipping><g:country>US</g:country><g:price>6.49 USD</g:price></g:shipping>
</item>
<item>
  <g:id>SALE_OVER</g:id>
  <g:title>蓝牙耳机 Bluetooth Earphones</g:title>
  <g:price>1.299,00 EUR</g:price>
  <g:sale_price>999,00 EUR</g:sale_price>
  <g:sale_price_effective_date>2016-02-24T13:00-0800/2016-02-29T15:30-0800</g:sale_price_effective_date>
  <g:availability>out_of_stock</g:availability>
  <g:google_product_category>223</g:google_product_category>
  <g:description>caf&eacute; &copy; \x0b 5 &lt; 6 &unknown; R&D</g:description>
</item>
<item><g:title>No id at all</g:title><g:price>5 EUR</g:price></item>
<item><g:id>NO_TITLE</g:id><g:price>5 EUR</g:price></item>
<item><g:id>BAD_DATES</g:id><g:title>x</g:title><g:sale_price>1 EUR</g:sale_price>
  <g:sale_price_effective_date>soon</g:sale_price_effective_date></item>
</channel>
</rss>
"""


def test_rss_is_read(read_feed: Any) -> None:
    found = read_feed("feed.xml", RSS)
    assert found.kind == "Google Merchant Center RSS"
    first = found.products["TV_123456"]
    assert first.title == "Google Chromecast & HDMI"
    assert first.description == "Chromecast plugs into the HDMI port. 1080p"
    assert (first.price, first.original_price, first.currency_code) == (30.0, 35.0, "USD")
    assert first.availability is Availability.IN_STOCK
    assert first.brand == "Google"
    assert first.categories == ("Home > Video",)
    assert first.image_uris == (
        "https://img.example/1.jpg?w=1&h=2",
        "https://img.example/2.jpg",
        "https://img.example/3.jpg",
    )
    assert first.attributes == {
        "color": ("Black", "Navy"),
        "condition": ("new",),
        "gtin": ("811571013579",),
        "Ports": ("HDMI",),
    }


def test_dirt_is_mended_and_told(read_feed: Any) -> None:
    found = read_feed("feed.xml", RSS)
    second = found.products["SALE_OVER"]
    assert (second.price, second.original_price, second.currency_code) == (1299.0, None, "EUR")
    assert second.availability is Availability.OUT_OF_STOCK
    assert second.description == "café © 5 < 6 &unknown; R&D"
    assert second.language == "zh"
    assert second.attributes == {"google_product_category": ("223",)}
    assert [line for line, _ in found.refused] == [40, 41, 42]
    assert [reason.partition(":")[0] for _, reason in found.refused] == ["id", "title", "sale_price_effective_date"]
    assert found.mended["& or an HTML entity that XML does not know, read as HTML has it"] == 6
    assert found.mended["control characters that XML does not allow left out"] == 1
    assert {"link", "shipping"} <= set(found.unused)


ATOM = """<feed xmlns="http://www.w3.org/2005/Atom">
<title>shop</title>
<entry>
  <id>https://shop.example/entry/1</id><g:id>A-1</g:id>
  <title>Kaffeemühle Größe 2</title><link href="https://shop.example/1"/>
  <summary>Für Espresso</summary>
  <g:price>¥1,299</g:price><g:availability>preorder</g:availability>
</entry>
</feed>"""


def test_atom_is_read_and_a_prefix_that_was_never_declared_does_not_matter(read_feed: Any) -> None:
    found = read_feed("export.txt", ATOM)
    assert found.kind == "Google Merchant Center Atom"
    product = found.products["A-1"]
    assert (product.title, product.description) == ("Kaffeemühle Größe 2", "Für Espresso")
    assert (product.price, product.currency_code, product.availability) == (1299.0, "CNY", Availability.PREORDER)
    assert found.mended == {"prices in ¥ taken as CNY: say another with --currency": 1}


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_other_encodings_than_declared_are_read(read_feed: Any, encoding: str, pack: Any) -> None:
    feed = '<?xml version="1.0" encoding="utf-8"?>' + ATOM
    found = read_feed("feed.xml", pack(feed.replace("¥", "").encode(encoding)), currency_code="EUR")
    assert found.products["A-1"].title == "Kaffeemühle Größe 2"


def test_a_declared_encoding_is_followed(read_feed: Any) -> None:
    feed = '<?xml version="1.0" encoding="GB2312"?>' + ATOM.replace("Kaffeemühle Größe 2", "无线耳机").replace("ü", "u")
    found = read_feed("feed.xml", feed.encode("gb18030"))
    assert (found.products["A-1"].title, found.kind) == ("无线耳机", "Google Merchant Center Atom in gb18030")


def test_a_description_of_10_mb_is_cut(read_feed: Any) -> None:
    feed = ATOM.replace("Für Espresso", "&lt;p&gt;" + "a fine machine " * 700_000)
    found = read_feed("feed.xml", feed)
    assert len(found.products["A-1"].description) >= 19_999
    assert found.mended["description cut to its first 20,000 characters"] == 1


def test_a_truncated_feed_says_so_after_its_good_items(tmp_path: Any) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(RSS[: RSS.index("<g:title>No id")])
    feed = open_feed(path)
    rows: list[Any] = []
    with pytest.raises(InvalidArgument, match=r"line 40: no element found; nothing after it was read"):
        rows.extend(feed.source.rows())
    assert len(rows) == 2


def test_a_feed_is_read_as_a_stream(tmp_path: Any) -> None:
    items = "".join(
        f"<item><g:id>{number}</g:id><title>Mug</title><description>{'word ' * 200}</description></item>"
        for number in range(5_000)
    )
    path = tmp_path / "feed.xml"
    path.write_text(f"<rss><channel>{items}</channel></rss>")
    rows = open_feed(path).source.rows()
    tracemalloc.start()
    try:
        assert next(rows).position < path.stat().st_size / 10
        assert sum(1 for _ in rows) == 4_999
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 2
    finally:
        tracemalloc.stop()


def test_entities_that_grow_are_not_expanded(read_feed: Any) -> None:
    declared = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    feed = f'<!DOCTYPE feed [<!ENTITY l0 "lol">{declared}]>' + ATOM.replace("Für Espresso", "&l9;")
    found = read_feed("feed.xml", '<?xml version="1.0"?>' + feed)
    assert found.products["A-1"].description == "&l9;"


TABLE = (
    "id\ttitle\tdescription\tlink\timage link\tadditional image link\tavailability\tprice\tsale price\tbrand\tgtin\t"
    "product type\tcolor\tproduct detail(section_name:attribute_name:attribute_value)\tshipping(country:price)\n"
    "1\tRed mug\t<b>Big</b>\thttps://a.example/1\thttps://i.example/1.jpg\t"
    "https://i.example/2.jpg,https://i.example/3,4.jpg\tin_stock\t12.50 GBP\t9.99 GBP\tMugs & Co\t4006381333931\t"
    "Kitchen > Mugs\tRed\tGeneral:Volume:300 ml,Care:Dishwasher safe:yes\tUS:6.49 USD\n"
    "1\tRed mug again\t\t\t\t\tin stock\t12.50 GBP\t\t\t\t\t\t\t\n"
    "\tno id\t\t\t\t\tin stock\t12.50 GBP\t\t\t\t\t\t\t\n"
    "2\ttoo short\n"
)


@pytest.mark.parametrize("name", ["feed.tsv", "feed.txt"])
def test_a_table_is_read(read_feed: Any, name: str) -> None:
    found = read_feed(name, "\ufeff" + TABLE.partition("\n1\tRed mug again")[0] + "\n")
    assert found.kind == "Google Merchant Center table"
    product = found.products["1"]
    assert (product.title, product.description, product.brand) == ("Red mug", "Big", "Mugs & Co")
    assert (product.price, product.original_price, product.currency_code) == (9.99, 12.5, "GBP")
    assert product.image_uris == ("https://i.example/1.jpg", "https://i.example/2.jpg", "https://i.example/3,4.jpg")
    assert product.categories == ("Kitchen > Mugs",)
    assert product.attributes == {
        "color": ("Red",),
        "gtin": ("4006381333931",),
        "Volume": ("300 ml",),
        "Dishwasher safe": ("yes",),
    }
    assert found.unused == ["link", "shipping"]


def test_rows_without_id_or_cells_are_refused(read_feed: Any) -> None:
    found = read_feed("feed.tsv", TABLE)
    assert found.refused == [
        (4, "id: is empty; give the shop's own id"),
        (5, "has 2 cells, and the first line names 15 columns"),
    ]
