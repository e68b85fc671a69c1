"""A field sheet: the values of some versions in columns, made beside the writer, which only has to append them."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.retriever.conditions import Values


@dataclass(frozen=True, slots=True)
class WordValues:
    """A key's words, each once: `words[codes[i]]` is one of the version at `owners[i]`, ascending from 0."""

    owners: NDArray[np.int32]
    codes: NDArray[np.int32]
    words: Sequence[str]

    @classmethod
    def of(cls, owners: Sequence[int], words: Sequence[str]) -> "WordValues":
        """A word for each of the owners."""
        codes: dict[str, int] = {}
        coded = [codes.setdefault(word, len(codes)) for word in words]
        return cls(np.array(owners, np.int32), np.array(coded, np.int32), list(codes))


@dataclass(frozen=True, slots=True)
class NumberValues:
    """A key's numbers: `numbers[i]` is one of the version at `owners[i]`, ascending from 0."""

    owners: NDArray[np.int32]
    numbers: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FieldSheet:
    """Values by key of as many versions as there are `id_hashes`."""

    id_hashes: NDArray[np.uint32]
    words: Mapping[str, WordValues]
    numbers: Mapping[str, NumberValues]

    @classmethod
    def of(cls, ids: Sequence[str], values: Sequence[Values]) -> "FieldSheet":
        """The sheet of versions with these ids and values."""
        words: dict[str, tuple[list[int], list[str]]] = {}
        numbers: dict[str, tuple[list[int], list[float]]] = {}
        for place, fields in enumerate(values):
            for key, found in fields.items():
                for value in found:
                    if isinstance(value, str):
                        owners, texts = words.setdefault(key, ([], []))
                        owners.append(place)
                        texts.append(value)
                    else:
                        places, counted = numbers.setdefault(key, ([], []))
                        places.append(place)
                        counted.append(value)
        return cls(
            np.fromiter(map(id_hash, ids), np.uint32, len(ids)),
            {key: WordValues.of(*pairs) for key, pairs in words.items()},
            {key: NumberValues(np.array(at, np.int32), np.array(n, np.float64)) for key, (at, n) in numbers.items()},
        )


def id_hash(product_id: str) -> int:
    """32 bits by which an id is found in columns, the same in every process: saved ones are found by it, too."""
    return zlib.crc32(product_id.encode())
