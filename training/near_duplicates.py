"""Tells texts that say nearly the same, with little memory: MinHash over character n-grams, banded.

Method: Broder 1997 (MinHash) and locality-sensitive hashing by bands. Two texts are taken for one when a band of their
signatures is equal: with 8 bands of 8, likely (over 0.97) where nine tenths of the n-grams are shared, unlikely (under
0.04) where half are. Each text kept costs eight numbers, and its words nothing.
"""

import numpy as np
from numpy.typing import NDArray

_GRAM = 3  # characters: a syllable of English, a word of Chinese
_BANDS, _ROWS = 8, 8
_SEED = 41


class NearDuplicates:
    """Remembers texts by the bands of their signatures."""

    def __init__(self) -> None:
        rng = np.random.default_rng(_SEED)
        numbers = rng.integers(1, 2**63, (2, _BANDS * _ROWS), dtype=np.uint64)
        self._factors, self._terms = numbers[0] | np.uint64(1), numbers[1]
        self._mix = rng.integers(1, 2**63, _ROWS, dtype=np.uint64) | np.uint64(1)
        self._seen: list[set[int]] = [set() for _ in range(_BANDS)]

    def is_new(self, text: str) -> bool:
        """Whether no text given before is nearly this one; if so it is remembered."""
        bands = self._bands(text)
        if any(band in seen for band, seen in zip(bands, self._seen, strict=True)):
            return False
        for band, seen in zip(bands, self._seen, strict=True):
            seen.add(band)
        return True

    def _bands(self, text: str) -> list[int]:
        # Multiply-shift hashing: the upper half of a 64-bit product is spread evenly (Dietzfelbinger et al. 1997).
        hashes = _grams(text)[:, None] * self._factors + self._terms
        least = (hashes >> np.uint64(32)).min(axis=0).reshape(_BANDS, _ROWS)
        mixed: NDArray[np.uint64] = (least * self._mix).sum(axis=1, dtype=np.uint64)
        bands: list[int] = mixed.tolist()
        return bands


def _grams(text: str) -> NDArray[np.uint64]:
    """A number for each run of three characters, (n,) with n >= 1."""
    codes = np.frombuffer(text.ljust(_GRAM).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    grams = codes[: -_GRAM + 1].copy()
    for offset in range(1, _GRAM):
        grams = grams * np.uint64(1_000_003) + codes[offset : len(codes) - _GRAM + 1 + offset]
    return np.unique(grams)
