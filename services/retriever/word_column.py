"""Columns of one key: its words, or its numbers, each beside the position of the version that has it."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from services.retriever.buffer import Buffer
from services.retriever.conditions import Leaf, OneOf, normal, word_test

Owners = NDArray[np.int32]
Codes = NDArray[np.int32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# Words that are taken over at a time.
_WORDS = 250
# A catalogue repeats its words.
_normal = lru_cache(maxsize=65_536)(normal)


class WordColumn:
    """A key's words: code `codes[i]`, an index into `words`, is one of the version at `owners[i]`, ascending.

    There is a code for each way of writing a word, so that what is shown is what shops write.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self.words: list[str] = []
        self._codes_of: dict[str, tuple[int, ...]] = {}
        self._owners = Buffer(np.int32)
        self._codes = Buffer(np.int32)

    def extend(self, owners: Owners, codes: Codes, words: Sequence[str]) -> None:
        """Adds `words[codes[i]]` for each of ascending `owners[i]`."""
        table = np.array([self._code(word) for word in words], np.int32)
        self._codes.extend(table[codes])
        self._owners.extend(owners)

    def take(self, other: "WordColumn", positions: IntArray, first: int, rest: Callable[[], None]) -> None:
        """Adds what another has of its versions at ascending `positions` as those from `first` on."""
        owners, codes = other.between(int(positions[0]), int(positions[-1]) + 1)
        places, kept = _placed(owners, positions)
        codes = codes[kept]
        new = np.zeros(len(other.words), np.int32)
        new[codes] = 1
        used = np.flatnonzero(new)
        for start in range(0, len(used), _WORDS):
            part = used[start : start + _WORDS]
            new[part] = [self._code(other.words[code]) for code in part.tolist()]
            rest()
        self._codes.extend(new[codes])
        self._owners.extend((places + first).astype(np.int32))

    def arrays(self) -> dict[str, Buffer]:
        """By name, for saving."""
        return {"owners": self._owners, "codes": self._codes}

    def between(self, start: int, stop: int) -> tuple[Owners, Codes]:
        """Owners and codes of the versions from `start` to `stop`."""
        # Owners grow last: what they say has its code.
        owners = self._owners.view()
        low, high = np.searchsorted(owners, (start, stop))
        return owners[low:high], self._codes.view()[low:high]

    def hits(self, leaf: Leaf, codes: Codes) -> BoolArray:
        """Whether each of the codes is of a word that meets the leaf."""
        if isinstance(leaf, OneOf):
            wanted = [code for word in leaf.words for code in self._codes_of.get(word, ())]
        else:
            test = word_test(leaf)
            wanted = [code for word, codes_of in list(self._codes_of.items()) if test(word) for code in codes_of]
        table = np.zeros(len(self.words), np.bool_)
        table[wanted] = True
        hits: BoolArray = codes == wanted[0] if len(wanted) == 1 else table[codes]
        return hits

    def restore(self, owners: Owners, codes: Codes, words: Sequence[str]) -> None:
        """Fills an empty column with what was saved."""
        for word in words:
            self._new_code(_normal(self._key, word), word)
        self._codes.extend(codes)
        self._owners.extend(owners)

    def _code(self, word: str) -> int:
        compared = _normal(self._key, word)
        for code in self._codes_of.get(compared, ()):
            if self.words[code] == word:
                return code
        return self._new_code(compared, word)

    def _new_code(self, compared: str, word: str) -> int:
        self.words.append(compared if compared == word else word)
        code = len(self.words) - 1
        self._codes_of[compared] = (*self._codes_of.get(compared, ()), code)
        return code


class NumberColumn:
    """A key's numbers: `numbers[i]` is one of the version at `owners[i]`, ascending."""

    def __init__(self) -> None:
        self._owners = Buffer(np.int32)
        self._numbers = Buffer(np.float64)

    def extend(self, owners: Owners, numbers: NDArray[np.float64]) -> None:
        """Adds a number for each of ascending owners."""
        self._numbers.extend(numbers)
        self._owners.extend(owners)

    def take(self, other: "NumberColumn", positions: IntArray, first: int) -> None:
        """Adds what another has of its versions at ascending `positions` as those from `first` on."""
        owners, numbers = other.between(int(positions[0]), int(positions[-1]) + 1)
        places, kept = _placed(owners, positions)
        self._numbers.extend(numbers[kept])
        self._owners.extend((places + first).astype(np.int32))

    def arrays(self) -> dict[str, Buffer]:
        """By name, for saving."""
        return {"owners": self._owners, "numbers": self._numbers}

    def between(self, start: int, stop: int) -> tuple[Owners, NDArray[np.float64]]:
        """Owners and numbers of the versions from `start` to `stop`."""
        owners = self._owners.view()
        low, high = np.searchsorted(owners, (start, stop))
        return owners[low:high], self._numbers.view()[low:high]

    def restore(self, owners: Owners, numbers: NDArray[np.float64]) -> None:
        """Fills an empty column with what was saved."""
        self._numbers.extend(numbers)
        self._owners.extend(owners)

    def each(self, positions: IntArray, count: int) -> NDArray[np.float64]:
        """(len(positions),) the first number of each of those versions; NaN where there is none."""
        owners, numbers = self.between(0, count)
        if not len(owners):
            return np.full(len(positions), np.nan)
        if len(positions) * 16 > count:
            whole = np.full(count, np.nan)
            # Backwards, so that the first one stays.
            whole[owners[::-1]] = numbers[::-1]
            return whole[positions]
        at = np.minimum(np.searchsorted(owners, positions.astype(np.int32)), len(owners) - 1)
        return np.where(owners[at] == positions, numbers[at], np.nan)


def _placed(owners: Owners, positions: IntArray) -> tuple[IntArray, BoolArray]:
    """Where among the positions each owner that is one of them stands, and which of the owners these are."""
    place = np.full(int(positions[-1] - positions[0]) + 1, -1, np.int64)
    place[positions - positions[0]] = np.arange(len(positions))
    places = place[owners - positions[0]]
    kept = places >= 0
    return places[kept], kept
