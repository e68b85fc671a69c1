"""The lexical index as of one moment: what holds which words, and searches by a query's reading."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tantivy
from numpy.typing import NDArray

from services.retriever.filters import FilterPlan
from services.retriever.lexical_filter import FIELD, any_of, limited
from services.retriever.reading import Reading, ReadTerm
from services.retriever.vocabulary import Vocabulary
from services.retriever.words import Term
from vitrine.vectors import FloatArray

IntArray = NDArray[np.int64]

FIELDS = ("title", "brand", "categories", "attributes", "description")
# What `codes_of` makes of those, and the numbers that a product is asked for by; searched for words with a digit.
CODE_FIELD = "codes"
# The words of all those fields; the words as they are written of titles, brands and categories.
ANY_FIELD, SURFACE_FIELD = "any", "surface"
# What a word that stands for another counts beside it.
INSTEAD_WEIGHT = 0.7

_SHOULD, _MUST, _NEVER = tantivy.Occur.Should, tantivy.Occur.Must, tantivy.Occur.MustNot


@dataclass(frozen=True, slots=True)
class FieldWeights:
    """What a word counts where it is found: 1 in a title or code, `other` elsewhere. Of several fields the best counts
    whole, and `beside` of each other: hundreds of titles that hold a word are not all alike.

    `vitrine evaluate fields` measures them.
    """

    other: float = 0.8
    beside: float = 0.2

    def of(self, field: str) -> float:
        """What a word counts in a field."""
        return 1.0 if field in ("title", CODE_FIELD) else self.other


FIELD_WEIGHTS = FieldWeights()


class LexicalView:
    """Every method may be called from any thread."""

    def __init__(
        self,
        schema: tantivy.Schema,
        searcher: tantivy.Searcher,
        analyzer: tantivy.TextAnalyzer,
        vocabulary: Vocabulary,
        weights: FieldWeights,
        segments: Sequence[tuple[int, int]],
    ) -> None:
        """`segments` of the index, where it is in a folder: versions in each, and how many of them are dead."""
        self._schema = schema
        self._searcher = searcher
        self._analyzer = analyzer
        self._weights = weights
        self.vocabulary = vocabulary
        self.segments = segments

    @property
    def products(self) -> int:
        """Products that it holds."""
        return self._searcher.num_docs

    def products_with(self, word: str) -> int:
        """About how many products hold a word in any field; those deleted since the last merge count too."""
        return self._searcher.doc_freq(ANY_FIELD, self._stem(word))

    def titles_with(self, word: str) -> int:
        """About how many products hold a word, as it is written, in title, brand or categories."""
        return self._searcher.doc_freq(SURFACE_FIELD, word)

    def beginning_with(self, prefix: str, limit: int) -> list[str]:
        """Words of titles, brands and categories that begin so, those in most products first."""
        return [word for word, _ in self._searcher.terms_with_prefix(SURFACE_FIELD, prefix, limit=limit)]

    def is_brand(self, text: str) -> bool:
        """Whether a product is of the brand of this normalised name."""
        return self._searcher.doc_freq(FIELD, f"brand:{text}") > 0

    def holds_all(self, terms: Sequence[ReadTerm]) -> bool:
        """Whether one product holds every term."""
        return bool(terms) and bool(self._searcher.search(self._holding(terms), 1, count=False).hits)

    def search(self, reading: Reading, plan: FilterPlan, limit: int) -> tuple[IntArray, FloatArray]:
        """Row keys and BM25 scores of the best `limit` products that match the plan and hold a word of the query."""
        clauses = list(self._scored(reading.terms))
        if not clauses:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        found = tantivy.Query.boolean_query([(_SHOULD, clause) for clause in clauses])
        hits = self._searcher.search(self._limited(found, reading, plan), limit, count=False).hits
        return self._rows(hits), np.array([score for score, _ in hits], np.float32)

    def matching(self, reading: Reading, plan: FilterPlan) -> IntArray:
        """Row keys of all products that match the plan and hold every term of the query and none that is excluded."""
        if not reading.terms:
            return np.empty(0, np.int64)
        found = tantivy.Query.const_score_query(self._holding(reading.terms), 0.0)
        return self._all(self._limited(found, reading, plan))

    def matching_few(self, reading: Reading, plan: FilterPlan, limit: int) -> tuple[int, IntArray]:
        """How many products `matching` finds, and the row keys of these, none where they are more than `limit`."""
        if not reading.terms:
            return 0, np.empty(0, np.int64)
        query = self._limited(tantivy.Query.const_score_query(self._holding(reading.terms), 0.0), reading, plan)
        found = self._searcher.search(query, limit, count=True)
        count: int = found.count  # type: ignore[attr-defined]
        return count, self._rows(found.hits if count <= limit else ())

    def count(self, reading: Reading, plan: FilterPlan, among: IntArray | None = None) -> int:
        """How many products `matching` finds, or how many of those with row keys `among`, which should be few."""
        if not reading.terms or (among is not None and not len(among)):
            return 0
        query = self._limited(tantivy.Query.const_score_query(self._holding(reading.terms), 0.0), reading, plan)
        if among is not None:
            rows = tantivy.Query.const_score_query(any_of(self._schema, "row", among.tolist()), 0.0)
            query = tantivy.Query.boolean_query([(_MUST, rows), (_MUST, query)])
        return self._searcher.search(query, 1, count=True).count  # type: ignore[attr-defined, no-any-return]

    def holding_any(self, terms: Sequence[Term]) -> IntArray:
        """Row keys of all products that hold one of the terms."""
        if not terms:
            return np.empty(0, np.int64)
        held = [(_SHOULD, self._held(term.holdings)) for term in terms]
        return self._all(tantivy.Query.const_score_query(tantivy.Query.boolean_query(held), 0.0))

    def _all(self, query: tantivy.Query) -> IntArray:
        return self._rows(self._searcher.search(query, max(1, self.products), count=False).hits)

    def _rows(self, hits: Iterable[tuple[float, tantivy.DocAddress]]) -> IntArray:
        return np.array(self._searcher.fast_field_values("row", [address for _, address in hits]), np.int64)

    def _limited(self, found: tantivy.Query, reading: Reading, plan: FilterPlan) -> tantivy.Query:
        never = [(_NEVER, self._held(term.holdings)) for term in reading.excluded]
        whole = tantivy.Query.boolean_query([(_MUST, found), *never]) if never else found
        return limited(self._schema, whole, plan.condition)

    def _holding(self, terms: Sequence[ReadTerm]) -> tantivy.Query:
        return tantivy.Query.boolean_query([(_MUST, self._held(term.holdings)) for term in terms])

    def _held(self, holdings: Sequence[Sequence[str]]) -> tantivy.Query:
        """Where all words of one of the holdings are."""
        groups = []
        for words in holdings:
            held = [(_MUST, self._anywhere(stem)) for stem in self._stems(words)]
            groups.append((_SHOULD, held[0][1] if len(held) == 1 else tantivy.Query.boolean_query(held)))
        return groups[0][1] if len(groups) == 1 else tantivy.Query.boolean_query(groups)

    def _anywhere(self, stem: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, ANY_FIELD, stem, "basic")

    def _scored(self, terms: Sequence[ReadTerm]) -> Iterator[tantivy.Query]:
        """A word that comes twice counts once; of a term and what stands for it the best counts."""
        plain = (word for term in terms if not term.instead for word in term.term.words)
        for stem in self._stems(plain):
            yield self._best_field(stem)
        for term in terms:
            if term.instead:
                stands = [tantivy.Query.boost_query(self._sum(words), INSTEAD_WEIGHT) for words in term.instead]
                yield tantivy.Query.disjunction_max_query([self._sum(term.term.words), *stands])

    def _sum(self, words: Iterable[str]) -> tantivy.Query:
        return tantivy.Query.boolean_query([(_SHOULD, self._best_field(stem)) for stem in self._stems(words)])

    def _stems(self, words: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(self._analyzer.analyze(" ".join(words))))

    def _stem(self, word: str) -> str:
        return "".join(self._analyzer.analyze(word))

    def _best_field(self, stem: str) -> tantivy.Query:
        words = tantivy.Query.disjunction_max_query([self._in(field, stem) for field in FIELDS], self._weights.beside)
        if not any(map(str.isdigit, stem)):
            return words
        # No further field: codes are taken of the words of the others.
        return tantivy.Query.disjunction_max_query([words, self._in(CODE_FIELD, stem)])

    def _in(self, field: str, stem: str) -> tantivy.Query:
        found = tantivy.Query.term_query(self._schema, field, stem, "freq")
        return tantivy.Query.boost_query(found, self._weights.of(field))
