"""Reads a query: its terms, what may stand for them where the catalogue knows better words, and what is excluded."""

import itertools
import re
from collections.abc import Sequence
from typing import Protocol

from services.retriever.query_repair import Repairs
from services.retriever.reading import Reading, ReadTerm, merged, rewritten
from services.retriever.term_index import TermIndex
from services.retriever.words import Term, indexed_text, is_han, query_terms
from vitrine.ports import WordReading
from vitrine.ports.reading import Why
from vitrine.text import normalize_text

MAX_TERMS = 32
# A model number is in few products; a size or a standard ("1080p") is in more.
_MODEL_SHARE, _MODEL_PRODUCTS = 0.001, 20
_MODEL_CHARACTERS = 4
# Of a number without letters: an EAN, and no size.
_NUMBER_CHARACTERS = 8
# Neighbours that may have been one word: "wh 1000 xm5".
_MOST_JOINED = 3
_JOINED_SHARE = 0.2
# "-leather" after a blank, and never the number of "-5".
_EXCLUDED = re.compile(r"(?:^|(?<=\s))-(?=[^\W\d])(\S+)")


class Synonyms(Protocol):
    """A merchant's synonyms, resolved: what may stand for a word or phrase."""

    @property
    def longest(self) -> int:
        """Words of the longest phrase that has synonyms."""
        ...

    def of(self, phrase: str) -> Sequence[str]:
        """What may stand for a normalised word or phrase."""
        ...


def read_query(text: str, index: TermIndex, synonyms: Synonyms | None = None) -> Reading:
    """The reading of a query in an index."""
    kept, excluded = _without_excluded(indexed_text(text))
    terms = query_terms(kept)[:MAX_TERMS]
    read, told = _with_synonyms(kept, terms, synonyms) if synonyms is not None else ([], [])
    if not read:
        read = [ReadTerm(term) for term in terms]
    instead = [(one.term.start, one.term.end, words) for one in read if (words := _stand_in(one, told, index))]
    read, joined = _joined(kept, read, index)
    repairs = Repairs(index, kept)
    read = repairs.repaired(read)
    asked, corrected = normalize_text(text), rewritten(kept, repairs.mended)
    for start, end, _ in repairs.mended:
        instead = [one for one in instead if one[1] <= start or end <= one[0]]
    models = [[word for word in _model_words(term) if _is_model(word, index)] for term in read]
    is_named = any(models)
    if not is_named:
        models = [[word for word in _amounts(term) if _is_rare(word, index)] for term in read]
    others = " ".join(term.term.text for term, words in zip(read, models, strict=True) if not words)
    alone = not others or index.is_brand(others)
    units = [WordReading(term.text, term.words[:1], "unit") for term in terms if _is_converted(term)]
    return Reading(
        asked=asked,
        text=rewritten(kept, [*repairs.mended, *instead]),
        terms=tuple(read),
        excluded=excluded,
        words=(*told, *joined, *repairs.told, *units),
        corrected=corrected if corrected != kept else "",
        named=is_named or (alone and any(models)) or any(map(index.is_brand, {asked, kept})),
        models=tuple(_whole(word) for words in models for word in words) if alone else (),
    )


def excluded_terms(text: str) -> tuple[Term, ...]:
    """What the reading of a query excludes, in whatever index."""
    return _without_excluded(indexed_text(text))[1]


def _without_excluded(text: str) -> tuple[str, tuple[Term, ...]]:
    """The text without its words behind a minus, and those; a query of nothing else is read as it stands."""
    kept = " ".join(_EXCLUDED.sub(" ", text).split())
    if kept == text or not query_terms(kept):
        return text, ()
    # Of a word that is made of several ("手机壳"), what holds all of them.
    words = (match.group(1) for match in _EXCLUDED.finditer(text))
    return kept, tuple(merged(word, query_terms(word)) for word in words)


