"""A table of sorted keys, each with ascending numbers filed under it, in three arrays."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.bytes_]
Numbers = NDArray[np.int32]
# No UTF-8 text holds it, so it comes after every key with the same beginning.
_AFTER = b"\xff"
TABLE_PARTS = ("keys", "offsets", "numbers")


@dataclass(frozen=True, slots=True)
class Table:
    """Under `keys[i]` are filed `numbers[offsets[i]:offsets[i + 1]]`, ascending; no key is without a number.

    Keys are UTF-8 of a fixed width, what is longer is cut, so that numpy sorts and finds them without Python's lock.
    """

    keys: Keys
    offsets: Numbers
    numbers: Numbers

    @classmethod
    def of(cls, filed: Mapping[str, Sequence[int]], width: int) -> "Table":
        """A table of the numbers by key."""
        # A lone surrogate cannot come over gRPC, but from a caller in this process.
        keys = np.array([key.encode("utf-8", "replace") for key in filed], f"S{width}")
        numbers = np.fromiter(itertools.chain.from_iterable(filed.values()), np.int64)
        sorted_keys, ranks = np.unique(keys, return_inverse=True)
        counts = np.fromiter(map(len, filed.values()), np.int64)
        return _filed(sorted_keys, np.repeat(ranks, counts), numbers)

    def exactly(self, key: bytes) -> tuple[int, int]:
        """Where the key is: start and end, the same where it is not."""
        start = self._place(key)
        found = start < len(self.keys) and self.keys[start] == key[: self._width]
        return start, start + int(found)

    def beginning(self, text: bytes) -> tuple[int, int]:
        """Start and end of the keys that begin with the text."""
        if len(text) >= self._width:
            return self.exactly(text)
        return self._place(text), self._place(text + _AFTER)

    def between(self, lows: Keys, highs: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Start and end of the keys from each low one on and before each high one; see `bounds`."""
        return self.keys.searchsorted(lows), self.keys.searchsorted(highs)

    def counts(self, start: int, end: int) -> Numbers:
        """How many numbers are filed under each of these keys."""
        return np.diff(self.offsets[start : end + 1])

    def filed(self, start: int, end: int) -> Numbers:
        """All numbers under these keys, key by key."""
        return self.numbers[self.offsets[start] : self.offsets[end]]

    @property
    def _width(self) -> int:
        return self.keys.dtype.itemsize

    def _place(self, key: bytes) -> int:
        # Of the keys' own type: another would have numpy copy all of them.
        return int(self.keys.searchsorted(np.array(key[: self._width], self.keys.dtype)))


def bounds(texts: Sequence[bytes], width: int, *, beginning: bool) -> tuple[Keys, Keys]:
    """For each text, shorter than `width`, bounds of the keys that are it; `beginning`: of those that begin with it."""
    end = _AFTER if beginning else b"\x01"
    return np.array(texts, f"S{width}"), np.array([text + end for text in texts], f"S{width}")


def merged(tables: Sequence[Table], renumbered: Sequence[NDArray[np.int64]]) -> Table:
    """One table of all; `renumbered[t][number]` is the new number of what table t calls `number`, -1: left out."""
    keys, ranks = np.unique(np.concatenate([table.keys for table in tables]), return_inverse=True)
    all_ranks, all_numbers, first = [], [], 0
    for table, new in zip(tables, renumbered, strict=True):
        mine = ranks[first : first + len(table.keys)]
        first += len(table.keys)
        numbers = new[table.numbers]
        kept = numbers >= 0
        all_ranks.append(np.repeat(mine, np.diff(table.offsets))[kept])
        all_numbers.append(numbers[kept])
    return _filed(keys, np.concatenate(all_ranks), np.concatenate(all_numbers))


def _filed(keys: Keys, ranks: NDArray[Any], numbers: NDArray[np.int64]) -> Table:
    pairs = (ranks.astype(np.int64) << 32) | numbers
    pairs.sort()
    if len(pairs):
        pairs = pairs[np.concatenate(([True], pairs[1:] != pairs[:-1]))]
    counts = np.bincount(pairs >> 32, minlength=len(keys))
    used = counts > 0
    offsets = np.concatenate(([0], np.cumsum(counts[used]))).astype(np.int32)
    return Table(keys[used], offsets, (pairs & 0xFFFF_FFFF).astype(np.int32))
