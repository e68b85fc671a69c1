"""Highlights: where the words of a query, as it was read, are in a product's texts."""

from collections.abc import Iterator, Sequence, Set

from services.retriever.lexical_index import MAX_DESCRIPTION_CHARACTERS
from services.retriever.reading import Reading
from services.retriever.shown_text import ShownText
from services.retriever.stems import stem
from services.retriever.words import Term, query_terms
from vitrine.ports import Highlight, Span
from vitrine.product import Product

# A longer text is cut to what lies around the words.
MAX_CHARACTERS = 200


def wanted_words(reading: Reading) -> frozenset[str]:
    """The words that are looked for, folded as the index folds them: of the query, and what stands for them."""
    words = (word for read in reading.terms for group in (read.term.words, *read.instead) for word in group)
    return frozenset(map(stem, words))


def highlights_of(product: Product, wanted: Set[str]) -> tuple[Highlight, ...]:
    """Every text of the product that holds one of the words; costs about 0.2 ms, and more with a long description."""
    if not wanted:
        return ()
    found = []
    for field, text in _texts(product):
        if spans := _spans(text, wanted):
            found.append(_around(field, text, spans))
    return tuple(found)


def _texts(product: Product) -> Iterator[tuple[str, str]]:
    yield "title", product.title
    yield "brand", product.brand
    for path in product.categories:
        yield "categories", path
    # No further than the words are searched.
    yield "description", product.description[:MAX_DESCRIPTION_CHARACTERS]
    for name, values in product.attributes.items():
        for value in values:
            if isinstance(value, str):
                yield f"attributes.{name}", value


def _spans(text: str, wanted: Set[str]) -> list[Span]:
    shown = ShownText(text)
    return shown.at(part for term in query_terms(shown.folded) for part in _parts(term, wanted))


def _parts(term: Term, wanted: Set[str]) -> Iterator[tuple[int, int]]:
    """The places in the folded text of those of the term's words that are wanted."""
    held = [word for word in term.words if stem(word) in wanted]
    for word in held[:1] if held[:1] == [term.words[0]] else held:
        at = term.text.find(word)
        # "wh1000xm5" is not in "wh-1000xm5" as it is written: all of it is meant.
        yield (term.start + at, term.start + at + len(word)) if at >= 0 else (term.start, term.end)


def _around(field: str, text: str, spans: Sequence[Span]) -> Highlight:
    """The text, or the part of it that holds the most of the spans."""
    if len(text) <= MAX_CHARACTERS:
        return Highlight(field, text, tuple(spans))
    first = max(
        spans, key=lambda one: sum(one.start <= other.start < one.start + MAX_CHARACTERS * 3 // 4 for other in spans)
    )
    start = max(0, min(first.start - MAX_CHARACTERS // 4, len(text) - MAX_CHARACTERS))
    # Not amid a word, where a blank is near.
    if 0 < start < first.start and (blank := text.find(" ", start, first.start)) >= 0:
        start = blank + 1
    end = min(len(text), start + MAX_CHARACTERS)
    inside = (Span(one.start - start, one.end - start) for one in spans if start <= one.start and one.end <= end)
    return Highlight(field, text[start:end], tuple(inside))
