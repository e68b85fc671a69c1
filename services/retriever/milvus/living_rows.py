"""Row keys of the versions that live, as of one moment: what suggestions may show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.retriever.columns import BoolArray, IntArray

# Of so many dead ones the rest is copied, rather than kept beside them.
_DEAD_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class LivingRows:
    """`rows` (n,) ascending, `alive` (n,); nothing in it changes."""

    rows: IntArray
    alive: BoolArray

    @classmethod
    def none(cls) -> "LivingRows":
        """Of an empty catalogue."""
        return cls(np.empty(0, np.int64), np.empty(0, np.bool_))

    def lives(self, rows: IntArray) -> BoolArray:
        """Whether the version of each row key lives."""
        positions = self._positions(rows)
        return (positions >= 0) & self.alive[positions] if len(self.rows) else np.zeros(len(rows), np.bool_)

    def after(self, dead: Sequence[int], added: Sequence[int]) -> "LivingRows":
        """The same after versions died and others, with larger row keys, came."""
        rows = np.concatenate([self.rows, np.asarray(added, np.int64)])
        alive = np.concatenate([self.alive, np.ones(len(added), np.bool_)])
        grown = LivingRows(rows, alive)
        positions = grown._positions(np.asarray(dead, np.int64))
        alive[positions[positions >= 0]] = False
        if len(rows) - np.count_nonzero(alive) > _DEAD_SHARE * len(rows):
            return LivingRows(rows[alive], alive[alive])
        return grown

    def _positions(self, rows: IntArray) -> IntArray:
        if not len(self.rows):
            return np.full(len(rows), -1, np.int64)
        positions = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.where(self.rows[positions] == rows, positions, -1)
