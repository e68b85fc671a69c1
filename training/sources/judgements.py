"""Judgement files: a grade for each pair of query and product, as people (or a rule) gave it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.errors import TrainingError
from training.sources.reading import need_columns, read_rows
from training.sources.store import SourceStore
from vitrine.rows import Row
from vitrine.text import normalize_text

_COLUMNS = ("query", "product_id", "grade")


def read_judgements(store: SourceStore, paths: Sequence[Path]) -> None:
    """Fill the store's labels; a pair judged more than once gets its mean grade.

    Raises TrainingError for a file without labels, labels that are all alike, a grade or query that is none (file and
    line), and labels of products that the catalogue lacks (how many, the first by name).
    """
    connection = store.connection
    connection.execute("CREATE TEMP TABLE judged(query TEXT, product TEXT, grade REAL)")
    for path in paths:
        before = connection.total_changes
        for row in read_rows(path):
            connection.execute("INSERT INTO judged VALUES (?, ?, ?)", _label(path, row))
        if connection.total_changes == before:
            raise TrainingError(f"{path}: no label; give rows of query, product_id and grade")
    names = ", ".join(path.name for path in paths)
    unknown = "FROM judged WHERE product NOT IN (SELECT id FROM product)"
    if missing := store.value(f"SELECT COUNT(*) {unknown}"):
        first = connection.execute(f"SELECT product {unknown} ORDER BY rowid LIMIT 1").fetchone()[0]
        raise TrainingError(
            f"{names}: {missing} labels are for products that the catalogue lacks, the first {first!r}; "
            "remove them or give the whole catalogue"
        )
    low, high, count = connection.execute("SELECT MIN(grade), MAX(grade), COUNT(*) FROM judged").fetchone()
    if low == high:
        raise TrainingError(f"{names}: all {count} labels have grade {low:g}; give at least two different grades")
    connection.execute(
        "INSERT INTO label(query, product, grade) SELECT query, product, AVG(grade) FROM judged "
        "GROUP BY query, product ORDER BY query, product"
    )
    connection.execute("DROP TABLE judged")


def _label(path: Path, row: Row) -> tuple[str, str, float]:
    where = f"{path}, line {row.line}"
    if row.fault:
        raise TrainingError(f"{where}: {row.fault}")
    need_columns(path, row, _COLUMNS)
    query = normalize_text(str(row.values["query"] or ""))
    product = row.values["product_id"]
    if not query or product in (None, ""):
        raise TrainingError(f"{where}: {'query' if not query else 'product_id'} is empty")
    return query, str(product), _grade(where, row.values["grade"])


def _grade(where: str, value: Any) -> float:
    try:
        grade = float(value)
    except (TypeError, ValueError):
        raise TrainingError(f"{where}: grade {value!r} is not a number") from None
    if not math.isfinite(grade) or grade < 0:
        raise TrainingError(f"{where}: grade {value!r}; grades are finite and not negative")
    return grade
