"""The readers of judged data: what they keep, and how they say what is wrong."""

import gzip
import json
from pathlib import Path

import pytest

from evaluation.chinese_pairs import read_chinese_pairs
from evaluation.chinese_shop import read_chinese_shop
from evaluation.datasets import PAIRS, SHOPS, read_dataset
from evaluation.icecat import read_icecat
from evaluation.judged_data import JudgedShop, LabelledPair
from vitrine.errors import InvalidArgument


def test_icecat(data_dir: Path) -> None:
    shop = read_icecat(data_dir)
    assert [product.id for product in shop.products] == ["1", "2", "3", "4", "5", "6"]
    assert (shop.products[0].price, shop.products[0].currency_code, shop.products[0].brand) == (49.95, "USD", "Acme")
    assert shop.products[1].attributes == {"colour": ("Red",), "weight": (120.0,)}
    assert shop.products[1].price is None
    assert shop.products[2].description == "For 15 inch laptops"
    assert shop.products[4].brand == ""
    assert shop.grades["headphones"] == {"1": 3, "2": 2, "6": 0}
    assert "teapot" not in shop.grades, "no order of its products is better than another"


def test_attributes_beyond_the_limits_are_left_out(data_dir: Path) -> None:
    row = {"id": "7", "title": "Drone", "attr_t_long": "x" * 300} | {f"attr_t_a{number}": "x" for number in range(150)}
    with gzip.open(data_dir / "icecat" / "products.jsonl.gz", "at", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    attributes = read_icecat(data_dir).products[-1].attributes
    assert len(attributes) == 100
    assert "long" not in attributes


def test_chinese_pairs(data_dir: Path) -> None:
    pairs = read_chinese_pairs(data_dir)
    assert pairs[1] == LabelledPair("耳机", "笔记本电脑包", False, "one")
    assert len(pairs) == 5


def test_chinese_titles_are_a_shop(data_dir: Path) -> None:
    shop = read_chinese_shop(data_dir)
    titles = [product.title for product in shop.products]
    assert len(set(titles)) == len(titles), "a title is one product, however often it is listed"
    assert "无人评价的水壶" in titles
    judged = {shop.products[int(number)].title: grade for number, grade in shop.grades["耳机"].items()}
    assert judged == {pair.title: int(pair.relevant) for pair in read_chinese_pairs(data_dir) if pair.query == "耳机"}


def test_by_name(data_dir: Path) -> None:
    assert isinstance(read_dataset("icecat", data_dir), JudgedShop)
    assert isinstance(read_dataset("zh", data_dir), list)
    assert not SHOPS.keys() & PAIRS.keys()
    with pytest.raises(InvalidArgument, match="'wands' is not known; choose from icecat, zh, zh-shop"):
        read_dataset("wands", data_dir)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("icecat/products.jsonl.gz", "{", "line 1 is not JSON"),
        ("icecat/products.jsonl.gz", '{"id": "1"}', "line 1 is not a product: 'title'"),
        ("icecat/products.jsonl.gz", '{"id": "1", "title": " "}', "line 1 is not a product: title: is empty"),
        ("icecat/products.jsonl.gz", '{"id": "9", "title": "x"}', "which is not among the products"),
        ("zh/pairs.jsonl.gz", '{"query": "x"}', "line 1 has no 'title'"),
        ("zh/titles.jsonl.gz", '{"text": "x"}', "line 1 has no 'title'"),
        ("zh/titles.jsonl.gz", '{"title": "x"}', "lacks the title"),
    ],
)
def test_a_bad_row_is_named(data_dir: Path, name: str, text: str, fault: str) -> None:
    with gzip.open(data_dir / name, "wt", encoding="utf-8") as file:
        file.write(text + "\n")
    with pytest.raises(InvalidArgument, match=fault):
        read_dataset("zh-shop" if "titles" in name else name.split("/")[0], data_dir)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("query,product_id\nlaptop,1\n", "line 2 is not query,product_id,grade"),
        ("query,product_id,grade\nlaptop,1,good\n", "line 2 is not query,product_id,grade"),
        ("query,product_id,grade\nlaptop,1,0\n", "no query with a relevant product"),
    ],
)
def test_bad_judgments_are_named(data_dir: Path, text: str, fault: str) -> None:
    (data_dir / "icecat" / "judgments.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidArgument, match=fault):
        read_icecat(data_dir)


@pytest.mark.parametrize("name", ["icecat", "zh"])
def test_missing_files_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArgument, match="--data-dir names the folder"):
        read_dataset(name, tmp_path)
