"""Prices and availability without the rest of a product."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.ingest.offers import OfferIngest, OfferSummary
from cli.ingest.settings import IngestSettings
from tests.cli.conftest import Shelf
from vitrine.errors import InvalidArgument, Unavailable
from vitrine.product import Availability, Product


async def ingested(shelf: Shelf, path: Path, **settings: Any) -> OfferSummary:
    ingest = OfferIngest(
        path,
        None,
        IngestSettings(target=shelf.target, state_dir=path.parent / "state", first_backoff_s=0.01, **settings),
    )
    return await ingest.run(lambda _position, _progress: None, lambda _wait_s, _error: None)


async def test_a_table_of_prices_and_stock_is_enough(shelf: Shelf, tmp_path: Path) -> None:
    for number in range(1_200):
        shelf.products[str(number)] = Product(
            id=str(number), title="Watch", price=9.0, original_price=12.0, currency_code="EUR"
        )
    path = tmp_path / "prices.csv"
    lines = [f"{number};{number % 9}.299,00 €;{number % 2}" for number in range(1, 1_200)]
    path.write_text("\n".join(["sku;price;stock", *lines, "1200;5 €;1", "7;free;1", ";5 €;1"]), encoding="cp1252")
    faults = [Unavailable("away")]

    def fault(_number: int) -> None:
        if faults:
            raise faults.pop()

    shelf.fault = fault
    summary = await ingested(shelf, path)
    assert (summary.accepted, summary.refused, summary.rows) == (1_199, 3, 1_202)
    assert [len(ids) for ids in shelf.offers] == [500, 500, 200]
    changed = shelf.products["2"]
    assert (changed.price, changed.original_price, changed.title) == (2299.0, None, "Watch")
    assert changed.availability is Availability.OUT_OF_STOCK
    assert shelf.products["0"].price == 9.0
    assert summary.report_path is not None
    report = [json.loads(line) for line in summary.report_path.read_text().splitlines()]
    assert [(row["line"], row["id"]) for row in report] == [(1_201, "1200"), (1_202, "7"), (1_203, "")]
    assert "there is no product '1200'" in report[0]["reasons"][0]["description"]


async def test_a_whole_feed_gives_its_offers(shelf: Shelf, tmp_path: Path) -> None:
    shelf.products["tee"] = Product(id="tee", title="T-Shirt", description="Soft")
    path = tmp_path / "shopify.csv"
    path.write_text("Handle,Title,Body (HTML),Variant Price,Status\ntee,Other,x,5,active\nother,Mug,,5,draft\n")
    summary = await ingested(shelf, path, currency_code="EUR")
    assert (summary.accepted, summary.refused) == (1, 0)
    assert (shelf.products["tee"].title, shelf.products["tee"].price) == ("T-Shirt", 5.0)
    assert not shelf.requests


async def test_a_table_of_stock_alone_keeps_prices(shelf: Shelf, tmp_path: Path) -> None:
    for product_id in ("1", "2", "3"):
        shelf.products[product_id] = Product(
            id=product_id, title="Tee", price=5.0, original_price=6.0, currency_code="EUR"
        )
    path = tmp_path / "stock.csv"
    path.write_text("sku,stock,rrp,currency\n1,0,9,USD\n2,7,9,USD\n3,,,\n4,1,,\n")
    summary = await ingested(shelf, path)
    assert (summary.accepted, summary.refused) == (3, 1)
    products = [shelf.products[product_id] for product_id in ("1", "2", "3")]
    assert {(one.price, one.original_price, one.currency_code) for one in products} == {(5.0, 6.0, "EUR")}
    states = [Availability.OUT_OF_STOCK, Availability.IN_STOCK, Availability.IN_STOCK]
    assert [one.availability for one in products] == states


async def test_a_table_of_neither_prices_nor_stock_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text("id,name\n1,Tee\n")
    with pytest.raises(InvalidArgument, match="no column is known to be the price or the stock among id, name"):
        await ingested(shelf, path)
