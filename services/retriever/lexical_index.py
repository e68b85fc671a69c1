"""The lexical index: words by field, what is written to it; `lexical_view` searches it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tantivy

from services.retriever.conditions import Values
from services.retriever.field_values import values_of
from services.retriever.lexical_files import segment_sizes
from services.retriever.lexical_filter import FIELD, listed_terms
from services.retriever.lexical_view import (
    ANY_FIELD,
    CODE_FIELD,
    FIELD_WEIGHTS,
    FIELDS,
    SURFACE_FIELD,
    FieldWeights,
    LexicalView,
)
from services.retriever.unhurried import give_way, is_working
from services.retriever.vocabulary import Vocabulary
from services.retriever.words import MAX_CHARACTERS, words_and_codes_of, words_of_number
from vitrine.errors import FailedPrecondition
from vitrine.product import CATEGORY_SEPARATOR, Product

MAX_DESCRIPTION_CHARACTERS = 1_000
# Grows with every change of what `entry_of` makes of a product.
ENTRY_VERSION = 3
# Each commit begins a table of a quarter of it, whatever it holds; enough for a full group of writes in one segment.
_HEAP_BYTES = 30_000_000
# tantivy remembers every file that it ever mapped, one to three kilobytes with each commit, until the index is opened
# anew. That takes 3 ms at a million products, but waits for merges that run; while one does, later commits are as good.
_RENEWED_AFTER, _RENEWED_AT_LAST = 500, 5_000
_MERGES = "merge_thread"
_ANALYZER = "words"
_SURFACE_ANALYZER = "surface"
_NUMBER_NAMES = frozenset(
    ("asin", "barcode", "ean", "gtin", "isbn", "itemnumber", "model", "modelnumber", "mpn", "partnumber", "sku", "upc",
     "型号", "货号", "条码", "条形码")
)  # fmt: skip
_MIN_NUMBER_CHARACTERS = 5
# Fields whose words are offered where a query's word is unknown.
SURFACE_OF = ("title", "brand", "categories")
# Made once: `json.dumps` makes an encoder for each call that is not as it would have it.
_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Entry:
    """What the indexes hold of one product: its words by field, joined by blanks, and its values by key.

    Words are of letters, digits and points: there is nothing in them that JSON would have to escape.
    """

    fields: dict[str, str]
    values: Values

    def encoded(self) -> str:
        """JSON, kept beside the product so that a start need not segment every text again."""
        fields = ", ".join([f'"{name}": "{words}"' for name, words in self.fields.items()])
        return f"[{ENTRY_VERSION}, {{{fields}}}, {_JSON(self.values)}]"

    @classmethod
    def decoded(cls, text: str) -> "Entry | None":
        """The entry of `encoded`; None when another version made it."""
        if not is_current(text):
            return None
        _, fields, values = json.loads(text)
        return cls(fields, {key: tuple(found) for key, found in values.items()})


def is_current(encoded: str) -> bool:
    """Whether this version made an encoded entry."""
    return encoded.startswith(f"[{ENTRY_VERSION},")


def entry_of(product: Product) -> Entry:
    """The entry of a product; costs about 0.1 ms, more in Chinese."""
    levels = dict.fromkeys(level for path in product.categories for level in path.split(CATEGORY_SEPARATOR))
    read = {
        "title": words_and_codes_of(product.title, repeated=False),
        "brand": words_and_codes_of(product.brand, repeated=True),
        "categories": words_and_codes_of(" ".join(levels), repeated=True),
        "attributes": _read_attributes(product),
        "description": words_and_codes_of(product.description[:MAX_DESCRIPTION_CHARACTERS], repeated=False),
    }
    fields = {name: " ".join(words) for name, (words, _) in read.items() if words}
    codes = [code for _, found in read.values() for code in found]
    codes += _number_words(product)
    if codes:
        fields[CODE_FIELD] = " ".join(dict.fromkeys(codes))
    return Entry(fields, values_of(product))


@dataclass(frozen=True, slots=True)
class WordSheet:
    """What is to be added of some versions: `documents` are tantivy's JSON of each without its row key, `surface` how
    often each word is in titles, brands and categories."""

    documents: Sequence[str]
    surface: Mapping[str, int]

    @classmethod
    def of(cls, entries: Iterable[tuple[str, Entry]]) -> "WordSheet":
        """The sheet of versions by their ids and entries."""
        documents: list[str] = []
        surface: list[str] = []
        for product_id, entry in entries:
            written = [entry.fields[field] for field in SURFACE_OF if field in entry.fields]
            surface += written
            # Of these two it is asked whether a word is there, and never how often.
            anywhere = " ".join(dict.fromkeys(" ".join(entry.fields.values()).split()))
            texts = {**entry.fields, ANY_FIELD: anywhere, SURFACE_FIELD: " ".join(written)}
            members = ", ".join([f'"{field}": "{text}"' for field, text in texts.items()])
            documents.append(f'{{{members}, "{FIELD}": [{listed_terms(product_id, entry.values)}]}}')
        return cls(documents, Counter(" ".join(surface).split()))


class LexicalIndex:
    """The writer's side, in a folder (None: in memory). One thread only."""

    def __init__(
        self, folder: Path | None = None, vocabulary: Vocabulary | None = None, heap_bytes: int = _HEAP_BYTES
    ) -> None:
        """Opens what is in the folder. Raises FailedPrecondition where another schema made it.

        `vocabulary` knows its words already; `heap_bytes`: what a segment may take in memory until it is written.
        """
        builder = tantivy.SchemaBuilder()
        for field in (*FIELDS, CODE_FIELD):
            builder.add_text_field(field, tokenizer_name=_ANALYZER, index_option="freq")
        builder.add_text_field(ANY_FIELD, tokenizer_name=_ANALYZER, index_option="basic")
        builder.add_text_field(SURFACE_FIELD, tokenizer_name=_SURFACE_ANALYZER, index_option="basic")
        builder.add_text_field(FIELD, tokenizer_name="raw", index_option="basic")
        builder.add_integer_field("row", indexed=True, fast=True)
        self._schema = builder.build()
        self._heap_bytes = heap_bytes
        # The words are made by `words_of`; what is left is to fold plurals and tenses of English.
        self._analyzer = _by_blanks().filter(tantivy.Filter.stemmer("english")).build()
        self._folder = folder
        self._open()
        self.vocabulary = Vocabulary() if vocabulary is None else vocabulary
        if vocabulary is None:
            # Of an index that was in the folder: the words that it was written in.
            for word, count in self._index.searcher().terms_with_prefix(SURFACE_FIELD, ""):
                self.vocabulary.add([word], count)
        self._has_changed = False
        # Row keys, and the documents that were added by them; None: they were taken out.
        self._recorded: list[tuple[Sequence[int], Sequence[str] | None]] | None = None

    def _open(self) -> None:
        try:
            self._index = tantivy.Index(self._schema, None if self._folder is None else str(self._folder))
        except ValueError as error:
            raise FailedPrecondition(f"{self._folder} holds another index of words: {error}") from error
        self._index.register_tokenizer(_ANALYZER, self._analyzer)
        self._index.register_tokenizer(_SURFACE_ANALYZER, _by_blanks().build())
        self._index.config_reader("manual")
        self._writer = self._index.writer(heap_size=self._heap_bytes, num_threads=1)
        self._commits = 0
        # Every few commits small segments are merged, thousands of products each time.
        give_way(_MERGES)

    def add(self, row: int, product_id: str, entry: Entry) -> None:
        """Adds one version under its row key."""
        self.extend([row], WordSheet.of([(product_id, entry)]))

    def extend(self, rows: Sequence[int], sheet: WordSheet) -> None:
        """Adds the sheet's versions under these row keys."""
        self._change(rows, sheet.documents)
        for word, count in sheet.surface.items():
            self.vocabulary.add([word], count)

    def remove(self, rows: Sequence[int]) -> None:
        """Takes versions out."""
        self._change(rows, None)

    def record(self, *, on: bool) -> None:
        """Keeps what changes from now on in mind, or no more; to be ended from any thread."""
        self._recorded = [] if on else None

    def repeat(self, other: "LexicalIndex") -> None:
        """Changes what another has recorded; its words are in the vocabulary, which both share."""
        for rows, documents in other._recorded or ():
            self._change(rows, documents)

    def _change(self, rows: Sequence[int], documents: Sequence[str] | None) -> None:
        self._has_changed = self._has_changed or len(rows) > 0
        if documents is None:
            for row in rows:
                self._writer.delete_documents_by_query(tantivy.Query.term_query(self._schema, "row", row, "basic"))
        else:
            for row, document in zip(rows, documents, strict=True):
                self._writer.add_json(f'{{"row":{row},{document[1:]}')
        # Whoever has it record may end that from another thread.
        if (recorded := self._recorded) is not None:
            recorded.append((rows, documents))

    def view(self, weights: FieldWeights = FIELD_WEIGHTS) -> LexicalView:
        """What a reader sees from now on: every change so far."""
        if self._has_changed:
            self._writer.commit()
            self._has_changed = False
            self._commits += 1
        if self._is_to_be_renewed():
            self._writer.wait_merging_threads()
            self._open()
        self._index.reload()
        segments = () if self._folder is None else segment_sizes(self._folder)
        return LexicalView(self._schema, self._index.searcher(), self._analyzer, self.vocabulary, weights, segments)

    def _is_to_be_renewed(self) -> bool:
        if self._folder is None or self._commits < _RENEWED_AFTER:
            # One in memory would be lost, and has no files to remember.
            return False
        return self._commits >= _RENEWED_AT_LAST or not is_working(_MERGES)

    def close(self) -> None:
        """Waits for merges and ends the writer's threads."""
        self._writer.wait_merging_threads()


