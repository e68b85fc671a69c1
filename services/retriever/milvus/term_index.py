"""What reading a query asks of Milvus: which words products hold; counts are kept for a while."""

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from services.retriever.conditions import OneOf, normal
from services.retriever.milvus.expression import expression_of, held_by
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.reading import ReadTerm
from services.retriever.recent import Recent
from services.retriever.vocabulary import Vocabulary
from vitrine.deadline import Deadline

# What a count is for, the share of products that hold a word, changes slowly.
_KEPT_S = 60.0
# Milvus tells no words by their beginning, spelling or sound: none of them is known.
_NO_WORDS = Vocabulary()

Counts: TypeAlias = Recent[tuple[str, str, int], int]


class MilvusTermIndex:
    """Implements `services.retriever.term_index.TermIndex` for one query; `kept` is shared by all."""

    def __init__(self, snapshot: MilvusSnapshot, kept: Counts, deadline: Deadline) -> None:
        self._snapshot = snapshot
        self._kept = kept
        self._deadline = deadline

    @property
    def products(self) -> int:
        """Products that there are."""
        return self._snapshot.living

    @property
    def vocabulary(self) -> Vocabulary:
        """No words, so nothing is mended."""
        return _NO_WORDS

    def products_with(self, word: str) -> int:
        """How many products held a word in any field a moment ago."""
        return self._count("word", word, lambda: held_by([(word,)]))

    def titles_with(self, word: str) -> int:
        """As `products_with`: Milvus keeps the words of all fields as one text."""
        return self.products_with(word)

    def beginning_with(self, prefix: str, limit: int) -> Sequence[str]:
        """None."""
        return ()

    def is_brand(self, text: str) -> bool:
        """Whether a product is of the brand of this normalised name."""
        brand = OneOf("brand", frozenset({normal("brand", text)}))
        return self._count("brand", text, lambda: expression_of(brand)) > 0

    def holds_all(self, terms: Sequence[ReadTerm]) -> bool:
        """Whether one product holds every term."""
        collection = self._snapshot.collection
        if collection is None or not terms:
            return False
        held = " and ".join(held_by(term.holdings) for term in terms)
        return bool(collection.read(f"{self._snapshot.shown} and {held}", ["row"], 1, self._deadline))

    def _count(self, what: str, word: str, expression: Callable[[], str]) -> int:
        collection = self._snapshot.collection
        if collection is None:
            return 0
        key = (what, word, int(time.monotonic() / _KEPT_S))
        count = self._kept.get(key)
        if count is None:
            count = collection.count(f"{self._snapshot.shown} and {expression()}", self._deadline)
            self._kept.setdefault(key, count)
        return count
