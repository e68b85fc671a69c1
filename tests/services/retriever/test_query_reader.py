"""What a shopper types, and what it is read as: each way of asking finds what it means."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import pytest

from services.retriever.filters import FilterPlan
from services.retriever.lexical_index import LexicalIndex, entry_of
from services.retriever.milvus.collection import VECTOR, Collection
from services.retriever.milvus.connection import Milvus
from services.retriever.milvus.entity import entity_of
from services.retriever.milvus.expression import held_by
from services.retriever.milvus.known_words import KnownWords
from services.retriever.milvus.matches import MilvusMatches
from services.retriever.milvus.search import worded
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.milvus.term_index import Counts, MilvusTermIndex
from services.retriever.prepared import prepared
from services.retriever.query_reader import Synonyms, read_query
from services.retriever.reading import Reading
from services.retriever.settings import RetrieverSettings
from services.retriever.term_index import TermIndex
from services.retriever.words import Term
from vitrine.deadline import Deadline
from vitrine.ports import RetrievalQuery, WordReading
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


class Index(Protocol):
    """Products by row key, from 1, in the words of a backend."""

    def follow(self, dead: Sequence[int], titles: Mapping[int, str]) -> None: ...

    @property
    def terms(self) -> TermIndex: ...

    def searched(self, reading: Reading) -> list[int]:
        """Row keys of what holds a word of it, best first."""
        ...

    def matching(self, reading: Reading) -> set[int]:
        """Row keys of what holds all of it."""
        ...

    def holding_any(self, terms: Sequence[Term]) -> set[int]:
        """Row keys of what holds one of the terms."""
        ...


def _product(row: int, title: str) -> Product:
    return Product(id=f"sku-{row - 1:05}", title=title, brand="Sony" if "Sony" in title else "")


class _Lexical:
    def __init__(self) -> None:
        self._index = LexicalIndex()

    def follow(self, dead: Sequence[int], titles: Mapping[int, str]) -> None:
        self._index.remove(dead)
        for row, title in titles.items():
            product = _product(row, title)
            self._index.add(row, product.id, entry_of(product))
        self.terms = self._index.view()

    def searched(self, reading: Reading) -> list[int]:
        return self.terms.search(reading, FilterPlan(), 100)[0].tolist()

    def matching(self, reading: Reading) -> set[int]:
        return set(self.terms.matching(reading, FilterPlan()).tolist())

    def holding_any(self, terms: Sequence[Term]) -> set[int]:
        return set(self.terms.holding_any(terms).tolist())


class _OverMilvus:
    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._words = KnownWords()
        self._count = 0

    def follow(self, dead: Sequence[int], titles: Mapping[int, str]) -> None:
        vector = np.array([1.0, 0.0], np.float32)
        added = [(row, prepared(_product(row, title), vector)) for row, title in titles.items()]
        self._collection.put([entity_of(row, item.id, item.entry, {VECTOR: vector}) for row, item in added])
        self._collection.remove(dead)
        self._words.follow(dead, added)
        self._count += len(titles) - len(dead)
        words, last = self._words.view(), max(titles)
        self._snapshot = MilvusSnapshot(1, "digest", 2, None, self._count, last + 1, (), self._collection, words, ())

    @property
    def terms(self) -> MilvusTermIndex:
        return MilvusTermIndex(self._snapshot, Counts(100), Deadline.after(60))

    def searched(self, reading: Reading) -> list[int]:
        never = "".join(f" and not {held_by(term.holdings)}" for term in reading.excluded)
        seen = self._snapshot.shown + never
        return worded(self._snapshot, reading.terms, seen, 100, Deadline.after(60)).rows.tolist()

    def matching(self, reading: Reading) -> set[int]:
        query = RetrievalQuery(text=reading.text, order_by="newest", depth=100)
        told = MilvusMatches(self._snapshot, query, FilterPlan(), reading, (), Deadline.after(60)).told()
        return {row for row, _ in told.listed or ()}

    def holding_any(self, terms: Sequence[Term]) -> set[int]:
        held = " or ".join(held_by(term.holdings) for term in terms)
        found = self._collection.read(f"{self._snapshot.shown} and ({held})", ["row"], 100, Deadline.after(60))
        return {entity["row"] for entity in found}


@pytest.fixture(scope="module", params=["faiss", "milvus"])
def indexed(request: pytest.FixtureRequest) -> Iterator[Callable[[Sequence[str]], Index]]:
    """Makes an index of titles, by row from 1, of each backend."""
    if request.param == "faiss":

        def lexical(titles: Sequence[str]) -> Index:
            index = _Lexical()
            index.follow((), dict(enumerate(titles, 1)))
            return index

        yield lexical
        return
    milvus = Milvus(RetrieverSettings(milvus_uri=request.getfixturevalue("milvus_uri"), milvus_index="FLAT"))
    names: list[str] = []

    def over_milvus(titles: Sequence[str]) -> Index:
        names.append(f"queries_{len(names)}")
        index = _OverMilvus(milvus.create(names[-1], {VECTOR: 2}, ""))
        index.follow((), dict(enumerate(titles, 1)))
        return index

    yield over_milvus
    for name in names:
        milvus.drop(name)
    milvus.close()


@pytest.fixture(scope="module")
def view(indexed: Callable[[Sequence[str]], Index]) -> Index:
    """An index of the titles."""
    return indexed(TITLES)


def _read(view: Index, query: str, synonyms: Synonyms | None = None) -> Reading:
    return read_query(query, view.terms, synonyms)


def _found(view: Index, query: str) -> list[str]:
    return [TITLES[row - 1] for row in view.searched(_read(view, query))]


def _matching(view: Index, query: str) -> set[str]:
    return {TITLES[row - 1] for row in view.matching(_read(view, query))}


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
def test_a_query_matches_what_it_means_and_finds_that_first(view: Index, query: str, titles: set[str]) -> None:
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
def test_a_reading_tells_what_was_read_as_what(view: Index, query: str, words: list[WordReading], mended: str) -> None:
    reading = _read(view, query)
    assert list(reading.words) == words
    assert reading.told(None).corrected_query == mended


def test_what_is_excluded_is_found_by_nothing_and_told(view: Index) -> None:
    reading = _read(view, "phone case -leather")
    assert reading.told(None).excluded_words == ("leather",)
    assert reading.text == "phone case"
    assert "leather phone case" not in _found(view, "phone case -leather")
    assert {TITLES[row - 1] for row in view.holding_any(reading.excluded)} == {"leather phone case"}


def test_an_excluded_word_of_several_excludes_only_what_holds_all_of_them(
    indexed: Callable[[Sequence[str]], Index],
) -> None:
    # "手机壳" is "手机" and "壳": other things of telephones stay.
    phones = indexed(["手机 支架", "手机壳 硅胶"])
    reading = _read(phones, "手机 -手机壳")
    assert reading.told(None).excluded_words == ("手机壳",)
    assert phones.searched(reading) == [1]


def test_one_syllable_is_pinyin_only_after_others(view: Index) -> None:
    assert [word.read_as for word in _read(view, "shouji ke").words] == [("手机",), ("壳",)]
    assert _read(view, "ke").words == ()


def test_a_text_in_words_that_the_shop_does_not_have_is_left_alone(view: Index) -> None:
    assert _read(view, "blutooth " + " ".join(f"xx{'abcdefgh'[n]}yz" for n in range(8))).words == ()


@pytest.mark.parametrize("query", ["-leather", "wh-1000xm5", "usb-c", "-5", "phone - case", "- "])
def test_a_dash_that_excludes_nothing_is_none(view: Index, query: str) -> None:
    assert _read(view, query).excluded == ()


def test_a_query_that_names_a_brand_or_model_is_told_from_one_that_describes(view: Index) -> None:
    named = {"sony", "wh-1000xm5", "wh1000 xm5", "sku-00002", "17 inch"}
    described = {"headphones", "phone case", "17 inch notebook", "sony headphones", "蓝牙耳机", "no such thing"}
    assert {query for query in named | described if _read(view, query).named} == named


@pytest.mark.parametrize(
    ("query", "models"),
    [
        ("wh1000 xm5", ["wh1000xm5"]),
        ("Sony WH-1000XM5", ["wh1000xm5"]),
        ("sku-00002", ["sku00002"]),
        ("wh-1000xm5 ear pads", []),  # asks for something else
        ("17寸", ["17inch"]),
        ("1,5 升", ["1500ml"]),
        ("1.5L kettle", []),
        ("99 inch", []),  # nothing states it
        ("sony", []),
    ],
)
def test_a_query_of_a_model_number_or_amount_alone_asks_for_what_holds_it(
    view: Index, query: str, models: list[str]
) -> None:
    assert [term.text for term in _read(view, query).models] == models


def test_words_that_products_hold_are_left_as_they_are(indexed: Callable[[Sequence[str]], Index]) -> None:
    # One letter from "knives" and "stand", but words of their own.
    assert _read(indexed(["bluetooth speaker", "bluetoth band"]), "bluetoth").words == ()


def test_nothing_is_offered_that_no_product_holds_any_more(indexed: Callable[[Sequence[str]], Index]) -> None:
    index = indexed(["keyboard", "lamp"])
    assert _read(index, "keybord").told(None).corrected_query == "keyboard"
    index.follow([1], {3: "desk"})
    assert index.searched(_read(index, "keybord")) == []


class _Synonyms:
    longest = 2

    def of(self, phrase: str) -> Sequence[str]:
        """Two keys."""
        return {
            "tea maker": ("electric kettle",),
            "rucksack": ("phone case",),
            "cans": ("earphones", "headphones", "无线蓝牙耳机"),
            "notebook": ("laptop", "bluetooth speaker"),
            "耳塞": ("蓝牙耳机",),
            "silicone kettle": ("kitchen knives",),
        }.get(phrase, ())


def test_synonyms_stand_for_words_and_phrases(view: Index) -> None:
    reading = _read(view, "tea maker 1.7L", _Synonyms())
    assert TITLES[view.searched(reading)[0] - 1] == "electric kettle 1.7 L"
    assert reading.words[0] == WordReading("tea maker", ("electric kettle",), "synonym")
    assert reading.told(None).corrected_query == ""
    assert [TITLES[row - 1] for row in view.matching(reading)] == ["electric kettle 1.7 L"]


@pytest.mark.parametrize(
    ("query", "model_text", "corrected"),
    [
        ("black cans", "black headphones", ""),
        ("cans -sony", "headphones", ""),
        ("耳塞", "蓝牙耳机", ""),
        ("cans blutooth", "headphones bluetooth", "cans bluetooth"),
        # No one product holds both words.
        ("silicone kettle", "kitchen knives", ""),
        # What a product holds is never replaced.
        ("notebook", "", ""),
    ],
)
def test_models_read_a_synonym_for_what_no_product_says(
    view: Index, query: str, model_text: str, corrected: str
) -> None:
    told = _read(view, query, _Synonyms()).told(None)
    assert (told.model_text, told.corrected_query) == (model_text, corrected)
