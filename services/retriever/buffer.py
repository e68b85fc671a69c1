"""A buffer: an array that one writer appends to while readers hold views of its beginning."""

import mmap
import os
import tempfile
import weakref
from pathlib import Path
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


class MappedBuffer(Buffer):
    """A buffer in a file in `folder`, mapped: the system holds in memory what is read, while there is room.

    The file has no name and goes with the process. Raises OSError where it cannot be written.
    """

    def __init__(self, dtype: DTypeLike, *width: int, folder: Path | None) -> None:
        self._data = np.empty((0, *width), dtype)
        self.count = 0
        self._item = self._data.dtype.itemsize * int(np.prod(width))
        self._file, name = tempfile.mkstemp(dir=folder)
        os.unlink(name)
        weakref.finalize(self, os.close, self._file)

    def extend(self, values: NDArray[Any]) -> None:
        """Appends (n, *width) values."""
        # Written, and not through the map: there a full disk would end the process.
        left = np.ascontiguousarray(values, self._data.dtype).reshape(-1).view(np.uint8).data
        offset = self.count * self._item
        while left:
            written = os.pwrite(self._file, left, offset)
            left, offset = left[written:], offset + written
        self.count += len(values)
        if self.count > len(self._data):
            # Room to spare is a hole in the file.
            room = max(1_024, 4 * self.count)
            os.truncate(self._file, room * self._item)
            mapped = mmap.mmap(self._file, room * self._item, access=mmap.ACCESS_READ)
            mapped.madvise(mmap.MADV_RANDOM)
            self._data = np.frombuffer(mapped, self._data.dtype).reshape(room, *self._data.shape[1:])
