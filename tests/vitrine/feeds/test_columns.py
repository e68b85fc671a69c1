"""Plain tables with columns named as shops name them."""

import io
import json
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from vitrine.errors import InvalidArgument
from vitrine.product import Availability


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_chinese_table_is_read(read_feed: Any, encoding: str) -> None:
    rows = "".join(
        f"{n},蓝牙耳机 {n} 无线降噪,漫步者,数码 > 耳机,￥1,299,{n % 2},黑色\n".replace("￥1,299", '"￥1,299"')
        for n in range(4)
    )
    found = read_feed("商品.csv", ("商品编号,商品名称,品牌,类目,价格,库存,颜色\n" + rows).encode(encoding))
    first = found.products["0"]
    assert (first.title, first.brand, first.categories) == ("蓝牙耳机 0 无线降噪", "漫步者", ("数码 > 耳机",))
    assert (first.price, first.currency_code) == (1299.0, "CNY")
    assert [found.products[str(n)].availability for n in (0, 1)] == [Availability.OUT_OF_STOCK, Availability.IN_STOCK]
    assert first.attributes == {"color": ("黑色",)}
    assert found.kind == ("CSV" if encoding.startswith("utf-8") else f"CSV in {encoding}")


def test_a_german_table_of_excel_is_read(read_feed: Any) -> None:
    text = "SKU;Name;Manufacturer;List price;Price;EAN;Image URL;Einkaufspreis\nM-1;Kaffeemühle Größe 2;Zaß;1.499,00 €;1.299,00 €;4006381333931;https://i.example/1.jpg;700\n"  # noqa: E501
    found = read_feed("export.csv", text.encode("cp1252"))
    product = found.products["M-1"]
    assert (product.title, product.brand) == ("Kaffeemühle Größe 2", "Zaß")
    assert (product.price, product.original_price, product.currency_code) == (1299.0, 1499.0, "EUR")
    assert product.attributes == {"gtin": ("4006381333931",)}
    assert found.unused == ["Einkaufspreis"]


def test_json_lines_and_parquet_are_read(read_feed: Any) -> None:
    rows = [
        {"product_id": 7, "product_name": "Mug", "price": "5 €", "sale_price": "4 €", "sku": "M7"},
        {"product_id": 8, "product_name": "Cup", "price": "5 €", "sale_price": None, "sku": "C8"},
    ]
    lines = read_feed("shop.json", "".join(json.dumps(row) + "\n" for row in rows))
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    parquet = read_feed("shop.data", buffer.getvalue())
    assert (lines.kind, parquet.kind) == ("JSON lines", "Parquet")
    assert lines.products == parquet.products
    assert (lines.products["7"].price, lines.products["7"].original_price) == (4.0, 5.0)
    assert (lines.products["8"].price, lines.products["8"].original_price) == (5.0, None)
    assert lines.products["7"].attributes == {"sku": ("M7",)}


def test_columns_that_nobody_knows_are_named(read_feed: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"no column is known to be the title among Artikel, sku; name them in a"):
        read_feed("shop.csv", "Artikel,sku\na,1\n")
