"""Lists that a ranker learns on: a query's candidates as the gateway would ask for them, kept in a file of a run."""

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from training.errors import TrainingError

Origin = Literal["labels", "catalogue"]


@dataclass(frozen=True)
class ServedList:
    """One query's candidates in the retriever's order; all tuples are of one length.

    `places` are ranks in that order, from 1. With origin "labels" `relevance` is in [0, 1] and 0 where nobody labelled
    the product; with origin "catalogue" nobody labelled anything, and `relevance` is what the catalogue alone adds to
    or takes from a likeness (`training.catalogue_labels`). A candidate of weight 0 is measured and not learned from.
    """

    query: str
    origin: Origin
    product_ids: tuple[str, ...]
    documents: tuple[str, ...]
    dense: tuple[float, ...]
    lexical: tuple[float, ...]
    places: tuple[int, ...]
    relevance: tuple[float, ...]
    weights: tuple[float, ...]
    labelled: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.product_ids)


class ListFile(Sequence[ServedList]):
    """Lists in JSON lines, read one at a time: of the file memory holds where its lines begin."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts = array("Q")
        at = 0
        try:
            with path.open("rb") as lines:
                for line in lines:
                    self._starts.append(at)
                    at += len(line)
        except OSError as error:
            raise TrainingError(f"cannot read {path}: {error.strerror}") from error

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> ServedList:  # type: ignore[override]
        with self._path.open("rb") as lines:
            lines.seek(self._starts[index])
            line = lines.readline()
        try:
            values: dict[str, Any] = json.loads(line)
            fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
            return ServedList(**fields)
        except (ValueError, TypeError) as error:
            raise TrainingError(f"{self._path} is damaged at list {index + 1}; delete it to make it again") from error

    def __iter__(self) -> Iterator[ServedList]:
        return (self[index] for index in range(len(self)))


def list_line(served: ServedList) -> str:
    """The list as a line of its file."""
    return json.dumps(asdict(served), ensure_ascii=False, separators=(",", ":")) + "\n"
