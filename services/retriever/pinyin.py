"""Pinyin of Chinese words, as a shopper types it: without tones or blanks."""

import re
from functools import lru_cache

_HAN_WORD = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af]+")


# A catalogue's words come again and again.
@lru_cache(maxsize=50_000)
def pinyin_of(word: str) -> str:
    """ "蓝牙" gives "lanya"; "" for a word that is not all Han, and for characters of no known sound."""
    if not _HAN_WORD.fullmatch(word):
        return ""
    # Here: its tables take 0.3 s to load, and a shop without Chinese never needs them.
    from pypinyin import lazy_pinyin

    return "".join(lazy_pinyin(word, errors="ignore"))
