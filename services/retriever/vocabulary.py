"""The words that titles, brands and categories are written in, found by how they are spelt and how they sound."""

import threading
from array import array
from collections.abc import Iterable, Sequence

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from services.retriever.pinyin import pinyin_of

# Longer ones are no words but what ran together.
_MAX_LETTERS, _MAX_HAN = 24, 6
# Of words that sound alike, those that most products hold.
_HOMOPHONES = 3
_A = ord("a")


class Vocabulary:
    """Grows with the catalogue and forgets nothing: whether a word is still there the index knows. Added to by one
    thread, read by any."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()
        # Words of Latin letters alone, the letters that are in each as bits, and its length.
        self._words: list[str] = []
        self._letters, self._lengths = array("I"), array("B")
        self._by_pinyin: dict[str, list[str]] = {}
        # Han words by length and first character, and by length and last.
        self._by_end: dict[tuple[int, str, str], list[str]] = {}

    def add(self, words: Iterable[str], count: int = 1) -> None:
        """Adds the words of a product."""
        for word in words:
            held = self._counts.get(word, 0)
            self._counts[word] = held + count
            if not held:
                self._add_new(word)

    def counts(self) -> dict[str, int]:
        """Every word, and in how many products it was added."""
        return dict(self._counts)

    @property
    def size(self) -> int:
        """Different words."""
        return len(self._counts)

    def count(self, word: str) -> int:
        """In how many products it was added."""
        return self._counts.get(word, 0)

    def spelt_like(self, word: str) -> str | None:
        """The nearest other word of Latin letters: one mistake away, two where it is long; None: there is none.

        A mistake is a letter too many, missing, wrong, or two exchanged (optimal string alignment). Of words as near,
        one with the same first letter, then the one in most products.
        """
        mistakes = 0 if len(word) < 4 else 1 if len(word) < 8 else 2
        if not mistakes or not is_latin(word):
            return None
        with self._lock:
            letters, lengths = np.array(self._letters, np.uint32), np.array(self._lengths, np.int16)
        # A mistake changes at most two of the letters that are there.
        near = np.bitwise_count(letters ^ np.uint32(_letters_of(word))) <= 2 * mistakes
        near &= np.abs(lengths - len(word)) <= mistakes
        candidates = [self._words[index] for index in np.flatnonzero(near).tolist()]
        found = process.extract(word, candidates, scorer=OSA.distance, score_cutoff=mistakes, limit=None)
        others = [
            (distance, other[0] != word[0], -self.count(other), other) for other, distance, _ in found if distance
        ]
        return min(others)[3] if others else None

    def sounding(self, pinyin: str) -> Sequence[str]:
        """Han words of this pinyin without tones, those in most products first."""
        words = self._by_pinyin.get(pinyin, ())
        return sorted(words, key=lambda word: (-self.count(word), word))[:_HOMOPHONES]

    def sounding_in_a_row(self, pinyin: str, parts: int = 4) -> tuple[Sequence[str], ...] | None:
        """The same for the pinyin of several words written as one, at least two syllables each: longest word first."""
        if words := self.sounding(pinyin):
            return (words,)
        for end in range(len(pinyin) - 2, 3, -1) if parts > 1 else ():
            words = [word for word in self.sounding(pinyin[:end]) if len(word) > 1]
            if words and (rest := self.sounding_in_a_row(pinyin[end:], parts - 1)):
                return (words, *rest)
        return None

    def sounding_nearly(self, word: str) -> str | None:
        """The Han word of three characters or more that differs in one of them, and by one letter in its pinyin; of
        several that in most products."""
        if len(word) < 3:
            return None
        # What differs in one character has the same first one, or the same last.
        alike = (*self._by_end.get((len(word), word[0], ""), ()), *self._by_end.get((len(word), "", word[-1]), ()))
        pinyin = pinyin_of(word)
        others = [
            other
            for other in alike
            if sum(map(str.__ne__, word, other)) == 1 and OSA.distance(pinyin, pinyin_of(other), score_cutoff=1) <= 1
        ]
        return min(others, key=lambda other: (-self.count(other), other), default=None)

    def _add_new(self, word: str) -> None:
        if is_latin(word):
            if len(word) <= _MAX_LETTERS:
                with self._lock:
                    self._words.append(word)
                    self._letters.append(_letters_of(word))
                    self._lengths.append(len(word))
        elif len(word) <= _MAX_HAN and (pinyin := pinyin_of(word)):
            self._by_pinyin.setdefault(pinyin, []).append(word)
            if len(word) > 2:
                self._by_end.setdefault((len(word), word[0], ""), []).append(word)
                self._by_end.setdefault((len(word), "", word[-1]), []).append(word)


def is_latin(word: str) -> bool:
    """Whether it is letters from a to z alone."""
    return word.isascii() and word.isalpha()


def _letters_of(word: str) -> int:
    letters = 0
    for letter in word:
        letters |= 1 << ord(letter) - _A
    return letters
