"""The words of a text as lexical search sees them, in Chinese and English; model numbers are kept whole."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import rjieba

from services.retriever.quantities import quantities, quantity_words
from services.retriever.simplified import simplified
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
# Where a number ends and the next name with a number begins: wh1000|xm5.
_NUMBER_ENDS = re.compile(r"(?<=\d)(?=[a-z]+\d)")

# Words that carry no wish of a shopper. They are indexed, and left out of a query that has others.
_STOP_TEXT = """
a an and are as at be by for from has have i in into is it its me my of on or that the their them these this to was we
were will with you your
的 了 和 与 及 或 在 是 我 我们 你 您 他 她 它 也 都 就 而 吗 呢 吧 啊 把 被 给 个 一个 这 那 这个 那个 请 想 要 想要 有
有没有 什么 哪些 哪个 怎么
"""
STOP_WORDS = frozenset(_STOP_TEXT.split())

# Characters of a text that is worth keeping the words of.
_SHORT = 80
# Plurals that no stemmer folds.
_PLURALS = {
    "buses": "bus", "calves": "calf", "children": "child", "feet": "foot", "gases": "gas", "geese": "goose",
    "halves": "half", "knives": "knife", "leaves": "leaf", "lenses": "lens", "loaves": "loaf", "men": "man",
    "mice": "mouse", "oxen": "ox", "scarves": "scarf", "shelves": "shelf", "teeth": "tooth", "wolves": "wolf",
    "women": "woman",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Term:
    """One word as it is written, and the words by which the index knows it: the whole first, then what it is made of.

    `start` and `end` are its place in the normalised text. A text holds the term where it holds the whole or all parts
    of one of `holdings`.
    """

    text: str
    words: tuple[str, ...]
    holdings: tuple[tuple[str, ...], ...]
    start: int
    end: int
    is_quantity: bool = False


def words_of(text: str) -> list[str]:
    """Normalised words in order, compounds both whole and in parts.

    "WH-1000XM4" gives "wh1000xm4", "wh", "1000xm4"; "iPhone15" gives "iphone15", "iphone", "15"; Chinese is simplified
    and segmented, long words with the words inside them.
    """
    return [word for run in _RUN.findall(indexed_text(text)) for word in _run_words(run)[0]]


def words_of_number(number: str) -> list[str]:
    """`words_of` of a number that one product has: not worth keeping, it would only drive out words that are."""
    runs = _RUN.findall(indexed_text.__wrapped__(number))
    return [word for run in runs for term in _run_terms.__wrapped__(run) for word in term.words]


def words_and_codes_of(text: str, *, repeated: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`words_of` and `codes_of` of one text, read once; `repeated`: of one that many products share."""
    return _words_and_codes(text) if repeated and len(text) <= _SHORT else _words_and_codes.__wrapped__(text)


@lru_cache(maxsize=16_384)
def _words_and_codes(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    read = indexed_text.__wrapped__(text)
    words: list[str] = []
    codes: list[str] = []
    for run_words, run_codes in map(_run_words, _RUN.findall(read)):
        words += run_words
        codes += run_codes
    return tuple(words), (*codes, *quantity_words(read))


def codes_of(text: str) -> list[str]:
    """What a text says in numbers, in the one way that a query's terms say it: parts of model numbers, amounts.

    "WH-1000XM4" gives "wh1000", "xm4"; "1.5 L" gives "1500ml". Apart from the words, for these are many in some texts
    and would make every other word of theirs count less.
    """
    return list(words_and_codes_of(text, repeated=False)[1])


def is_han(word: str) -> bool:
    """Whether a word of `words_of` is Chinese."""
    return bool(_HAN_FIRST.match(word))


# A query's text is read several times.
@lru_cache(maxsize=64)
def indexed_text(text: str) -> str:
    """The text as its words are taken from it: normalised, simplified, and cut."""
    return simplified(normalize_text(text[:MAX_CHARACTERS]))


def query_terms(text: str) -> list[Term]:
    """The terms of an `indexed_text` in order; stop words only when there is nothing else."""
    terms: list[Term] = []
    end = 0
    for quantity in quantities(text):
        terms.extend(_terms(text, end, quantity.start))
        terms.append(_quantity_term(text, quantity.start, quantity.end, quantity.word, quantity.number))
        end = quantity.end
    terms.extend(_terms(text, end, len(text)))
    return [term for term in terms if term.text not in STOP_WORDS] or terms


def query_words(text: str) -> list[str]:
    """The words of a query, each once; stop words only when there is nothing else."""
    return list(dict.fromkeys(word for term in query_terms(indexed_text(text)) for word in term.words))


def _terms(text: str, start: int, end: int) -> Iterable[Term]:
    for run in _RUN.finditer(text, start, end):
        at = run.start()
        for one in _run_terms(run.group()):
            yield Term(text[at : at + one.length], one.words + one.codes, one.holdings, at, at + one.length)
            at += one.length


def _quantity_term(text: str, start: int, end: int, word: str, number: str) -> Term:
    surface = tuple(word for term in _terms(text, start, end) for word in term.words)
    # A unit alone says nothing; a number alone a little: "Size (inch): 17".
    words = dict.fromkeys((word, *(one for one in surface if any(map(str.isdigit, one))), number))
    return Term(text[start:end], tuple(words), ((word,), surface), start, end, is_quantity=True)


class _RunTerm(NamedTuple):
    words: tuple[str, ...]
    codes: tuple[str, ...]
    holdings: tuple[tuple[str, ...], ...]
    length: int


# Of queries and shown texts. Many queries hold a run that never comes again, and each costs almost a kilobyte.
@lru_cache(maxsize=4_096)
def _run_terms(run: str) -> tuple[_RunTerm, ...]:
    if is_han(run):
        return tuple(_han_terms(run))
    written = [run] if run.isalnum() else [part for part in _JOINT.split(run) if part]
    whole = "".join(written) if len(written) > 1 else _PLURALS.get(run, run)
    parts = [_PLURALS.get(part, part) for part in written]
    words: list[str] = [whole] if len(parts) > 1 else []
    for part in parts:
        words.append(part)
        if not part.isalpha() and (match := _NAME_AND_NUMBER.fullmatch(part) or _NUMBER_AND_UNIT.fullmatch(part)):
            words.extend(match.groups())
    holdings: list[tuple[str, ...]] = [(whole,)]
    if len(words) > 1:
        holdings.append(tuple(words[1:]))
    groups = [whole] if whole.isalpha() else _NUMBER_ENDS.split(whole)
    codes = tuple(group for group in groups if group not in words)
    if codes:
        holdings.append(tuple(groups))
    return (_RunTerm(tuple(words), codes, tuple(holdings), len(run)),)


# A shop's texts repeat their words.
@lru_cache(maxsize=50_000)
def _run_words(run: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words and the codes of a run's terms."""
    terms = _run_terms.__wrapped__(run)
    return tuple(word for term in terms for word in term.words), tuple(code for term in terms for code in term.codes)


def _han_terms(run: str) -> Iterable[_RunTerm]:
    # The segmenter gives the words inside a word before it.
    inside = iter(rjieba.cut_for_search(run))
    for whole in rjieba.cut(run):
        words = [whole]
        for word in inside:
            if word == whole:
                break
            words.append(word)
        yield _RunTerm(tuple(words), (), ((whole,),), len(whole))
