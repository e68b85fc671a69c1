"""How what was typed can be read, the likeliest first: as it stands, as beginnings, as pinyin, or mended."""

import string
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from services.retriever.pinyin import pinyin_of
from services.retriever.suggest.matches import Term
from services.retriever.suggest.segment import WORD_BYTES, Segment
from services.retriever.suggest.table import bounds
from services.retriever.suggest.typed import Typed, Word

_LETTERS = string.ascii_lowercase + string.digits
# A shorter word has neighbours everywhere.
_LEAST_MENDED = 4
_LEAST_SOUND = 3
# Of a word before the last, in bytes: a shorter one begins everything.
_LEAST_BEGUN = 3
_MOST_WORDS = 30
_MOST_MENDED = 3


@dataclass(frozen=True, slots=True)
class Reading:
    """A term for each word; `before` is the text before the last one, as completions begin, and `fit` what a reading
    of this kind is worth, in (0, 1]."""

    terms: tuple[Term, ...]
    before: str
    fit: float
    is_typed: bool = True
    mended: bool = False


def readings_of(segments: Sequence[Segment], typed: Typed) -> Iterator[Reading]:
    """The readings, each made when it is asked for: most texts need one."""
    words = [word.text.encode("utf-8", "replace") for word in typed.words]
    last = Term((words[-1],), beginning=typed.is_open)
    whole = [Term((word,)) for word in words[:-1]]
    yield Reading((*whole, last), typed.before_last, fit=1.0)
    begun = (*(Term((word,), beginning=len(word) >= _LEAST_BEGUN) for word in words[:-1]), Term((words[-1],), True))
    if begun != (*whole, last):
        yield Reading(begun, typed.before_last, fit=0.8)
    if len(words) > 1 and not any(word.is_han for word in typed.words):
        joined = Term((typed.joined.encode("utf-8", "replace"),), beginning=True)
        yield Reading((joined,), "", fit=0.8)
    if spoken := _spoken(segments, typed):
        yield spoken
    if mended := _mended(segments, typed):
        yield mended


def _spoken(segments: Sequence[Segment], typed: Typed) -> Reading | None:
    """The text read as pinyin: "lanya erji" and "lanyaerj" are 蓝牙耳机. None where it is not all of it sounds."""
    if not all(word.text.isascii() and word.text.isalpha() for word in typed.words):
        return None
    if len(typed.joined) < _LEAST_SOUND:
        return None
    terms: list[Term] = []
    for word in typed.words:
        is_last = word is typed.words[-1]
        found = _sounds(segments, word.text, open_end=is_last and typed.is_open)
        if not found:
            return None
        terms += found
    before = "".join(term.words[0].decode("utf-8", "ignore") for term in terms[:-1])
    return Reading(tuple(terms), before, fit=0.7, is_typed=False)


def _sounds(segments: Sequence[Segment], text: str, *, open_end: bool) -> list[Term]:
    """Terms of words whose pinyin, one after the other, makes the text; none where there are no such words."""
    for end in range(len(text), 0, -1):
        rest = text[end:]
        words = _sounding(segments, text[:end], beginning=not rest and open_end)
        if words and not rest:
            return [Term(words)]
        if words and (others := _sounds(segments, rest, open_end=open_end)):
            return [Term(words), *others]
    return []


def _sounding(segments: Sequence[Segment], sound: str, *, beginning: bool) -> tuple[bytes, ...]:
    """The words of most products that sound so, or begin to."""
    counts: Counter[bytes] = Counter()
    for segment in segments:
        start, end = (segment.sounds.beginning if beginning else segment.sounds.exactly)(sound.encode())
        if end > start:
            places = segment.sounds.filed(start, end)
            offsets = segment.words.offsets
            for place, count in zip(places, offsets[places + 1] - offsets[places], strict=True):
                counts[bytes(segment.words.keys[place])] += int(count)
    return tuple(word for word, _ in counts.most_common(_MOST_WORDS))


def _mended(segments: Sequence[Segment], typed: Typed) -> Reading | None:
    """The text with each word that nothing has mended. None where there is none, or one that cannot be."""
    terms: list[Term] = []
    changed = False
    for word in typed.words:
        beginning = word is typed.words[-1] and typed.is_open
        encoded = word.text.encode("utf-8", "replace")
        if _known(segments, encoded, beginning=beginning):
            terms.append(Term((encoded,), beginning))
            continue
        changed = True
        found = (
            _sounds(segments, pinyin_of(word.text), open_end=beginning)
            if word.is_han
            else _respelled(segments, word, beginning)
        )
        if not found:
            return None
        terms += found
    if not changed:
        return None
    blank = "" if any(word.is_han for word in typed.words) else " "
    before = blank.join([*(term.words[0].decode("utf-8", "ignore") for term in terms[:-1]), ""])
    return Reading(tuple(terms), before, fit=0.5, is_typed=False, mended=True)


def _known(segments: Sequence[Segment], word: bytes, *, beginning: bool) -> bool:
    for segment in segments:
        start, end = (segment.words.beginning if beginning else segment.words.exactly)(word)
        if end > start:
            return True
    return False


def _respelled(segments: Sequence[Segment], word: Word, beginning: bool) -> list[Term]:
    """The words of most products that are one letter away: added, left out, another, or two exchanged
    (Damerau 1964)."""
    text = word.text
    if len(text) < _LEAST_MENDED or not text.isascii() or len(text) + 2 > WORD_BYTES:
        return []
    variants = _one_away(text)
    counts = _counts(segments, variants, beginning=False)
    if beginning:
        # Without its last letter a beginning only says less.
        counts = np.maximum(
            counts, np.where(np.array(variants) == text[:-1].encode(), 0, _counts(segments, variants, beginning=True))
        )
    best = np.argsort(-counts, kind="stable")[:_MOST_MENDED]
    found = tuple(variants[place] for place in best.tolist() if counts[place])
    return [Term(found, beginning)] if found else []


def _counts(
    segments: Sequence[Segment], words: Sequence[bytes], *, beginning: bool
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """For each word how often products have it, or one that begins with it."""
    counts = np.zeros(len(words), np.int64)
    # Made once: as costly as it is to look them up.
    lows, highs = bounds(words, WORD_BYTES, beginning=beginning)
    for segment in segments:
        starts, ends = segment.words.between(lows, highs)
        counts += segment.words.offsets[ends] - segment.words.offsets[starts]
    return counts


def _one_away(text: str) -> list[bytes]:
    halves = [(text[:at], text[at:]) for at in range(len(text) + 1)]
    away = {head + tail[1:] for head, tail in halves if tail}
    away |= {head + tail[1] + tail[0] + tail[2:] for head, tail in halves if len(tail) > 1}
    away |= {head + letter + tail[1:] for head, tail in halves if tail for letter in _LETTERS}
    away |= {head + letter + tail for head, tail in halves for letter in _LETTERS}
    return sorted(one.encode() for one in away - {text})
