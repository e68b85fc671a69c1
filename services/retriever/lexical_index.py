"""The lexical index: BM25 over words by field, in memory, made anew from the catalogue at each start."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tantivy

from services.retriever.columns import IntArray
from services.retriever.filters import FilterPlan, facets_of
from services.retriever.words import query_words, words_of
from vitrine.product import CATEGORY_SEPARATOR, Product
from vitrine.vectors import FloatArray

# What a word counts where it is found; it counts once, in the field where it counts most. Measured on Icecat.
FIELD_BOOSTS = {"title": 1.0, "brand": 0.8, "categories": 0.8, "attributes": 0.5, "description": 0.7}
MAX_DESCRIPTION_CHARACTERS = 1_000
MAX_QUERY_WORDS = 64
# Grows with every change of what `entry_of` makes of a product.
ENTRY_VERSION = 2
_HEAP_BYTES = 64_000_000
_ANALYZER = "words"


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index holds of one product: its words by field, joined by blanks, its facets and price."""

    fields: dict[str, str]
    facets: tuple[str, ...]
    price: float | None

    def encoded(self) -> str:
        """JSON, kept beside the product so that a start need not segment every text again."""
        return json.dumps([ENTRY_VERSION, self.fields, self.facets, self.price], ensure_ascii=False)

    @classmethod
    def decoded(cls, text: str) -> "Entry | None":
        """The entry of `encoded`; None when another version made it."""
        version, *parts = json.loads(text)
        if version != ENTRY_VERSION:
            return None
        fields, facets, price = parts
        return cls(fields, tuple(facets), price)


def entry_of(product: Product) -> Entry:
    """The entry of a product; costs about 0.1 ms, more in Chinese."""
    levels = dict.fromkeys(level for path in product.categories for level in path.split(CATEGORY_SEPARATOR))
    # Numbers say little without their unit, and every product has some: only attributes in words are searched.
    values = (value for values in product.attributes.values() for value in values if isinstance(value, str))
    texts = {
        "title": product.title,
        "brand": product.brand,
        "categories": " ".join(levels),
        "attributes": " ".join(dict.fromkeys(values)),
        "description": product.description[:MAX_DESCRIPTION_CHARACTERS],
    }
    return Entry(
        fields={name: " ".join(words_of(text)) for name, text in texts.items() if text},
        facets=tuple(sorted(facets_of(product))),
        price=product.price,
    )


class LexicalView:
    """The index as of one moment."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher, analyzer: tantivy.TextAnalyzer) -> None:
        self._schema = schema
        self._searcher = searcher
        self._analyzer = analyzer

    def search(self, text: str, plan: FilterPlan, limit: int) -> tuple[IntArray, FloatArray]:
        """Row keys and BM25 scores of the best `limit` products that match the plan and hold a word of the text."""
        words = self._analyzer.analyze(" ".join(query_words(text)[:MAX_QUERY_WORDS]))
        if not words:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        hits = self._searcher.search(self._query(words, plan), limit, count=False).hits
        rows = self._searcher.fast_field_values("row", [address for _, address in hits])
        return np.array(rows, np.int64), np.array([score for score, _ in hits], np.float32)

    def _query(self, words: Sequence[str], plan: FilterPlan) -> tantivy.Query:
        should, must, never = tantivy.Occur.Should, tantivy.Occur.Must, tantivy.Occur.MustNot
        found = tantivy.Query.boolean_query([(should, self._best_field(word)) for word in dict.fromkeys(words)])
        if plan.unrestricted:
            return found
        conditions = [tantivy.Query.term_set_query(self._schema, "facet", sorted(group)) for group in plan.groups]
        if plan.priced:
            price, kind = "price", tantivy.FieldType.Float
            conditions.append(tantivy.Query.range_query(self._schema, price, kind, plan.min_price, plan.max_price))
        # Score 0: a condition decides what is found and never how high.
        limits = [(must, tantivy.Query.const_score_query(condition, 0.0)) for condition in conditions]
        for facet in sorted(plan.excluded):
            limits.append((never, tantivy.Query.term_query(self._schema, "facet", facet, "basic")))
        return tantivy.Query.boolean_query([(must, found), *limits])

    def _best_field(self, word: str) -> tantivy.Query:
        fields = (
            tantivy.Query.boost_query(tantivy.Query.term_query(self._schema, field, word, "freq"), boost)
            for field, boost in FIELD_BOOSTS.items()
        )
        return tantivy.Query.disjunction_max_query(list(fields))


class LexicalIndex:
    """The writer's side. One thread only."""

    def __init__(self) -> None:
        builder = tantivy.SchemaBuilder()
        for field in FIELD_BOOSTS:
            builder.add_text_field(field, tokenizer_name=_ANALYZER, index_option="freq")
        builder.add_text_field("facet", tokenizer_name="raw", index_option="basic")
        builder.add_float_field("price", indexed=True, fast=True)
        builder.add_integer_field("row", indexed=True, fast=True)
        self._schema = builder.build()
        # The words are made by `words_of`; what is left is to fold plurals and tenses of English.
        words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(tantivy.Filter.remove_long(80))
        self._analyzer = words.filter(tantivy.Filter.stemmer("english")).build()
        self._index = tantivy.Index(self._schema)
        self._index.register_tokenizer(_ANALYZER, self._analyzer)
        self._index.config_reader("manual")
        self._writer = self._index.writer(heap_size=_HEAP_BYTES, num_threads=1)

    def add(self, row: int, entry: Entry) -> None:
        """Adds one version under its row key."""
        document = tantivy.Document()
        for field, text in entry.fields.items():
            document.add_text(field, text)
        for facet in entry.facets:
            document.add_text("facet", facet)
        if entry.price is not None:
            document.add_float("price", entry.price)
        document.add_integer("row", row)
        self._writer.add_document(document)

    def remove(self, rows: Sequence[int]) -> None:
        """Takes versions out."""
        for row in rows:
            self._writer.delete_documents_by_query(tantivy.Query.term_query(self._schema, "row", row, "basic"))

    def view(self) -> LexicalView:
        """What a reader sees from now on: every change so far."""
        self._writer.commit()
        self._index.reload()
        return LexicalView(self._schema, self._index.searcher(), self._analyzer)

    def close(self) -> None:
        """Waits for merges and ends the writer's threads."""
        self._writer.wait_merging_threads()
