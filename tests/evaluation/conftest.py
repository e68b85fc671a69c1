"""A data folder made on the spot, in the layout of the real ones; a shop of one's own, and one evaluation of it."""

import csv
import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from evaluation.relevance_evaluation import Evaluated, evaluate_relevance
from evaluation.result import RelevanceResult
from evaluation.shop_folder import read_shop_folder

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
    titles = [{"title": title} for title in dict.fromkeys(pair["title"] for pair in pairs)]
    write_lines(tmp_path / "zh" / "titles.jsonl.gz", [*titles, titles[0], {"title": "无人评价的水壶"}])
    return tmp_path


# Titles as an attacker, or a careless shop, writes them.
HOSTILE = '<script>alert("shoes")</script> & shoes'
OWN_PRODUCTS = [
    {"id": "1", "title": "Red running shoes", "brand": "Acme"},
    {"id": "2", "title": "Blue leather shoes", "brand": "Acme"},
    {"id": "3", "title": HOSTILE},
    {"id": "4", "title": "红色运动鞋"},
    {"id": "5", "title": "蓝牙耳机 <3 onerror=alert(1)>"},
    {"id": "6", "title": "Desk lamp $5^2_x$"},
]
OWN_JUDGEMENTS = [
    ("red shoes", {"1": 3, "2": 2, "3": 0, "6": 0}),
    ("<b>shoes</b>", {"1": 2, "2": 2, "3": 2, "5": 0}),
    ("红鞋", {"4": 3, "5": 0, "1": 1}),
    ("耳机", {"5": 3, "4": 0}),
    ("lamp", {"6": 2, "5": 0}),
    ("blue shoes", {"2": 3, "1": 1, "3": 1}),
]
OWN_EVENTS = [
    *({"event_type": "search", "query": query, "product_ids": []} for query in ["red shoes"] * 3 + ["耳机", "lamp"]),
    *({"event_type": "view", "product_ids": [product]} for product in ["1", "1", "1", "2", "5"]),
]


@pytest.fixture(scope="session")
def own_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bilingual shop with judgements and events."""
    folder = tmp_path_factory.mktemp("shop") / "my <shop>"
    folder.mkdir()
    judgements = [
        {"query": query, "product_id": one, "grade": grade}
        for query, all_of in OWN_JUDGEMENTS
        for one, grade in all_of.items()
    ]
    for name, rows in (("products", OWN_PRODUCTS), ("judgements", judgements), ("events", OWN_EVENTS)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
async def own_result(own_shop: Path) -> RelevanceResult:
    """The shop evaluated with the bundles that ship."""
    evaluated = Evaluated(Path("models/embedder"), Path("models/ranker"), rank_depth=3)
    return await evaluate_relevance("own", read_shop_folder(own_shop), evaluated, lambda stage, done, total: None)
