"""Recognising feeds, and refusing what is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from vitrine.errors import InvalidArgument
from vitrine.feeds.opening import open_feed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"PK\x03\x04\x00\x00\x00\x08binary", "is no text: give a feed as CSV, TSV, XML"),
        (b"\x1f\x8bbroken", "cannot be read"),
        (b"PAR1 broken", "is not a Parquet file"),
        (b'<?xml version="1.0"?><svg/>', "neither an RSS or Atom feed nor a page"),
        (b"one column\nonly\n", "no column is known to be the id"),
    ],
)
def test_what_is_no_feed_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "feed.dat"
    path.write_bytes(content)
    with pytest.raises(InvalidArgument, match=message):
        open_feed(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"there is no file .*gone\.xml"):
        open_feed(tmp_path / "gone.xml")


def test_an_encoding_can_be_said(read_feed: Any) -> None:
    content = "id,title\n1,Příliš žluťoučký kůň\n".encode("cp1250")
    assert read_feed("shop.csv", content, encoding="cp1250").products["1"].title == "Příliš žluťoučký kůň"
    with pytest.raises(InvalidArgument, match="--encoding: 'klingon' is no encoding that is known"):
        read_feed("shop.csv", content, encoding="klingon")


def test_a_mapping_reads_any_table(read_feed: Any, tmp_path: Path) -> None:
    mapping = tmp_path / "ours.toml"
    mapping.write_text('[fields]\nid = "Nr"\ntitle = "Ding"\nprice = "Preis"\ncurrency_code = { value = "EUR" }\n')
    found = read_feed("shop.csv", "Nr;Ding;Preis\n1;Tasse;1.299,00\n", mapping=mapping)
    assert (found.products["1"].title, found.products["1"].price) == ("Tasse", 1299.0)


def test_another_reading_has_another_layout(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("id,title\n1,a\n")
    layouts = {
        open_feed(path, currency_code=code, encoding=encoding).layout
        for code in ("", "EUR")
        for encoding in ("", "cp1252")
    }
    assert len(layouts) == 4


ROWS = [{"id": f"p{number}", "title": f"Watch {number}", "price": "5 EUR"} for number in range(20)]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "xml"])
def test_a_stray_zero_byte_costs_its_row_at_most(read_feed: Any, kind: str) -> None:
    if kind == "jsonl":
        text = "".join(json.dumps(row) + "\n" for row in ROWS)
    elif kind == "csv":
        text = "id,title,price\n" + "".join(",".join(row.values()) + "\n" for row in ROWS)
    else:
        items = (
            f"<item><id>{row['id']}</id><title>{row['title']}</title><price>5 EUR</price></item>\n" for row in ROWS
        )
        text = f"<rss><channel>{''.join(items)}</channel></rss>"
    found = read_feed(f"feed.{kind}", text.replace("Watch 7", "Wa\0\0tch 7"))
    others = {product_id: product.title for product_id, product in found.products.items() if product_id != "p7"}
    assert others == {row["id"]: row["title"] for row in ROWS if row["id"] != "p7"}
    if kind == "jsonl":
        assert [line for line, _ in found.refused] == [8]
    else:
        assert found.products["p7"].title == "Watch 7"