def _by_blanks() -> tantivy.TextAnalyzerBuilder:
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(tantivy.Filter.remove_long(80))


def _read_attributes(product: Product) -> tuple[list[str], list[str]]:
    """Words and codes of the attributes in words: numbers say little without their unit, and every product has some."""
    words: list[str] = []
    codes: list[str] = []
    left = MAX_CHARACTERS
    for value in dict.fromkeys(value for values in product.attributes.values() for value in values):
        if isinstance(value, str) and left > 0:
            value_words, value_codes = words_and_codes_of(value[:left], repeated=True)
            words += value_words
            codes += value_codes
            left -= len(value)
    return words, codes


# A catalogue has few names, and each in many products; longer ones are refused.
@lru_cache(maxsize=4_096)
def _is_number_name(name: str) -> bool:
    return "".join(filter(str.isalnum, name.casefold())) in _NUMBER_NAMES


def _number_words(product: Product) -> Iterator[str]:
    """The words of the numbers by which people ask for this very product; shorter ones are sizes and counts as well."""
    if len(product.id) >= _MIN_NUMBER_CHARACTERS:
        yield from words_of_number(product.id)
    for name, values in product.attributes.items():
        if _is_number_name(name):
            for value in values:
                if not isinstance(value, str):
                    value = f"{value:.0f}"
                if len(value) >= _MIN_NUMBER_CHARACTERS:
                    # What the attributes hold in words was read with them.
                    yield from words_and_codes_of(value, repeated=True)[0]
