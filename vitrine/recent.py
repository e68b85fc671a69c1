"""What was used last: a bounded map from which the longest unused entry goes first. For several threads."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps the `size` entries used last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The entry, which counts as used; None where there is none."""
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def get_all(self, keys: Iterable[K]) -> dict[K, V]:
        """The entries that are there, which count as used."""
        found: dict[K, V] = {}
        with self._lock:
            for key in keys:
                if (value := self._entries.get(key)) is not None:
                    self._entries.move_to_end(key)
                    found[key] = value
        return found

    def items(self) -> list[tuple[K, V]]:
        """Every entry, the longest unused first; none of them counts as used."""
        with self._lock:
            return list(self._entries.items())

    def setdefault(self, key: K, value: V) -> V:
        """The entry there is, or `value`, which is then kept."""
        with self._lock:
            value = self._entries.setdefault(key, value)
            self._entries.move_to_end(key)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)
            return value

    def put(self, key: K, value: V) -> None:
        """Keeps the entry, in place of the one there was."""
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def remove(self, key: K) -> None:
        """Forgets the entry."""
        with self._lock:
            self._entries.pop(key, None)
