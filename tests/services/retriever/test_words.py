"""Words of texts in Chinese and English."""

import sys

import pytest

from services.retriever.words import MAX_CHARACTERS, codes_of, query_terms, query_words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("WH-1000XM4", ["wh1000xm4", "wh", "1000xm4"]),
        ("iPhone15", ["iphone15", "iphone", "15"]),
        ("16GB", ["16gb", "16", "gb"]),
        ("2.13 GHz", ["2.13", "ghz"]),
        ("node.js", ["nodejs", "node", "js"]),
        ("802.11b/g", ["802.11bg", "802.11b", "g"]),
        ("Men’s", ["mens", "man", "s"]),
        ("a_b", ["a", "b"]),
        ("ｉＰｈｏｎｅ　１５", ["iphone", "15"]),
        ("华为手机壳", ["华为", "手机", "壳"]),
        ("USB数据线", ["usb", "数据线", "数据"]),
        ("藍牙耳機", ["蓝牙", "耳机"]),
        ("kitchen knives", ["kitchen", "knife"]),
        ("—!?", []),
    ],
)
def test_words_of(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Sony WH-1000XM4", ["wh1000", "xm4"]),
        ("kettle 1.5 L, 16GB", ["1500ml", "16000mb"]),
        ("iPhone15 手机壳", []),
    ],
)
def test_codes_of(text: str, codes: list[str]) -> None:
    assert codes_of(text) == codes


def test_a_query_says_numbers_as_codes_do() -> None:
    assert {*codes_of("WH-1000XM4 17寸")} <= {*query_words("wh1000xm4 17 inch")}


def test_a_long_text_is_cut() -> None:
    assert len(words_of("a " * MAX_CHARACTERS)) == MAX_CHARACTERS // 2


def test_a_query_holds_each_word_once_without_stop_words() -> None:
    assert query_words("the red shoe for the red dress") == ["red", "shoe", "dress"]
    assert query_words("to be") == ["to", "be"]
    assert query_words("我想要一个手表") == ["手表"]


def test_queries_that_never_come_again_are_soon_forgotten() -> None:
    """Each cold search left a kilobyte until 50,000 had come: 27 MiB an hour at seven a second."""

    def read(first: int) -> None:
        for number in range(first, first + 5_000):
            query_terms(f"desk lamp x{number}q")

    read(0)
    before = sys.getallocatedblocks()
    read(5_000)
    assert sys.getallocatedblocks() - before < 5_000
