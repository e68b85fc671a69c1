"""Pinyin of Chinese words, as a shopper types it: without tones or blanks."""

import re
import unicodedata
from functools import cache, lru_cache

_HAN_WORD = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af]+")


# A catalogue's words come again and again.
@lru_cache(maxsize=50_000)
def pinyin_of(word: str) -> str:
    """ "蓝牙" gives "lanya"; "" for a word that is not all Han, and for characters of no known sound.

    By pypinyin's tables of phrases and characters, the longest phrase first: a tenth of the time of its own reader,
    which segments and styles each text anew.
    """
    if not _HAN_WORD.fullmatch(word):
        return ""
    # Here: its tables take 0.3 s to load, and a shop without Chinese never needs them.
    from pypinyin.constants import PHRASES_DICT

    sounds: list[str] = []
    at = 0
    while at < len(word):
        for end in range(len(word), at + 1, -1):
            if phrase := PHRASES_DICT.get(word[at:end]):
                sounds.extend(_toneless(readings[0]) for readings in phrase)
                at = end
                break
        else:
            sounds.append(_of_character(word[at]))
            at += 1
    return "".join(sounds)


@cache
def _of_character(character: str) -> str:
    from pypinyin.constants import PINYIN_DICT

    return _toneless(PINYIN_DICT.get(ord(character), "").partition(",")[0])


@cache
def _toneless(syllable: str) -> str:
    """ "lǜ" gives "lv", as keyboards want it."""
    marks = unicodedata.normalize("NFD", syllable)
    return "".join("v" if mark == "\u0308" else mark for mark in marks if mark.isalpha() or mark == "\u0308").replace(
        "uv", "v"
    )
