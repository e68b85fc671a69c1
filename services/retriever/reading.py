"""A query as it was read: its terms, what may stand for them, and what no product found may hold."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.retriever.words import Term
from vitrine.ports import QueryReading, WordReading


@dataclass(frozen=True, slots=True)
class ReadTerm:
    """A term, or several that are read as one, and the groups of words any of which may stand for it."""

    term: Term
    instead: tuple[tuple[str, ...], ...] = ()

    @property
    def holdings(self) -> tuple[tuple[str, ...], ...]:
        """A product holds the term where it holds all words of one of these."""
        return (*self.term.holdings, *self.instead)


def merged(text: str, run: Sequence[Term]) -> Term:
    """Neighbours as one term, which a product holds where it holds each of them."""
    if len(run) == 1:
        return run[0]
    start, end = run[0].start, run[-1].end
    words = tuple(dict.fromkeys(word for term in run for word in term.words))
    return Term(text[start:end], words, (tuple(term.words[0] for term in run),), start, end)


def rewritten(text: str, changes: Sequence[tuple[int, int, str]]) -> str:
    """The text with other words between the (start, end) of each change, none of which overlap."""
    for start, end, words in sorted(changes, reverse=True):
        text = text[:start] + words + text[end:]
    return text


@dataclass(frozen=True, slots=True)
class Reading:
    """The terms of a query in order, and the terms that no product found may hold.

    `asked` is the normalised query, and `text` what is left of it for a model to read: in simplified characters,
    without what is excluded, its spelling mended, a word that no product holds as a synonym. `corrected` has its
    spelling alone mended, "" where it was right. `named`: it asks for a thing by its name, a
    brand or a model number, and not by what it is like. `models`: the model or article numbers, or amounts, that it
    asks for by nothing else but a brand; what holds one comes first.
    """

    asked: str = ""
    text: str = ""
    terms: tuple[ReadTerm, ...] = ()
    excluded: tuple[Term, ...] = ()
    words: tuple[WordReading, ...] = ()
    corrected: str = ""
    named: bool = False
    models: tuple[Term, ...] = ()

    def told(self, dense_weight: float | None) -> QueryReading:
        """What is told of it."""
        return QueryReading(
            corrected_query=self.corrected,
            excluded_words=tuple(term.text for term in self.excluded),
            words=self.words,
            dense_weight=dense_weight,
            model_text="" if self.text == self.asked else self.text,
        )
