"""Reads Amazon Video Games in RecBole's atomic files: titles, and each user's history with the next item."""

import html
from collections.abc import Iterator
from pathlib import Path

from evaluation.recommendation.data import Dataset, TextVectors, numbered
from evaluation.recommendation.leave_one_out import from_histories, once_each
from training.run_folder import file_digest
from vitrine.errors import InvalidArgument, invalid
from vitrine.product import MAX_TITLE_CHARACTERS, Product
from vitrine.rows import RowFile


def read_games(data_dir: Path, vectors_of: TextVectors) -> Dataset:
    """The data set in `data_dir`/games. Raises InvalidArgument naming the file, line and column that is wrong."""
    items_path, path = (data_dir / "games" / name for name in ("items.tsv.gz", "sequences.tsv.gz"))
    titles = {}
    for line, (item, title) in _rows(items_path, ("item_id:token", "title:token_seq")):
        if not item or not title.strip():
            raise invalid(str(items_path), f"line {line}: column {'item_id' if not item else 'title'} is empty")
        titles[item] = html.unescape(title).strip()
    histories = []
    unchanged = repeats = 0
    for line, (_, listed, target) in _rows(path, ("user_id:token", "item_id_list:token_seq", "item_id:token")):
        history = [*listed.split(), target]
        for column, one in (*(("item_id_list", one) for one in history[:-1]), ("item_id", target)):
            if one not in titles:
                raise invalid(str(path), f"line {line}, column {column}: item {one!r} is not in {items_path.name}")
        if target in history[:-1]:
            unchanged += 1
            continue
        histories.append(once_each(history))
        repeats += len(history) - len(histories[-1])
    if not histories:
        raise invalid(str(path), "has no user with a next item that is new to the history")
    ids, numbers = numbered(titles)
    notes = [
        f"{count:,} {what}"
        for count, what in (
            (unchanged, "users whose next item is in their history left out"),
            (repeats, "repeated items of a history counted where they came last"),
        )
        if count
    ]
    return from_histories(
        "games",
        "+".join(file_digest(one)[:16] for one in (items_path, path)),
        [[numbers[one] for one in history] for history in histories],
        ids,
        vectors_of([Product(id=one, title=titles[one][:MAX_TITLE_CHARACTERS]) for one in ids]),
        notes,
    )


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    try:
        for row in RowFile(path).rows():
            if row.fault:
                raise invalid(str(path), f"line {row.line} {row.fault}")
            if missing := [name for name in columns if name not in row.values]:
                raise invalid(str(path), f"has no column {missing[0]!r}; it has {', '.join(map(repr, row.values))}")
            yield row.line, [row.values[name] for name in columns]
    except InvalidArgument as error:
        if error.violations[0].field == "PATH":
            said = f"{error.violations[0].description}; --data-dir names the folder that holds it"
            raise invalid(str(path), said) from error
        raise
