"""What a shopper types, and what it is read as: each way of asking finds what it means."""

from collections.abc import Sequence

import pytest

from services.retriever.filters import FilterPlan
from services.retriever.lexical_index import LexicalIndex, entry_of
from services.retriever.lexical_view import LexicalView
from services.retriever.query_reader import read_query
from vitrine.ports import WordReading
from vitrine.product import Product

TITLES = [
    "Sony WH-1000XM5 headphones",
    "Sony WH-1000XM4 headphones",
    "Logitech bluetooth speaker",
    "leather phone case",
    "silicone phone case",
    'Lenovo 43.2 cm (17") notebook',
    "Notebook 15.6 inch",
    "无线蓝牙耳机",
    "联想笔记本 17英寸",
    "电水壶 1.5升",
    "electric kettle 1500 ml",
    "electric kettle 1.7 L",
    "手机壳 真皮",
    "手机壳 硅胶",
    "男士运动鞋",
    "smartphone stand",
    "power bank 20000mAh",
    "kitchen knives",
]


@pytest.fixture(scope="module")
def view() -> LexicalView:
    """An index of the titles, by row."""
    index = LexicalIndex()
    for row, title in enumerate(TITLES):
        product = Product(id=f"sku-{row:05}", title=title, brand="Sony" if "Sony" in title else "")
        index.add(row, product.id, entry_of(product))
    return index.view()


def _found(view: LexicalView, query: str) -> list[str]:
    rows, _ = view.search(read_query(query, view), FilterPlan(), 100)
    return [TITLES[row] for row in rows.tolist()]


def _matching(view: LexicalView, query: str) -> set[str]:
    return {TITLES[row] for row in view.matching(read_query(query, view), FilterPlan()).tolist()}


XM5, BLUETOOTH = "Sony WH-1000XM5 headphones", "无线蓝牙耳机"
NOTEBOOKS = {'Lenovo 43.2 cm (17") notebook', "联想笔记本 17英寸"}


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        # Model numbers and article numbers, however they are divided.
        ("WH-1000XM5", {XM5}),
        ("wh1000 xm5", {XM5}),
        ("wh 1000xm5", {XM5}),
        ("WH1000XM5", {XM5}),
        ("sony xm5", {XM5}),
        ("ｗｈ－１０００ｘｍ５", {XM5}),
        ("sku-00002", {"Logitech bluetooth speaker"}),
        # Prefixes, slips, words that ran together or apart.
        ("bluet speaker", {"Logitech bluetooth speaker"}),
        ("bluetoth speeker", {"Logitech bluetooth speaker"}),
        ("smart phone stand", {"smartphone stand"}),
        ("powerbank", {"power bank 20000mAh"}),
        # Chinese by its sound: pinyin, and characters of the same one.
        ("lanya erji", {BLUETOOTH}),
        ("lanyaerji", {BLUETOOTH}),
        ("lan ya er ji", {BLUETOOTH}),
        ("蓝鸭耳机", {BLUETOOTH}),
        ("藍牙耳機", {BLUETOOTH}),
        ("运动血", {"男士运动鞋"}),
        # Plurals.
        ("phone cases", {"leather phone case", "silicone phone case"}),
        ("kitchen knife", {"kitchen knives"}),
        # Units.
        ("17 inch", NOTEBOOKS),
        ("17寸", NOTEBOOKS),
        ('17" notebook', {'Lenovo 43.2 cm (17") notebook'}),
        ("1.5L", {"电水壶 1.5升", "electric kettle 1500 ml"}),
        ("1500ml kettle", {"electric kettle 1500 ml"}),
        # Negation.
        ("phone case -leather", {"silicone phone case"}),
        ("手机壳 －真皮", {"手机壳 硅胶"}),
    ],
)
def test_a_query_matches_what_it_means_and_finds_that_first(view: LexicalView, query: str, titles: set[str]) -> None:
    assert _matching(view, query) == titles
    assert set(_found(view, query)[: len(titles)]) == titles


@pytest.mark.parametrize(
    ("query", "words", "mended"),
    [
        ("wh1000 xm5", [WordReading("wh1000 xm5", ("wh1000xm5",), "model_number")], ""),
        ("bluet speaker", [WordReading("bluet", ("bluetooth",), "prefix")], ""),
        ("blutooth speaker", [WordReading("blutooth", ("bluetooth",), "spelling")], "bluetooth speaker"),
        ("lanya xbox", [WordReading("lanya", ("蓝牙",), "pinyin")], "蓝牙 xbox"),
        ("lanyaerji", [WordReading("lanyaerji", ("蓝牙耳机",), "pinyin")], "蓝牙耳机"),
        ("蓝鸭耳机", [WordReading("蓝鸭", ("蓝牙",), "spelling")], "蓝牙耳机"),
        ("powerbank", [WordReading("powerbank", ("power bank",), "spelling")], "power bank"),
        ("17寸", [WordReading("17寸", ("17inch",), "unit")], ""),
        ("silicone phone case", [], ""),
    ],
)
def test_a_reading_tells_what_was_read_as_what(
    view: LexicalView, query: str, words: list[WordReading], mended: str
) -> None:
    reading = read_query(query, view)
    assert list(reading.words) == words
    assert reading.told(None).corrected_query == mended


