"""What reading a query asks of an index: which words its products hold."""

from collections.abc import Sequence
from typing import Protocol

from services.retriever.reading import ReadTerm
from services.retriever.vocabulary import Vocabulary


class TermIndex(Protocol):
    """An index of words as of one moment."""

    @property
    def products(self) -> int:
        """Products that it holds."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The words that titles, brands and categories are written in."""
        ...

    def products_with(self, word: str) -> int:
        """About how many products hold a word in any field."""
        ...

    def titles_with(self, word: str) -> int:
        """About how many products hold a word, as it is written, in title, brand or categories."""
        ...

    def beginning_with(self, prefix: str, limit: int) -> Sequence[str]:
        """Words of titles, brands and categories that begin so, those in most products first."""
        ...

    def is_brand(self, text: str) -> bool:
        """Whether a product is of the brand of this normalised name."""
        ...

    def holds_all(self, terms: Sequence[ReadTerm]) -> bool:
        """Whether one product holds every term."""
        ...
