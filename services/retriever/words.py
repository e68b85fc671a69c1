"""The words of a text as lexical search sees them, in Chinese and English; model numbers are kept whole."""

import re
from functools import lru_cache

import rjieba

from vitrine.text import normalize_text

# Characters of one text that are looked at.
MAX_CHARACTERS = 4_000

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af"
_HAN_FIRST = re.compile(rf"[{_HAN}]")
# A run of Han characters, or letters and digits with what joins them.
_RUN = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+(?:[-./'’][^\W_{_HAN}]+)*")
# A dot divides words, but not the digits of a number.
_JOINT = re.compile(r"[-/'’]|(?<!\d)\.|\.(?!\d)")
_NAME_AND_NUMBER = re.compile(r"([a-z]{3,})(\d+)")
_NUMBER_AND_UNIT = re.compile(
    r"(\d+(?:\.\d+)?)(gb|tb|mb|kb|mhz|ghz|hz|mah|wh|kwh|mm|cm|km|ml|cl|kg|mg|mp|px|fps|rpm|bit|inch|ft|oz|lb|pcs|w|v|g|m|l)"
)

# Words that carry no wish of a shopper. They are indexed, and left out of a query that has others.
_STOP_TEXT = """
a an and are as at be by for from has have i in into is it its me my of on or that the their them these this to was we
were will with you your
的 了 和 与 及 或 在 是 我 我们 你 您 他 她 它 也 都 就 而 吗 呢 吧 啊 把 被 给 个 一个 这 那 这个 那个 请 想 要 想要 有
有没有 什么 哪些 哪个 怎么
"""
STOP_WORDS = frozenset(_STOP_TEXT.split())


def words_of(text: str) -> list[str]:
    """Normalised words in order, compounds both whole and in parts.

    "WH-1000XM4" gives "wh1000xm4", "wh", "1000xm4"; "iPhone15" gives "iphone15", "iphone", "15"; "16GB" gives "16gb",
    "16", "gb"; Chinese is segmented, long words with the words inside them.
    """
    words: list[str] = []
    for match in _RUN.finditer(normalize_text(text[:MAX_CHARACTERS])):
        words.extend(_words_of_run(match.group()))
    return words


def query_words(text: str) -> list[str]:
    """The words of a query, each once; stop words only when there is nothing else."""
    words = list(dict.fromkeys(words_of(text)))
    return [word for word in words if word not in STOP_WORDS] or words


# A shop's texts repeat their words.
@lru_cache(maxsize=50_000)
def _words_of_run(run: str) -> tuple[str, ...]:
    if _HAN_FIRST.match(run):
        return tuple(rjieba.cut_for_search(run))
    parts = [part for part in _JOINT.split(run) if part]
    words = ["".join(parts)] if len(parts) > 1 else []
    for part in parts:
        words.append(part)
        if match := _NAME_AND_NUMBER.fullmatch(part) or _NUMBER_AND_UNIT.fullmatch(part):
            words.extend(match.groups())
    return tuple(words)
