"""Rows of a source file, whatever its format; what can't be read ends as one line."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from training.errors import TrainingError
from vitrine.errors import InvalidArgument
from vitrine.rows import Row, RowFile


def read_rows(path: Path) -> Iterator[Row]:
    """The file's rows, one after the other. Raises TrainingError for a file that is missing, cut short or no table."""
    try:
        yield from RowFile(path).rows()
    except InvalidArgument as error:
        raise TrainingError(error.violations[0].description) from error


def event_paths(paths: Sequence[Path]) -> list[Path]:
    """The files, and for a folder (as `vitrine events export` writes) its Parquet files. Raises TrainingError."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        if not inside:
            raise TrainingError(f"{path}: a folder without Parquet files; give what `vitrine events export` wrote")
        found += inside
    return found


def need_columns(path: Path, row: Row, needed: Collection[str]) -> None:
    """Raises TrainingError when a row lacks a column, naming those that it has."""
    if missing := [name for name in needed if name not in row.values]:
        raise TrainingError(
            f"{path}, line {row.line}: no column {missing[0]!r}; it has {', '.join(map(repr, row.values)) or 'none'}"
        )
