"""A buffer: an array that one writer appends to while readers hold views of its beginning."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Buffer:
    """Grows at its end; what was handed out before never changes."""

    def __init__(self, dtype: DTypeLike, *width: int) -> None:
        self._data: NDArray[Any] = np.empty((1_024, *width), dtype)
        self.count = 0

    def extend(self, values: NDArray[Any]) -> None:
        """Appends (n, *width) values."""
        end = self.count + len(values)
        if end > len(self._data):
            # Memory that was never touched is not resident, so room to spare costs nothing and copies are seldom.
            grown = np.empty((max(end, len(self._data) * 4), *self._data.shape[1:]), self._data.dtype)
            grown[: self.count] = self._data[: self.count]
            self._data = grown
        self._data[self.count : end] = values
        self.count = end

    def view(self) -> NDArray[Any]:
        """(count, *width): all so far."""
        return self._data[: self.count]
