"""What reading a query asks: which words products hold. Milvus counts them, kept for a while; it lists none, so words
by their beginning, spelling or sound come from those kept beside."""

import time
from collections.abc import Callable, Sequence

from services.retriever.conditions import OneOf, normal
from services.retriever.milvus.expression import expression_of, held_by
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.reading import ReadTerm
from services.retriever.vocabulary import Vocabulary
from vitrine.deadline import Deadline
from vitrine.recent import Recent

# What a count is for, the share of products that hold a word, changes slowly.
_KEPT_S = 60.0


class Counts:
    """Counts of a while, for all threads."""

    def __init__(self, capacity: int) -> None:
        self._recent: Recent[tuple[str, str, int], int] = Recent(capacity)

    @staticmethod
    def turn() -> int:
        """A number that changes when all are counted anew."""
        return int(time.monotonic() / _KEPT_S)

    def of(self, what: str, word: str, count: Callable[[], int]) -> int:
        """The count that is kept, else what `count` gives, kept from now on."""
        key = (what, word, self.turn())
        kept = self._recent.get(key)
        if kept is None:
            kept = count()
            self._recent.setdefault(key, kept)
        return kept


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
        """The words that titles, brands and categories are written in."""
        return self._snapshot.words.vocabulary

    def products_with(self, word: str) -> int:
        """How many products held a word in any field a moment ago."""
        return self._count("word", word, lambda: held_by([(word,)]))

    def titles_with(self, word: str) -> int:
        """About how many products hold a word, as it is written, in title, brand or categories."""
        return self._snapshot.words.titles_with(word)

    def beginning_with(self, prefix: str, limit: int) -> Sequence[str]:
        """Words of titles, brands and categories that begin so, those in most products first."""
        return self._snapshot.words.beginning_with(prefix, limit)

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
        shown = self._snapshot.shown
        return self._kept.of(what, word, lambda: collection.count(f"{shown} and {expression()}", self._deadline))
