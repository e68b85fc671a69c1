"""BM25 over words by field, with filters inside the search."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.retriever import lexical_index
from services.retriever.filters import FilterPlan, plan_of
from services.retriever.lexical_index import ENTRY_VERSION, Entry, LexicalIndex, entry_of
from services.retriever.lexical_view import LexicalView
from services.retriever.query_reader import read_query
from vitrine.product import Product


def _view(*products: Product) -> LexicalView:
    index = LexicalIndex()
    for row, product in enumerate(products):
        index.add(row, product.id, entry_of(product))
    return index.view()


def _rows(view: LexicalView, text: str, plan: FilterPlan | None = None) -> list[int]:
    return _found(view, text, plan)[0]


def _found(view: LexicalView, text: str, plan: FilterPlan | None = None) -> tuple[list[int], list[float]]:
    rows, scores = view.search(read_query(text, view), plan or FilterPlan(), 100)
    return rows.tolist(), scores.tolist()


def _titled(*titles: str) -> list[Product]:
    return [Product(id=f"p{n}", title=title, language="en") for n, title in enumerate(titles)]


def test_removed_rows_are_not_found_by_the_view_itself() -> None:
    index = LexicalIndex()
    for row in range(40):
        index.add(row, f"p{row}", entry_of(Product(id=f"p{row}", title="red shoe", language="en")))
    earlier = index.view()
    index.remove(list(range(1, 40)))
    assert _rows(index.view(), "shoe") == [0]
    assert len(_rows(earlier, "shoe")) == 40


def test_an_index_that_is_opened_anew_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tantivy remembers every file that it ever mapped, so after many commits it is opened anew, not during merges."""
    monkeypatch.setattr(lexical_index, "_RENEWED_AFTER", 3)
    monkeypatch.setattr(lexical_index, "_RENEWED_AT_LAST", 5)
    merging = iter([False, True, True, True, False])
    monkeypatch.setattr(lexical_index, "is_working", lambda named: next(merging))
    index = LexicalIndex(tmp_path)
    opened, views = [], []
    for row in range(10):
        index.add(row, f"p{row}", entry_of(Product(id=f"p{row}", title="red shoes", language="en")))
        index.remove([row - 2])
        views.append(index.view())
        opened.append(index._index)
    assert [sorted(_rows(view, "shoe")) for view in views] == [[0], *([row - 1, row] for row in range(1, 10))]
    assert [opened.count(one) for one in dict.fromkeys(opened)] == [2, 5, 3]
    assert index.view().vocabulary.count("shoes") == 10
    index.close()
    assert sorted(_rows(LexicalIndex(tmp_path).view(), "shoe")) == [8, 9]


def test_a_view_of_what_has_not_changed_writes_nothing(tmp_path: Path) -> None:
    """Each job of the index's keeper publishes: a commit of nothing cost it a flush to disk."""
    index = LexicalIndex(tmp_path)
    assert _rows(index.view(), "shoe") == []
    index.add(0, "p0", entry_of(Product(id="p0", title="red shoe", language="en")))
    assert _rows(index.view(), "shoe") == [0]
    written = (tmp_path / "meta.json").stat()
    assert _rows(index.view(), "shoe") == [0]
    # A commit replaces the file.
    assert (tmp_path / "meta.json").stat().st_ino == written.st_ino
    index.close()


@pytest.mark.parametrize(
    ("title", "query"),
    [
        ("Sony WH-1000XM4 headphones", "wh1000xm4"),
        ("Sony WH-1000XM4 headphones", "wh 1000xm4"),
        ("Sony WH1000XM4 headphones", "WH-1000XM4"),
        ("Apple iPhone 15 case", "iphone15"),
        ("Apple iPhone15 case", "iphone 15"),
        ("USB stick 16GB", "16 gb usb"),
        ("USB stick 16 GB", "16gb"),
        ("Running shoes", "shoe"),
        ("ｉＰｈｏｎｅ１５ 手机壳", "iphone15"),
        ("华为智能手表", "手表"),
        ("男士运动鞋", "运动鞋"),
        ("无线蓝牙耳机", "蓝牙 耳机"),
        ("Men's coat", "mens coat"),
        ("Wi-Fi router", "wifi"),
    ],
)
def test_words_find_what_a_shopper_means(title: str, query: str) -> None:
    assert _rows(_view(*_titled("garden chair", title)), query) == [1]


def test_a_model_number_comes_before_its_parts() -> None:
    view = _view(*_titled("printer dv7 cable", "notebook dv7-1211ea", "notebook dv7-1213ea"))
    assert _rows(view, "dv7-1211ea")[0] == 1