def _with_synonyms(text: str, terms: Sequence[Term], synonyms: Synonyms) -> tuple[list[ReadTerm], list[WordReading]]:
    """The terms, runs of them that have synonyms as one; the longest run first."""
    read: list[ReadTerm] = []
    told: list[WordReading] = []
    at = 0
    while at < len(terms):
        for count in range(min(synonyms.longest, len(terms) - at), 0, -1):
            run = terms[at : at + count]
            phrase = text[run[0].start : run[-1].end]
            if others := synonyms.of(phrase):
                instead = tuple(tuple(term.words[0] for term in query_terms(indexed_text(other))) for other in others)
                read.append(ReadTerm(merged(text, run), tuple(words for words in instead if words)))
                told.append(WordReading(phrase, tuple(others), "synonym"))
                at += count
                break
        else:
            read.append(ReadTerm(terms[at]))
            at += 1
    return read, told


def _stand_in(one: ReadTerm, told: Sequence[WordReading], index: TermIndex) -> str:
    """What models read for a word that has synonyms and that no product holds: the first of them that one does; or "".

    They may know the word as something else, or not at all.
    """
    others = next((read.read_as for read in told if read.word == one.term.text), ()) if one.instead else ()
    if not others or index.holds_all([ReadTerm(one.term)]):
        return ""
    return next((words for words in others if index.holds_all([*map(ReadTerm, query_terms(words))])), "")


def _joined(text: str, terms: Sequence[ReadTerm], index: TermIndex) -> tuple[list[ReadTerm], list[WordReading]]:
    """Neighbours that the catalogue also knows as one word: "wh1000 xm5", "head phones"."""
    read: list[ReadTerm] = []
    told: list[WordReading] = []
    at = 0
    while at < len(terms):
        for count in range(min(_MOST_JOINED, len(terms) - at), 1, -1):
            run = [one.term for one in terms[at : at + count]]
            if any(one.instead for one in terms[at : at + count]) or not _may_be_one(text, run):
                continue
            word = "".join(term.words[0] for term in run)
            if _is_a_word(word, run, index):
                read.append(ReadTerm(merged(text, run), ((word,),)))
                why: Why = "spelling" if word.isalpha() else "model_number"
                told.append(WordReading(text[run[0].start : run[-1].end], (word,), why))
                at += count
                break
        else:
            read.append(terms[at])
            at += 1
    return read, told


def _is_a_word(word: str, run: Sequence[Term], index: TermIndex) -> bool:
    """Whether products hold it: a model number any, another not so few that it is a slip of theirs."""
    held = index.products_with(word)
    if not word.isalpha():
        return held > 0
    return held > _JOINED_SHARE * min(index.products_with(term.words[0]) for term in run)


def _may_be_one(text: str, run: Sequence[Term]) -> bool:
    if any(is_han(term.text) or term.is_quantity for term in run):
        return False
    return all(one.end + 1 >= other.start for one, other in itertools.pairwise(run))


def _is_converted(term: Term) -> bool:
    return term.is_quantity and term.words[0] != term.text


def _model_words(term: ReadTerm) -> Sequence[str]:
    """The words of a term that may be a model number: of neighbours that are one word, that one."""
    if term.term.is_quantity:
        return ()
    return [words[0] for words in term.instead] or term.term.words[:1]


def _amounts(term: ReadTerm) -> Sequence[str]:
    """The word of a term that is a number with its unit."""
    return term.term.words[:1] if term.term.is_quantity else ()


def _whole(word: str) -> Term:
    return Term(word, (word,), ((word,),), 0, len(word))


def _is_model(word: str, index: TermIndex) -> bool:
    least = _NUMBER_CHARACTERS if word.isdigit() else _MODEL_CHARACTERS
    if len(word) < least or word.isalpha():
        return False
    return _is_rare(word, index)


def _is_rare(word: str, index: TermIndex) -> bool:
    return 0 < index.products_with(word) <= max(_MODEL_PRODUCTS, _MODEL_SHARE * index.products)
