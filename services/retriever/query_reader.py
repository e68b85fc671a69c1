"""Reads a query: its terms, what is excluded, and how much of it the catalogue knows by these words."""

import re

from services.retriever.lexical_view import LexicalView
from services.retriever.reading import Reading, ReadTerm
from services.retriever.words import Term, indexed_text, query_terms

MAX_TERMS = 32
# A model number is in few products; a size or a standard ("1080p") is in more.
_MODEL_SHARE, _MODEL_PRODUCTS = 0.001, 20
_MODEL_CHARACTERS = 4
# "-leather" after a blank, and never the number of "-5".
_EXCLUDED = re.compile(r"(?:^|(?<=\s))-(?=[^\W\d])(\S+)")


def read_query(text: str, view: LexicalView) -> Reading:
    """The reading of a query in an index."""
    whole = indexed_text(text)
    kept, excluded = _without_excluded(whole)
    terms = tuple(ReadTerm(term) for term in query_terms(kept)[:MAX_TERMS])
    return Reading(kept, terms, excluded, named=_is_name(kept, terms, view))


def _without_excluded(text: str) -> tuple[str, tuple[Term, ...]]:
    """The text without its words behind a minus, and those; a query of nothing else is read as it stands."""
    kept = " ".join(_EXCLUDED.sub(" ", text).split())
    if kept == text or not query_terms(kept):
        return text, ()
    return kept, tuple(term for match in _EXCLUDED.finditer(text) for term in query_terms(match.group(1)))


def _is_name(text: str, terms: tuple[ReadTerm, ...], view: LexicalView) -> bool:
    return view.is_brand(text) or any(_is_model(term.term, view) for term in terms)


def _is_model(term: Term, view: LexicalView) -> bool:
    word = term.words[0]
    if term.is_quantity or len(word) < _MODEL_CHARACTERS or word.isdigit() or word.isalpha():
        return False
    return 0 < view.products_with(word) <= max(_MODEL_PRODUCTS, _MODEL_SHARE * view.products)
