"""Factors of products in one byte a number: a third of the time finds the best by them, to be scored again."""

from typing import Any

import numpy as np
import simsimd
from numpy.typing import NDArray

from vitrine.vectors import FloatArray

_LEVELS = 127.0
# Proposed for each one wanted: of 100 wanted, these hold all (measured with factors of 64 and 128 numbers).
_BREADTH = 2
# Some of what is called is not in the package's type stubs.
_simsimd: Any = simsimd


class CoarseFactors:
    """(p, f) factors, each a multiple of its own largest number / 127. Nothing in it changes."""

    def __init__(self, factors: FloatArray) -> None:
        largest = np.abs(factors).max(axis=1, initial=0.0)
        self._scales = (np.where(largest > 0, largest, 1.0) / _LEVELS).astype(np.float32)
        self._codes = np.round(factors / self._scales[:, None]).astype(np.int8)

    def proposed(self, user: FloatArray, usable: NDArray[np.bool_], wanted: int) -> NDArray[np.int64]:
        """Numbers of usable (p,) products among which the best `wanted` for the (f,) user are; all where so few are."""
        numbers = np.flatnonzero(usable)
        if len(numbers) <= _BREADTH * wanted:
            return numbers
        step = np.abs(user).max() / _LEVELS or 1.0
        asked = np.round(user / step).astype(np.int8)
        scores = np.asarray(_simsimd.cdist(asked[None], self._codes, "dot"), np.float32)[0] * self._scales
        scores[~usable] = -np.inf
        return np.argpartition(-scores, _BREADTH * wanted)[: _BREADTH * wanted]
