"""A result written to a JSON file."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from training.errors import TrainingError
from training.whole_folder import check_file
from vitrine.errors import FailedPrecondition

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def check_writable(*paths: Path | None) -> None:
    """Raises FailedPrecondition when a file cannot be written where it is to be: before the work, not after it."""
    try:
        for path in paths:
            if path is not None:
                check_file(path)
    except TrainingError as error:
        raise FailedPrecondition(str(error)) from error


def write_json(result: "DataclassInstance", path: Path) -> None:
    """Writes a result whole or not at all. Raises FailedPrecondition when that cannot be."""
    scratch = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps(asdict(result), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        raise FailedPrecondition(f"the result cannot be written: {error}") from error
