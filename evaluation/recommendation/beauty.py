"""Reads Amazon Beauty, 5-core: 22,363 users' items in time order, and attributes of the items."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluation.recommendation.data import Dataset, numbered, tfidf_vectors
from evaluation.recommendation.leave_one_out import from_histories, once_each
from training.run_folder import file_digest
from vitrine.errors import invalid


def read_beauty(data_dir: Path) -> Dataset:
    """The data set in `data_dir`/beauty. Raises InvalidArgument naming the file and line that is wrong."""
    path = data_dir / "beauty" / "interactions.txt.gz"
    histories = []
    repeats = 0
    for number, line in enumerate(_lines(path), 1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) < 2 or not all(cell.isdigit() for cell in cells):
            raise invalid(str(path), f"line {number} is not a user id and item ids, whole numbers with a space between")
        histories.append(once_each(cells[1:]))
        repeats += len(cells) - 1 - len(histories[-1])
    if not histories:
        raise invalid(str(path), "has no user; each line is a user id and item ids in time order")
    attributes_path = data_dir / "beauty" / "item2attributes.json.gz"
    attributes = _attributes(attributes_path)
    ids, numbers = numbered(one for history in histories for one in history)
    return from_histories(
        "beauty",
        "+".join(file_digest(one)[:16] for one in (path, attributes_path)),
        [[numbers[one] for one in history] for history in histories],
        ids,
        tfidf_vectors([attributes.get(one, []) for one in ids]),
        [f"{repeats:,} repeated items of a history counted where they came last"] if repeats else [],
    )


def _lines(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise invalid(str(path), f"is not UTF-8: {error}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise invalid(str(path), f"cannot be read ({error}); --data-dir names the folder that holds it") from error


def _attributes(path: Path) -> dict[str, list[int]]:
    try:
        found: Any = json.loads("".join(_lines(path)))
    except ValueError as error:
        raise invalid(str(path), f"is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise invalid(str(path), f"is a JSON {type(found).__name__}; an object of attribute ids by item id is needed")
    for item, own in found.items():
        if not isinstance(own, list) or not all(isinstance(one, int) for one in own):
            raise invalid(str(path), f"item {item!r} has {own!r:.80}; a list of attribute ids is needed")
    return found
