"""A data folder made on the spot, in the layout of the real ones."""

import csv
import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

PRODUCTS = [
    {"id": "1", "title": "Acme wireless headphones black", "supplier": "Acme", "price": 4995},
    {"id": "2", "title": "Acme wired headphones", "supplier": "Acme", "attr_t_colour": "Red", "attr_n_weight": 120.0},
    {"id": "3", "title": "Borea laptop bag 15 inch", "supplier": "Borea", "short_description": "For 15 inch laptops"},
    {"id": "4", "title": "Borea laptop 15 inch", "supplier": "Borea", "price": 99900},
    {"id": "5", "title": "Coral toner cartridge", "supplier": None, "attr_b_refillable": True},
    {"id": "6", "title": "Coral laser printer", "supplier": "Coral"},
]
JUDGMENTS = [
    ("headphones", "1", 3),
    ("headphones", "2", 2),
    ("headphones", "6", 0),
    ("laptop", "4", 3),
    ("laptop", "3", 1),
    ("toner", "5", 1),
    ("teapot", "5", 0),
]
PAIRS = [
    ("耳机", "黑色无线蓝牙耳机", 1, "one"),
    ("耳机", "笔记本电脑包", 0, "one"),
    ("电脑包", "笔记本电脑包", 1, "one"),
    ("墨盒", "彩色打印机墨盒", 1, "two"),
    ("墨盒", "黑色无线蓝牙耳机", 0, "two"),
]


def write_lines(path: Path, rows: Iterable[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    write_lines(tmp_path / "icecat" / "products.jsonl.gz", PRODUCTS)
    with (tmp_path / "icecat" / "judgments.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("query", "product_id", "grade"), *JUDGMENTS])
    pairs = [{"query": q, "title": t, "label": label, "src": source} for q, t, label, source in PAIRS]
    write_lines(tmp_path / "zh" / "pairs.jsonl.gz", pairs)
    return tmp_path
