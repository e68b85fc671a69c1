"""The sample shop on disk."""

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from cli.main import app
from cli.sample.events import events
from cli.sample.files import product_row, write_shop
from cli.sample.products import Shop
from cli.sample.reviews import reviews
from cli.sample.visitors import Visitors

FILES = ("products", "reviews", "visitors", "events", "judgements")


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["sample", "--products", "120", "--seed", "5", "--out", str(tmp_path / "one")])
    assert done.exit_code == 0, done.output
    write_shop(tmp_path / "two", products=120, seed=5)
    for name in FILES:
        first = (tmp_path / "one" / f"{name}.jsonl").read_bytes()
        assert first == (tmp_path / "two" / f"{name}.jsonl").read_bytes()
        rows = first.count(b"\n")
        assert rows >= 24
        assert f"{rows:,} " in done.output
    assert {file.name for file in (tmp_path / "one").iterdir()} == {f"{name}.jsonl" for name in FILES}


def test_rows_name_each_other(tmp_path: Path) -> None:
    write_shop(tmp_path, products=300, seed=6)
    products = {row["id"] for row in read(tmp_path, "products")}
    visitors = {row["id"] for row in read(tmp_path, "visitors")}
    assert len(products) == 300
    for row in read(tmp_path, "reviews"):
        assert row["product_id"] in products
        assert row["visitor_id"] in visitors
        assert 1 <= row["rating"] <= 5
    for row in read(tmp_path, "events"):
        assert row["visitor_id"] in visitors
        assert products.issuperset(row["product_ids"])
    assert products.issuperset(row["product_id"] for row in read(tmp_path, "judgements"))


def test_a_shop_of_one_product_is_a_shop(tmp_path: Path) -> None:
    assert write_shop(tmp_path, products=1, seed=7)["products"] == 1


def test_memory_does_not_grow_with_the_shop() -> None:
    def rows(products: int) -> Iterator[Any]:
        shop = Shop(products, seed=8)
        visitors = Visitors(shop)
        for index in range(products):
            yield product_row(shop.product(index))
            yield from reviews(shop, index, visitors.count)
        yield from events(shop, visitors)

    def peak(products: int) -> int:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        for _ in rows(products):
            pass
        return tracemalloc.get_traced_memory()[1] - before

    tracemalloc.start()
    try:
        peak(300)  # what is made once: lexicon, tables
        # 800 products alone would take 2 MB and more; what the collector has not come to takes some.
        assert peak(800) < peak(100) + 500_000
    finally:
        tracemalloc.stop()
