"""Training pairs on disk, read one at a time, so that memory does not grow with their number."""

import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import overload

from training.errors import TrainingError


@dataclass(frozen=True)
class MinedPair:
    """A query with its product's text and hard negatives; every text with its group ("" is none)."""

    query: str
    document: str
    group: str
    label: float
    weight: float
    negatives: tuple[tuple[str, str], ...]


class PairFile(Sequence[MinedPair]):
    """JSON lines; of the file memory holds where its lines begin."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts = array("Q")
        at = 0
        with path.open("rb") as lines:
            for line in lines:
                self._starts.append(at)
                at += len(line)
        self._file = path.open("rb")

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, at: int) -> MinedPair: ...
    @overload
    def __getitem__(self, at: slice) -> list[MinedPair]: ...
    def __getitem__(self, at: int | slice) -> MinedPair | list[MinedPair]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        self._file.seek(self._starts[at])
        try:
            values = json.loads(self._file.readline())
            values["negatives"] = tuple((text, group) for text, group in values["negatives"])
            return MinedPair(**values)
        except (ValueError, TypeError, KeyError) as error:
            raise TrainingError(f"{self._path} is damaged at pair {at + 1}; delete it to make it again") from error

    def close(self) -> None:
        self._file.close()


def write_pairs(path: Path, pairs: Iterable[MinedPair]) -> None:
    """Write the file in whole."""
    scratch = path.with_name(f".{path.name}.tmp")
    with scratch.open("w", encoding="utf-8") as lines:
        for pair in pairs:
            lines.write(json.dumps(asdict(pair), ensure_ascii=False, separators=(",", ":")) + "\n")
    scratch.replace(path)