def test_what_is_excluded_is_found_by_nothing_and_told(view: LexicalView) -> None:
    reading = read_query("phone case -leather", view)
    assert reading.told(None).excluded_words == ("leather",)
    assert reading.text == "phone case"
    assert "leather phone case" not in _found(view, "phone case -leather")
    assert [TITLES[row] for row in view.holding_any(reading.excluded).tolist()] == ["leather phone case"]


def test_an_excluded_word_of_several_excludes_only_what_holds_all_of_them(view: LexicalView) -> None:
    # "手机壳" is "手机" and "壳": other things of telephones stay.
    index = LexicalIndex()
    for row, title in enumerate(["手机 支架", "手机壳 硅胶"]):
        index.add(row, f"p{row}", entry_of(Product(id=f"p{row}", title=title)))
    phones = index.view()
    reading = read_query("手机 -手机壳", phones)
    assert reading.told(None).excluded_words == ("手机壳",)
    assert phones.search(reading, FilterPlan(), 10)[0].tolist() == [0]


def test_one_syllable_is_pinyin_only_after_others(view: LexicalView) -> None:
    assert [word.read_as for word in read_query("shouji ke", view).words] == [("手机",), ("壳",)]
    assert read_query("ke", view).words == ()


def test_a_text_in_words_that_the_shop_does_not_have_is_left_alone(view: LexicalView) -> None:
    assert read_query("blutooth " + " ".join(f"xx{'abcdefgh'[n]}yz" for n in range(8)), view).words == ()


@pytest.mark.parametrize("query", ["-leather", "wh-1000xm5", "usb-c", "-5", "phone - case", "- "])
def test_a_dash_that_excludes_nothing_is_none(view: LexicalView, query: str) -> None:
    assert read_query(query, view).excluded == ()


def test_a_query_that_names_a_brand_or_model_is_told_from_one_that_describes(view: LexicalView) -> None:
    named = {"sony", "wh-1000xm5", "wh1000 xm5", "sku-00002"}
    described = {"headphones", "phone case", "17 inch notebook", "sony headphones", "蓝牙耳机", "no such thing"}
    assert {query for query in named | described if read_query(query, view).named} == named


@pytest.mark.parametrize(
    ("query", "models"),
    [
        ("wh1000 xm5", ["wh1000xm5"]),
        ("Sony WH-1000XM5", ["wh1000xm5"]),
        ("sku-00002", ["sku00002"]),
        ("wh-1000xm5 ear pads", []),  # asks for something else
        ("17 inch", []),
        ("sony", []),
    ],
)
def test_a_query_of_a_model_number_alone_asks_for_that_model(view: LexicalView, query: str, models: list[str]) -> None:
    assert [term.text for term in read_query(query, view).models] == models


def test_words_that_products_hold_are_left_as_they_are(view: LexicalView) -> None:
    # One letter from "knives" and "stand", but words of their own.
    index = LexicalIndex()
    for row, title in enumerate(["bluetooth speaker", "bluetoth band"]):
        index.add(row, f"p{row}", entry_of(Product(id=f"p{row}", title=title)))
    assert read_query("bluetoth", index.view()).words == ()


def test_nothing_is_offered_that_no_product_holds_any_more() -> None:
    index = LexicalIndex()
    for row, title in enumerate(["keyboard", "lamp"]):
        index.add(row, f"p{row}", entry_of(Product(id=f"p{row}", title=title)))
    assert read_query("keybord", index.view()).told(None).corrected_query == "keyboard"
    index.remove([0])
    index.add(2, "p2", entry_of(Product(id="p2", title="desk")))
    view = index.view()
    assert view.search(read_query("keybord", view), FilterPlan(), 10)[0].tolist() == []


class _Synonyms:
    longest = 2

    def of(self, phrase: str) -> Sequence[str]:
        """Two keys."""
        return {"tea maker": ("electric kettle",), "rucksack": ("phone case",)}.get(phrase, ())


def test_synonyms_stand_for_words_and_phrases(view: LexicalView) -> None:
    reading = read_query("tea maker 1.7L", view, _Synonyms())
    rows, _ = view.search(reading, FilterPlan(), 3)
    assert TITLES[rows[0]] == "electric kettle 1.7 L"
    assert reading.words[0] == WordReading("tea maker", ("electric kettle",), "synonym")
    assert reading.told(None).corrected_query == ""
    assert [TITLES[row] for row in view.matching(reading, FilterPlan()).tolist()] == ["electric kettle 1.7 L"]
