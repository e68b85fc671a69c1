"""Reads Chinese product titles as a shop, judged by the labelled pairs of their queries."""

from collections import defaultdict
from pathlib import Path

from evaluation.chinese_pairs import read_chinese_pairs
from evaluation.judged_data import Grades, JudgedShop, judged_shop, read_rows
from vitrine.errors import invalid
from vitrine.product import Product


def read_chinese_shop(data_dir: Path) -> JudgedShop:
    """The titles in `data_dir`/zh, each once; graded 1 where a pair belongs together, else 0.

    Raises InvalidArgument naming the file and line that is wrong.
    """
    path = data_dir / "zh" / "titles.jsonl.gz"
    pairs = read_chinese_pairs(data_dir)
    titles: dict[str, str] = {}
    for number, row in enumerate(read_rows(path), 1):
        try:
            titles.setdefault(row["title"], str(len(titles)))
        except KeyError as error:
            raise invalid(str(path), f"line {number} has no {error}") from None
    grades: dict[str, Grades] = defaultdict(dict)
    for pair in pairs:
        if pair.title not in titles:
            raise invalid(str(path), f"lacks the title {pair.title!r}, which pairs.jsonl.gz judges")
        grades[pair.query][titles[pair.title]] = int(pair.relevant)
    products = tuple(Product(number, title) for title, number in titles.items())
    return judged_shop("zh-shop", products, dict(grades))
