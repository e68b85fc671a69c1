"""A segment: the words, brands and categories of some products, as arrays that never change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.retriever.lexical_index import Entry
from services.retriever.pinyin import pinyin_of
from services.retriever.suggest.table import TABLE_PARTS, Table, merged
from services.retriever.words import words_of
from vitrine.product import CATEGORY_SEPARATOR, category_prefixes
from vitrine.text import normalize_text

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

# Longer words are cut: whoever has typed so much has typed the word.
WORD_BYTES = 24
LABEL_BYTES = 128
BRAND, CATEGORY = "brand:", "category:"
_MAX_COST = 255
_TABLES = ("words", "labels", "label_words", "sounds")


@dataclass(frozen=True, slots=True)
class Segment:
    """Products by number, those with the fewest words first, the newest of these first.

    `rows` are row keys, `costs` numbers of words. `words` files products under the words of title and brand, `labels`
    under their brands and categories ("brand:acme", "category:shoes > boots"), `label_words` labels, by place in
    `labels.keys`, under theirs, and `sounds` words, by place in `words.keys`, under their pinyin.
    """

    rows: IntArray
    costs: NDArray[np.uint8]
    words: Table
    labels: Table
    label_words: Table
    sounds: Table

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> "Segment":
        """The segment that gave `arrays`."""
        tables = {name: Table(*(arrays[f"{name}.{part}"] for part in TABLE_PARTS)) for name in _TABLES}
        return cls(rows=arrays["rows"], costs=arrays["costs"], **tables)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every array by name."""
        tables = {f"{name}.{part}": getattr(getattr(self, name), part) for name in _TABLES for part in TABLE_PARTS}
        return {"rows": self.rows, "costs": self.costs, **tables}

    def placed(self, rows: IntArray) -> "Segment":
        """The segment with row key `rows[r]`, ascending, in the place of each r."""
        return replace(self, rows=rows[self.rows])

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(array.nbytes for array in self.arrays().values())


@dataclass(frozen=True, slots=True)
class Suggestible:
    """A product's row key, its words and labels, each once."""

    row: int
    words: tuple[str, ...]
    labels: tuple[str, ...]


def suggestible_of(row: int, entry: Entry) -> Suggestible | None:
    """What may be suggested of an entry; None for a review or guide."""
    if "kind" in entry.values:
        return None
    # With the brand: a shopper says it, whether or not the title does.
    words = f"{entry.fields.get('title', '')} {entry.fields.get('brand', '')}".split()
    labels = [_brand_label(str(brand)) for brand in entry.values.get("brand", ())]
    for path in entry.values.get("categories", ()):
        labels += _category_labels(str(path))
    return Suggestible(row, tuple(dict.fromkeys(words)), tuple(dict.fromkeys(labels)))


# A catalogue repeats its brands and categories.
@lru_cache(maxsize=10_000)
def _brand_label(brand: str) -> str:
    return BRAND + normalize_text(brand)


@lru_cache(maxsize=10_000)
def _category_labels(path: str) -> tuple[str, ...]:
    return tuple(CATEGORY + prefix for prefix in category_prefixes(normal_path(path)))


def segment_of(products: Sequence[Suggestible]) -> Segment:
    """The segment of some products. Costs about 20 µs for each."""
    products = sorted(products, key=lambda product: (len(product.words), -product.row))
    filed_words: dict[str, list[int]] = {}
    filed_labels: dict[str, list[int]] = {}
    for number, product in enumerate(products):
        for word in product.words:
            filed_words.setdefault(word, []).append(number)
        for label in product.labels:
            filed_labels.setdefault(label, []).append(number)
    words, labels = Table.of(filed_words, WORD_BYTES), Table.of(filed_labels, LABEL_BYTES)
    return Segment(
        rows=np.array([product.row for product in products], np.int64),
        costs=np.array([min(len(product.words), _MAX_COST) for product in products], np.uint8),
        words=words,
        labels=labels,
        label_words=_places_by(labels, _label_words),
        sounds=_places_by(words, _sounds),
    )


def merged_segment(segments: Sequence[Segment], living: Callable[[IntArray], BoolArray]) -> Segment:
    """One segment of all, without products whose row keys live no more."""
    rows = np.concatenate([segment.rows for segment in segments])
    costs = np.concatenate([segment.costs for segment in segments])
    kept = np.flatnonzero(living(rows))
    order = kept[np.lexsort((-rows[kept], costs[kept]))]
    numbers = np.full(len(rows), -1, np.int64)
    numbers[order] = np.arange(len(order))
    ends = np.cumsum([len(segment.rows) for segment in segments])[:-1]
    products = np.split(numbers, ends)
    words = merged([segment.words for segment in segments], products)
    labels = merged([segment.labels for segment in segments], products)
    return Segment(
        rows=rows[order],
        costs=costs[order],
        words=words,
        labels=labels,
        label_words=merged(
            [segment.label_words for segment in segments],
            [_places(segment.labels, labels) for segment in segments],
        ),
        sounds=merged(
            [segment.sounds for segment in segments], [_places(segment.words, words) for segment in segments]
        ),
    )


def _places(old: Table, new: Table) -> NDArray[np.int64]:
    """Where each key of `old` is in `new`; -1: not there."""
    if not len(new.keys):
        return np.full(len(old.keys), -1, np.int64)
    places = np.minimum(np.searchsorted(new.keys, old.keys), len(new.keys) - 1)
    return np.where(new.keys[places] == old.keys, places, -1)


def _places_by(table: Table, texts_of: Callable[[bytes], tuple[str, ...]]) -> Table:
    """The places of a table's keys, filed under what each is found by."""
    filed: dict[str, list[int]] = {}
    for place, key in enumerate(table.keys.tolist()):
        for text in texts_of(key):
            filed.setdefault(text, []).append(place)
    return Table.of(filed, WORD_BYTES)


@lru_cache(maxsize=10_000)
def _label_words(label: bytes) -> tuple[str, ...]:
    # A category is found by its own level: its upper levels are categories themselves.
    text = label.decode("utf-8", "ignore").partition(":")[2].rpartition(CATEGORY_SEPARATOR)[2]
    return tuple(words_of(text))


def _sounds(word: bytes) -> tuple[str, ...]:
    sound = "" if word.isascii() else pinyin_of(word.decode("utf-8", "ignore"))
    return (sound,) if sound else ()


def normal_path(path: str) -> str:
    """A category path with each level normalised, to compare."""
    return CATEGORY_SEPARATOR.join(map(normalize_text, path.split(CATEGORY_SEPARATOR)))
