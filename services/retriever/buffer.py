"""A buffer: an array that one writer appends to while readers hold views of its beginning."""

import mmap
import os
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Reading an item takes a microsecond from memory and a hundred and more from a disk; of few, other things take longer.
_COLD_S = 20e-6
_FEW = 100
_COLD_FOR_S = 60.0


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
        self._mapped: mmap.mmap
        self._cold_until_s = 0.0
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
            self._mapped = mmap.mmap(self._file, room * self._item, access=mmap.ACCESS_READ)
            self._mapped.madvise(mmap.MADV_RANDOM)
            self._data = np.frombuffer(self._mapped, self._data.dtype).reshape(room, *self._data.shape[1:])

    @contextmanager
    def reading(self, positions: NDArray[np.int64]) -> Iterator[None]:
        """Around reading those items, in any thread: where the disk is waited for, it is asked for all of them before.

        Met one by one, each waits for itself, which takes ten times as long.
        """
        started_s = time.monotonic()
        if started_s < self._cold_until_s:
            self._ask_for(positions)
        yield
        # Asking costs more than reading what is in memory, so it is done only while some of it is not.
        if (ended_s := time.monotonic()) - started_s > _COLD_S * max(len(positions), _FEW):
            self._cold_until_s = ended_s + _COLD_FOR_S

    def _ask_for(self, positions: NDArray[np.int64]) -> None:
        starts = positions * self._item
        pages = starts // mmap.PAGESIZE * mmap.PAGESIZE
        for page, size in zip(pages.tolist(), (starts + self._item - pages).tolist(), strict=True):
            self._mapped.madvise(mmap.MADV_WILLNEED, page, size)
