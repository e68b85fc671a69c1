"""Repairs of a query: other words for those that no product holds, by pinyin, beginning, spelling and sound."""

from collections.abc import Sequence

from services.retriever.pinyin import pinyin_of
from services.retriever.reading import ReadTerm, merged
from services.retriever.term_index import TermIndex
from services.retriever.vocabulary import is_latin
from services.retriever.words import Term, is_han
from vitrine.ports import WordReading
from vitrine.ports.reading import Why

# Of more than these the text is in words that this shop does not have.
_MOST_UNKNOWN = 8
_LEAST_PREFIX = 3
_PREFIX_WORDS = 8
# Han characters of the longest run that is tried by its sound.
_MOST_HAN = 6
# Latin words that may be the pinyin of one word: "lan ya", "er ji".
_MOST_SYLLABLES = 4


class Repairs:
    """Repairs one query; tells what it did in `told`. A word that products hold stays.

    `mended` is what was misspelt, or written in pinyin, as it should be: (start, end, words). What is offered is what
    the vocabulary knows and the index still holds.
    """

    def __init__(self, index: TermIndex, text: str) -> None:
        self._index = index
        self._text = text
        self._known: list[ReadTerm] = []
        self.mended: list[tuple[int, int, str]] = []
        self.told: list[WordReading] = []

    def repaired(self, terms: Sequence[ReadTerm]) -> list[ReadTerm]:
        """The terms with what may stand for them."""
        unknown = [not one.instead and not self._is_known(one.term) for one in terms]
        self._known = [one for one, is_unknown in zip(terms, unknown, strict=True) if not is_unknown]
        if sum(unknown) > _MOST_UNKNOWN:
            return list(terms)
        read: list[ReadTerm] = []
        at = 0
        while at < len(terms):
            count, repaired = self._of_run(terms, unknown, at)
            read.append(repaired)
            at += count
        return read

    def _is_known(self, term: Term) -> bool:
        return any(all(self._index.products_with(word) for word in words) for words in term.holdings)

    def _of_run(self, terms: Sequence[ReadTerm], unknown: Sequence[bool], at: int) -> tuple[int, ReadTerm]:
        """How many terms from here are read as one, and that one."""
        first = terms[at].term
        if is_han(first.text):
            for count in range(len(terms) - at, 0, -1):
                run = [one.term for one in terms[at : at + count]]
                if found := self._by_sound(run, any(unknown[at : at + count])):
                    return count, self._stands(run, [found], "spelling", mends=True)
        elif is_latin(first.text) and any(unknown[at : at + _MOST_SYLLABLES]):
            for count in range(min(_MOST_SYLLABLES, len(terms) - at), 1, -1):
                run = [one.term for one in terms[at : at + count]]
                if any(unknown[at : at + count]) and (words := self._by_syllables(run)):
                    return count, self._stands(run, words, "pinyin", mends=True)
        return 1, self._of_word(first) if unknown[at] else terms[at]

    def _of_word(self, term: Term) -> ReadTerm:
        word = term.words[0]
        if is_han(word):
            return ReadTerm(term)
        if is_latin(word):
            if found := self._by_pinyin(word):
                return self._stands_for_row(term, found)
            if parts := self._parts(word):
                self._tell([term], [" ".join(parts)], "spelling", mends=True)
                return ReadTerm(term, (parts,))
        if len(word) >= _LEAST_PREFIX and (longer := self._index.beginning_with(word, _PREFIX_WORDS)):
            return self._stands([term], longer, "prefix", mends=False)
        other = self._index.vocabulary.spelt_like(word)
        return self._stands([term], [other], "spelling", mends=True) if self._held(other) else ReadTerm(term)

    def _by_sound(self, run: Sequence[Term], unknown: bool) -> str | None:
        """A word of the same sound, or nearly, for Han terms side by side that no one product holds all of.

        Tried where one of them is unknown, or all are single characters: so a word falls apart that is written wrong.
        """
        text = "".join(term.text for term in run)
        if not 2 <= len(text) <= _MOST_HAN or not (unknown or len(text) == len(run)):
            return None
        if run[-1].end - run[0].start != len(text) or not all(is_han(term.text) for term in run):
            return None
        vocabulary = self._index.vocabulary
        others = [word for word in vocabulary.sounding(pinyin_of(text)) if len(word) == len(text)]
        if unknown and not others and (near := vocabulary.sounding_nearly(text)):
            others = [near]
        other = next((word for word in others if self._held(word)), None)
        if other is None or text in others or self._index.holds_all([ReadTerm(term) for term in run]):
            return None
        return other if self._fits(other, run) else None

    def _by_syllables(self, run: Sequence[Term]) -> list[str]:
        if not all(is_latin(term.text) for term in run):
            return []
        pinyin = "".join(term.text for term in run)
        return [word for word in self._index.vocabulary.sounding(pinyin) if len(word) == len(run) and self._held(word)]

    def _by_pinyin(self, word: str) -> list[list[str]]:
        row = self._index.vocabulary.sounding_in_a_row(word) or ()
        held = [[one for one in words if self._held(one)] for words in row]
        if (
            len(held) == 1
            and all(len(one) == 1 for one in held[0])
            and not any(one.why == "pinyin" for one in self.told)
        ):
            # One syllable may be any word; after others it goes on in pinyin ("shouji ke").
            return []
        return held if held and all(held) else []

    def _parts(self, word: str) -> tuple[str, ...]:
        """Two words that ran together, both of them known, one product holding both."""
        best: tuple[int, tuple[str, ...]] = (0, ())
        for end in range(3, len(word) - 2):
            parts = (word[:end], word[end:])
            held = min(map(self._index.titles_with, parts))
            if held > best[0]:
                best = (held, parts)
        if not best[1]:
            return ()
        both = Term(word, best[1], (best[1],), 0, len(word))
        return best[1] if self._index.holds_all([ReadTerm(both)]) else ()

    def _fits(self, word: str, run: Sequence[Term]) -> bool:
        """Whether a product holds the word instead of these terms together with all others that are known: so many
        Han words sound alike that one would be found for anything."""
        others = [one for one in self._known if one.term not in run]
        return self._index.holds_all([*others, ReadTerm(Term(word, (word,), ((word,),), 0, len(word)))])

    def _held(self, word: str | None) -> bool:
        return word is not None and self._index.titles_with(word) > 0

    def _stands_for_row(self, term: Term, row: Sequence[Sequence[str]]) -> ReadTerm:
        """Pinyin of several words at once; each of their homophones may be meant, together with the first of others."""
        first = tuple(words[0] for words in row)
        instead = dict.fromkeys(
            (*first[:place], word, *first[place + 1 :]) for place, words in enumerate(row) for word in words
        )
        self._tell([term], ["".join(words) for words in instead], "pinyin", mends=True)
        return ReadTerm(term, tuple(instead))

    def _stands(self, run: Sequence[Term], words: Sequence[str | None], why: Why, *, mends: bool) -> ReadTerm:
        others = [word for word in words if word is not None]
        self._tell(run, others, why, mends)
        return ReadTerm(merged(self._text, run), tuple((word,) for word in others))

    def _tell(self, run: Sequence[Term], words: Sequence[str], why: Why, mends: bool) -> None:
        start, end = run[0].start, run[-1].end
        self.told.append(WordReading(self._text[start:end], tuple(words), why))
        if mends:
            self.mended.append((start, end, words[0]))
