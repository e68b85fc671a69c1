"""Draws that depend on nothing but a seed and what is drawn for, so that any part of the shop can be made alone."""

import hashlib
import math
import struct
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")
_NUMBERS = struct.Struct("<16I")
_SCALE = 2.0**-32


class Draw:
    """A stream of draws for one `purpose` and `index`: BLAKE2 over them and a counter, the same on every machine.

    A generator with a state to seed (Mersenne Twister) costs ten times as much to start, and most draws are short.
    """

    __slots__ = ("_block", "_key", "_numbers")

    def __init__(self, seed: int, purpose: str, index: int = 0) -> None:
        self._key = f"{seed}/{purpose}/{index}/"
        self._block = 0
        self._numbers: list[int] = []

    def fraction(self) -> float:
        """A number in [0, 1)."""
        if not self._numbers:
            digest = hashlib.blake2b(f"{self._key}{self._block}".encode()).digest()
            self._numbers = list(_NUMBERS.unpack(digest))
            self._block += 1
        return self._numbers.pop() * _SCALE

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.fraction() < probability

    def below(self, bound: int) -> int:
        """An integer in [0, bound)."""
        return int(self.fraction() * bound)

    def skewed(self, bound: int, power: float = 2.0) -> int:
        """An integer in [0, bound) that is the likelier the smaller it is."""
        return int(self.fraction() ** power * bound)

    def one(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[int(self.fraction() * len(items))]

    def some(self, count: int, bound: int) -> list[int]:
        """Up to `count` different integers below `bound`, in rising order."""
        if count >= bound:
            return list(range(bound))
        chosen: set[int] = set()
        while len(chosen) < count:
            chosen.add(int(self.fraction() * bound))
        return sorted(chosen)

    def between(self, low: float, high: float) -> float:
        """A number in [low, high), log-uniform: as many between 10 and 20 as between 100 and 200."""
        return low * math.exp(self.fraction() * math.log(high / low))

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """The items in a drawn order."""
        keyed = sorted((self.fraction(), position) for position in range(len(items)))
        return [items[position] for _, position in keyed]
