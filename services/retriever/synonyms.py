"""A merchant's synonyms: what may stand for a word or phrase of a query."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.retriever.stems import stem
from services.retriever.words import indexed_text, query_terms


@dataclass(frozen=True, slots=True, eq=False)
class Synonyms:
    """Synonyms by phrase, whatever the endings of its words; `longest` is the most words of a phrase.

    Each reading of the rules is another object, so the object itself tells one from another.
    """

    by_phrase: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def longest(self) -> int:
        """Words of the longest phrase that has synonyms."""
        return max((phrase.count(" ") + 1 for phrase in self.by_phrase), default=0)

    def of(self, phrase: str) -> tuple[str, ...]:
        """What may stand for a word or phrase; nothing for one that has no synonyms."""
        return self.by_phrase.get(" ".join(words_of_phrase(phrase)), ()) if self.by_phrase else ()


def words_of_phrase(phrase: str) -> tuple[str, ...]:
    """The words of a phrase as they are compared."""
    return tuple(stem(term.words[0]) for term in query_terms(indexed_text(phrase)))


def synonyms_of(groups: Iterable[Iterable[str]], one_way: Iterable[tuple[str, Iterable[str]]]) -> Synonyms:
    """Of each group every phrase stands for every other; of a pair the second ones stand for the first alone."""
    found: dict[str, dict[str, None]] = {}
    for group in groups:
        phrases = list(group)
        for phrase in phrases:
            others = (other for other in phrases if words_of_phrase(other) != words_of_phrase(phrase))
            found.setdefault(" ".join(words_of_phrase(phrase)), {}).update(dict.fromkeys(map(indexed_text, others)))
    for phrase, found_too in one_way:
        found.setdefault(" ".join(words_of_phrase(phrase)), {}).update(dict.fromkeys(map(indexed_text, found_too)))
    return Synonyms({phrase: tuple(others) for phrase, others in found.items()})


NO_SYNONYMS = Synonyms()
