"""Reads labelled pairs of Chinese queries and product titles from two collections."""

from pathlib import Path

from evaluation.judged_data import LabelledPair, read_rows
from vitrine.errors import invalid


def read_chinese_pairs(data_dir: Path) -> list[LabelledPair]:
    """The pairs in `data_dir`/zh. Raises InvalidArgument naming the file and line that is wrong."""
    path = data_dir / "zh" / "pairs.jsonl.gz"
    pairs = []
    for number, row in enumerate(read_rows(path), 1):
        try:
            pairs.append(LabelledPair(row["query"], row["title"], bool(row["label"]), row["src"]))
        except KeyError as error:
            raise invalid(str(path), f"line {number} has no {error}") from None
    return pairs
