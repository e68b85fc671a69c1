"""Field columns: the values of every version by key, as arrays that one writer appends to and readers filter by.

A version never changes, so what met a condition once meets it for ever: matches are kept for each condition, and only
the versions that came since are looked at.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.retriever.buffer import Buffer
from services.retriever.conditions import (
    ID,
    AllOf,
    AnyOf,
    Condition,
    Leaf,
    Not,
    OneOf,
    Present,
    Within,
)
from services.retriever.field_sheet import FieldSheet, id_hash
from services.retriever.word_column import NumberColumn, WordColumn
from vitrine.recent import Recent

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

# Conditions whose matches are kept, a byte for each version and condition.
_KEPT = 16
# Ids are found by this many bits of their hash, and looked at where these agree.
_ID_BITS = 20


class FieldColumns:
    """The writer's side is `append` and `take`; readers say how many versions theirs are, and see no later ones."""

    def __init__(self, ids: Sequence[str]) -> None:
        """`ids` is the list of all versions' ids, which the owner keeps, ahead of what is appended here."""
        self._ids = ids
        self._id_hashes = Buffer(np.uint32)
        self._words: dict[str, WordColumn] = {}
        self._numbers: dict[str, NumberColumn] = {}
        self._matches: Recent[Condition, BoolArray] = Recent(_KEPT)

    def append(self, sheet: FieldSheet) -> None:
        """Adds the values of the versions that follow those there are; their ids are in `ids` already."""
        first = self._id_hashes.count
        for key, words in sheet.words.items():
            self._word_column(key).extend(words.owners + first, words.codes, words.words)
        for key, numbers in sheet.numbers.items():
            self._numbers.setdefault(key, NumberColumn()).extend(numbers.owners + first, numbers.numbers)
        self._id_hashes.extend(sheet.id_hashes)

    def take(self, other: "FieldColumns", positions: IntArray, rest: Callable[[], None]) -> None:
        """Adds the values of another's versions at ascending `positions`; their ids are in `ids` already."""
        if not len(positions):
            return
        first = self._id_hashes.count
        for key, words in list(other._words.items()):
            self._word_column(key).take(words, positions, first, rest)
        for key, numbers in list(other._numbers.items()):
            self._numbers.setdefault(key, NumberColumn()).take(numbers, positions, first)
            rest()
        self._id_hashes.extend(other._id_hashes.view()[positions])
        if not first:
            # Those that nobody asked for yet, and what comes later, are looked at when they are asked for.
            for condition, met in other._matches.items():
                self._matches.put(condition, met[positions[: np.searchsorted(positions, len(met))]])
                rest()

    def arrays(self) -> dict[str, Buffer]:
        """Every array by name, to be saved; names hold the shop's own attribute names."""
        named = {f"words:{key}": column for key, column in self._words.items()} | {
            f"numbers:{key}": column for key, column in self._numbers.items()
        }
        parts = {f"{part}:{name}": array for name, column in named.items() for part, array in column.arrays().items()}
        return parts | {"id_hashes": self._id_hashes}

    def texts(self) -> dict[str, list[str]]:
        """Every list of texts by name, to be saved beside the arrays; appended to as they are."""
        return {f"words:{key}": column.words for key, column in self._words.items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]], texts: Mapping[str, Sequence[str]]) -> None:
        """Fills empty columns with what `arrays` and `texts` gave; the ids are in `ids` already."""
        for name in arrays:
            part, _, rest = name.partition(":")
            kind, _, key = rest.partition(":")
            if part != "owners":
                continue
            if kind == "words":
                self._word_column(key).restore(arrays[name], arrays[f"codes:{rest}"], texts[rest])
            else:
                self._numbers.setdefault(key, NumberColumn()).restore(arrays[name], arrays[f"numbers:{rest}"])
        self._id_hashes.extend(arrays["id_hashes"])

    def word_column(self, key: str) -> WordColumn | None:
        """The words of a key."""
        return self._words.get(key)

    def number_column(self, key: str) -> NumberColumn | None:
        """The numbers of a key."""
        return self._numbers.get(key)

    def with_ids(self, ids: Set[str], positions: IntArray) -> IntArray:
        """Those of the positions whose version has one of these ids, in their order."""
        wanted = np.zeros(1 << _ID_BITS, np.bool_)
        wanted[[id_hash(product_id) % (1 << _ID_BITS) for product_id in ids]] = True
        near: IntArray = positions[wanted[self._id_hashes.view()[positions] % (1 << _ID_BITS)]]
        kept = [self._ids[position] in ids for position in near.tolist()]
        return near[np.array(kept, np.bool_)]

    def matching(self, condition: Condition, count: int) -> BoolArray:
        """(count,) whether each of the first `count` versions meets the condition; not to be written to."""
        known = self._matches.get(condition)
        start = 0 if known is None else len(known)
        if known is not None and start >= count:
            return known[:count]
        new = self._met(condition, start, count)
        met = new if known is None else np.concatenate([known, new])
        self._matches.put(condition, met)
        return met

    def _word_column(self, key: str) -> WordColumn:
        return self._words.setdefault(key, WordColumn(key))

    def _met(self, condition: Condition, start: int, stop: int) -> BoolArray:
        met: BoolArray
        match condition:
            case AllOf():
                met = np.ones(stop - start, np.bool_)
                for part in condition.parts:
                    met &= self._met(part, start, stop)
                return met
            case AnyOf():
                met = np.zeros(stop - start, np.bool_)
                for part in condition.parts:
                    met |= self._met(part, start, stop)
                return met
            case Not():
                return ~self._met(condition.part, start, stop)
            case OneOf(key=key) if key == ID:
                return self._of_ids(condition, start, stop)
        met = np.zeros(stop - start, np.bool_)
        for owners in self._owners(condition, start, stop):
            met[owners - start] = True
        return met

    def _owners(self, leaf: Leaf, start: int, stop: int) -> Iterator[NDArray[np.int32]]:
        words, numbers = self._words.get(leaf.key), self._numbers.get(leaf.key)
        if words is not None and not isinstance(leaf, Within):
            owners, codes = words.between(start, stop)
            yield owners if isinstance(leaf, Present) else owners[words.hits(leaf, codes)]
        if numbers is not None and isinstance(leaf, Within | Present):
            owners, values = numbers.between(start, stop)
            yield owners if isinstance(leaf, Present) else owners[_within(leaf, values)]

    def _of_ids(self, leaf: OneOf, start: int, stop: int) -> BoolArray:
        met = np.zeros(stop - start, np.bool_)
        met[self.with_ids(leaf.words, np.arange(start, stop)) - start] = True
        return met


def _within(leaf: Within, values: NDArray[np.float64]) -> BoolArray:
    above = values > leaf.low if leaf.low_open else values >= leaf.low
    below = values < leaf.high if leaf.high_open else values <= leaf.high
    within: BoolArray = above & below
    return within
