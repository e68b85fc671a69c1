"""A shop of one's own: what is read of its folder, and how what is wrong is named."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from evaluation.datasets import read_dataset
from evaluation.judged_data import JudgedShop
from evaluation.shop_folder import read_shop_folder
from vitrine.errors import InvalidArgument


def lines(path: Path, rows: Iterable[object]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines(tmp_path / "products.jsonl", [{"id": "1", "title": "Red shoes"}, {"id": "2", "title": "红色运动鞋"}])
    lines(
        tmp_path / "judgements.jsonl",
        [
            {"query": "Red Shoes", "product_id": "1", "grade": 3},
            {"query": "Red Shoes", "product_id": "2", "grade": 1.0},
            {"query": "鞋", "product_id": "2", "grade": 2},
        ],
    )
    return tmp_path


def test_products_and_judgements(folder: Path) -> None:
    shop = read_shop_folder(folder)
    assert [(product.id, product.language) for product in shop.products] == [("1", "en"), ("2", "zh")]
    assert shop.grades == {"Red Shoes": {"1": 3, "2": 1}, "鞋": {"2": 2}}
    assert (shop.name, shop.relevant_grade) == (folder.name, 2)
    assert not any(shop.traffic.values())
    assert isinstance(read_dataset(str(folder), None), JudgedShop)


def test_csv_with_a_mapping_and_traffic(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text("sku,name\n1,Red shoes\n", encoding="utf-8")
    (tmp_path / "judgements.csv").write_text("query,product_id,grade\nred,1,1\n", encoding="utf-8")
    (tmp_path / "mapping.toml").write_text('[fields]\nid = "sku"\ntitle = "name"\n', encoding="utf-8")
    (tmp_path / "traffic.csv").write_text("query,count\nRED,3\nred,4\n", encoding="utf-8")
    shop = read_shop_folder(tmp_path, tmp_path / "mapping.toml", tmp_path / "traffic.csv")
    assert (shop.products[0].title, shop.traffic) == ("Red shoes", {"red": 7})
    assert shop.relevant_grade == 1, "grades of yes or no"


def test_events_give_traffic_and_popularity(folder: Path) -> None:
    lines(
        folder / "events.jsonl",
        [
            {"event_type": "search", "query": "red shoes", "product_ids": ["1", "2"]},
            {"event_type": "view", "product_ids": ["1"]},
            {"event_type": "add_to_cart", "product_ids": ["2"]},
            {"event_type": "view_item_list", "product_ids": ["2"]},
            {"event_type": "purchase", "product_ids": ["1", "2"]},
        ],
    )
    shop = read_shop_folder(folder)
    assert shop.traffic == {"Red Shoes": 1, "鞋": 0}
    assert shop.popularity == {"1": 2, "2": 2}, "what is only shown is not popular"


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "judgements.jsonl").unlink()
    with pytest.raises(InvalidArgument, match="judgements: the folder has none; give one that ends in"):
        read_shop_folder(folder)
    (folder / "products.csv").write_text("id,title\n1,x\n")
    with pytest.raises(InvalidArgument, match="products: the folder has 2 files of that name"):
        read_shop_folder(folder)


@pytest.mark.parametrize(
    ("name", "row", "fault"),
    [
        ("products", {"id": "3"}, "line 1 is not a product: title"),
        ("judgements", {"query": "x", "product_id": "1"}, "line 1 is not query, product_id and grade"),
        ("judgements", {"query": "x", "product_id": "1", "grade": "good"}, "line 1 is not query"),
        ("judgements", {"query": "x", "product_id": "1", "grade": -1}, "line 1 is not query"),
        ("judgements", {"query": "x", "product_id": "1", "grade": 0.5}, "line 1 is not query"),
        ("judgements", {"query": " ", "product_id": "1", "grade": 1}, "line 1 is not query"),
        ("judgements", {"query": "x", "product_id": "9", "grade": 1}, "'9', which is not among the products"),
        ("judgements", {"query": "x", "product_id": "1", "grade": 0}, "no query with a relevant product"),
    ],
)
def test_a_bad_row_is_named(folder: Path, name: str, row: dict[str, object], fault: str) -> None:
    lines(folder / f"{name}.jsonl", [row])
    with pytest.raises(InvalidArgument, match=fault):
        read_shop_folder(folder)


def test_two_grades_of_one_pair_are_refused(folder: Path) -> None:
    lines(folder / "judgements.jsonl", [{"query": "x", "product_id": "1", "grade": grade} for grade in (1, 1, 2)])
    with pytest.raises(InvalidArgument, match="line 3 judges '1' for 'x' again, with another grade"):
        read_shop_folder(folder)


def test_bad_traffic_is_named(folder: Path) -> None:
    (folder / "traffic.csv").write_text("query,count\nred,many\n", encoding="utf-8")
    with pytest.raises(InvalidArgument, match="line 2 is not query and count"):
        read_shop_folder(folder, traffic=folder / "traffic.csv")


def test_options_of_a_folder_do_not_go_with_a_known_set(folder: Path) -> None:
    with pytest.raises(InvalidArgument, match="--traffic: is for a folder of your own"):
        read_dataset("icecat", folder, traffic=folder / "traffic.csv")
    with pytest.raises(InvalidArgument, match="--data-dir: is missing"):
        read_dataset("icecat", None)