def test_stop_words_alone_are_searched_and_else_left_out() -> None:
    view = _view(*_titled("the who", "lamp for the desk", "chair for the garden"))
    assert _rows(view, "a lamp for the desk") == [1]
    assert 0 in _rows(view, "the who")
    assert _rows(view, "我想要 的") == []


def test_every_field_is_searched_and_a_word_counts_where_it_counts_most() -> None:
    view = _view(
        Product(id="a", title="thing one", brand="lumora", language="en"),
        Product(id="b", title="thing two", categories=("Lumora > x",), language="en"),
        Product(id="c", title="thing three", attributes={"maker": ("lumora",)}, language="en"),
        Product(id="d", title="thing four", description="of lumora", language="en"),
        Product(id="e", title="lumora thing", brand="lumora", language="en"),
        Product(id="f", title="thing five", attributes={"weight_g": (41.0,)}, language="en"),
    )
    rows, scores = _found(view, "lumora")
    assert sorted(rows) == [0, 1, 2, 3, 4]
    assert rows[scores.index(max(scores))] == 4
    assert _rows(view, "41") == []


def test_of_products_alike_in_their_titles_those_come_first_that_say_it_elsewhere_too() -> None:
    view = _view(
        Product(id="a", title="lithium battery", description="of a case", language="en"),
        Product(id="b", title="lithium battery", description="a battery", language="en"),
        Product(id="c", title="lithium cells", description="a battery", language="en"),
    )
    assert _rows(view, "battery") == [1, 0, 2]


def test_conditions_decide_what_is_found_and_never_how_high(shop: Any) -> None:
    view = _view(*(shop.product(n) for n in range(20)))
    scores = dict(zip(*_found(view, "watch 手表"), strict=True))
    plan = plan_of(shop.filter(brands=("ACME ",), min_price=3, max_price=10))
    rows, filtered = _found(view, "watch 手表", plan)
    assert sorted(rows) == [n for n in range(3, 11) if n % 3]
    assert dict(zip(rows, filtered, strict=True)) == {n: scores[n] for n in rows}


@pytest.mark.parametrize("strangers", [0, 5, 600])
def test_few_words_and_many_of_a_condition_find_the_same(shop: Any, strangers: int) -> None:
    view = _view(*_titled(*(f"lamp {number}" for number in range(40))))
    plan = plan_of(shop.filter(product_ids=("p7", "p3", "p31", *(f"q{number}" for number in range(strangers)))))
    assert sorted(_rows(view, "lamp", plan)) == [3, 7, 31]
    rows = np.array([31, 5, 7, *range(1_000, 1_000 + strangers)])
    assert view.count(read_query("lamp", view), plan, among=rows) == 2
    assert view.count(read_query("lamp", view), FilterPlan(), among=rows) == 3


def test_what_json_would_escape_does_not_break_it(shop: Any) -> None:
    """Each character alone, between letters and between digits, in every text."""
    marks = [chr(code) for code in (*range(0x21, 0x30), *range(0x3A, 0x41), *range(0x5B, 0x61), *range(0x7B, 0x7F))]
    marks += ["\\u0022", "\u2019", "\u2028", "\xa0", "5'2\"", "\\\\"]
    text = " ".join(f"{mark} a{mark}b 1{mark}5 1{mark}5{mark}inch" for mark in marks)
    nasty: dict[str, Any] = {"title": text, "description": text, "brand": text, "categories": (text,), "language": "en"}
    products = [Product(id='a"b\\c', attributes={'a"\\': (text, 'x"y\\')}, **nasty), *_titled("lamp")]
    for product in products:
        entry = entry_of(product)
        assert Entry.decoded(entry.encoded()) == entry
    view = _view(*products)
    assert _rows(view, "a b", plan_of(shop.filter(product_ids=('a"b\\c',)))) == [0]
    assert _rows(view, "lamp") == [1]


def test_nothing_to_search_finds_nothing() -> None:
    view = _view(*_titled("lamp"))
    for text in ("", "!!!", "—", "\u200b"):
        assert _rows(view, text) == []


def test_an_entry_comes_back_from_storage_unless_another_version_made_it(shop: Any) -> None:
    entry = entry_of(shop.product(3))
    assert Entry.decoded(entry.encoded()) == entry
    assert Entry.decoded(entry.encoded().replace(f"[{ENTRY_VERSION},", f"[{ENTRY_VERSION - 1},", 1)) is None


def test_an_index_in_a_folder_knows_its_words_again(tmp_path: Path) -> None:
    index = LexicalIndex(tmp_path)
    index.add(7, "p7", entry_of(Product(id="p7", title="bluetooth speaker 蓝牙")))
    index.view()
    index.close()
    opened = LexicalIndex(tmp_path)
    view = opened.view()
    assert [_rows(view, text) for text in ("speaker", "blutooth", "lanya")] == [[7], [7], [7]]
    opened.close()
