"""Words by how they are spelt and how they sound."""

import pytest

from services.retriever.vocabulary import Vocabulary


def _vocabulary(*words: str) -> Vocabulary:
    vocabulary = Vocabulary()
    for word in words:
        vocabulary.add([word])
    return vocabulary


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("keybord", "keyboard"),  # a letter is missing,
        ("keyyboard", "keyboard"),  # one too many,
        ("keyboerd", "keyboard"),  # wrong,
        ("kebyoard", "keyboard"),  # two are exchanged,
        ("kebyoarrd", "keyboard"),  # and two mistakes in a long word
        ("lmp", None),  # a short word may be anything
        ("lamb", "lamp"),
        ("lamp", None),  # a word is not like itself
        ("kebyordd", None),  # three mistakes
        ("wh1000", None),  # numbers are not spelt
        ("键盘", None),
    ],
)
def test_spelling_is_forgiven_by_length(written: str, meant: str | None) -> None:
    assert _vocabulary("keyboard", "lamp", "wh1001").spelt_like(written) == meant


def test_of_words_as_near_the_same_first_letter_and_then_the_commoner_wins() -> None:
    vocabulary = _vocabulary("mouse", "house", "morse")
    vocabulary.add(["house"], 50)
    assert vocabulary.spelt_like("mouse") == "morse"
    vocabulary.add(["morse"], 5)
    assert vocabulary.spelt_like("mofse") == "morse"


def test_words_are_found_by_pinyin_the_commoner_first() -> None:
    vocabulary = _vocabulary("耳机", "二级", "二级", "蓝牙", "壳", "lanya", "女装")
    assert vocabulary.sounding("erji") == ["二级", "耳机"]
    assert vocabulary.sounding("nvzhuang") == ["女装"]
    assert vocabulary.sounding("lan") == []
    assert vocabulary.sounding_in_a_row("lanyaerji") == (["蓝牙"], ["二级", "耳机"])
    assert vocabulary.sounding_in_a_row("lanyaerjike") == (["蓝牙"], ["二级", "耳机"], ["壳"])
    assert vocabulary.sounding_in_a_row("lanyax") is None


def test_a_word_of_three_characters_may_sound_nearly_alike() -> None:
    vocabulary = _vocabulary("运动鞋", "运动包", "刹车灯")
    assert vocabulary.sounding_nearly("运动血") == "运动鞋"  # xue and xie
    assert vocabulary.sounding_nearly("刹车片") is None  # another word: deng and pian
    assert vocabulary.sounding_nearly("运动") is None


def test_words_added_later_are_found_too() -> None:
    vocabulary = _vocabulary("lamp")
    assert vocabulary.spelt_like("keybord") is None
    vocabulary.add(["keyboard"])
    assert vocabulary.spelt_like("keybord") == "keyboard"
    assert vocabulary.count("keyboard") == 1
