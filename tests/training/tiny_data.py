"""The data folder of the recipes of what ships, with a handful of products in each shop."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_shops(folder: Path) -> Path:
    """All files that the recipes read."""
    phones = [
        {
            "id": str(number),
            "title": f"acme k{number} {colour} {kind}",
            "supplier": "acme",
            "name": f"k{number}",
            "short_description": f"a {colour} {kind} of {number} inch",
            "attr_t_product_type": kind,
            "attr_t_colour": colour,
        }
        for number, (colour, kind) in enumerate([("red", "phone"), ("blue", "case"), ("red", "watch")] * 8)
    ]
    toys = [
        {
            "id": f"t{n}",
            "title": f"wooden toy {n} for children",
            "category": "Toys",
            "description": "# A fine toy\n\nA wooden toy for children. Fun! Red, blue and green.",
        }
        for n in range(8)
    ]
    goods = [
        {"id": f"g{n}", "name": f"红色手机 {n} 大小", "category_id": "1", "brand_id": "1", "brief": "男女"}
        for n in range(6)
    ]
    _write_lines(folder / "icecat" / "products.jsonl.gz", phones)
    _write_lines(folder / "vespa_products" / "products.jsonl.gz", toys)
    _write_lines(folder / "litemall" / "goods.jsonl.gz", goods)
    _write_lines(folder / "litemall" / "category.jsonl.gz", [{"id": "1", "name": "手机"}])
    _write_lines(folder / "litemall" / "brand.jsonl.gz", [{"id": "1", "name": "红"}])
    _write_lines(
        folder / "litemall" / "goods_attribute.jsonl.gz", [{"goods_id": "g1", "attribute": "色", "value": "蓝"}]
    )
    _write_lines(folder / "litemall" / "comment.jsonl.gz", [{"content": "手机大"}])
    (folder / "online_retail").mkdir()
    with gzip.open(folder / "online_retail" / "transactions.csv.gz", "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["InvoiceNo", "Description"], ["1", "WHITE LANTERN"], ["2", "RED MUG"]])
    return folder
