"""Reads the shops' files that training may use into one plain record: Icecat, Vespa's products and litemall.

Layouts: the data folder's README. Only sets marked "may train" are read here; judged pairs never are.
"""

import gzip
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.errors import TrainingError
from vitrine.product_text import title_and_description

_TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True)
class ShopItem:
    """One product as training sees it. `model`: its model name or number; `kind`: its product type; "" when unknown."""

    id: str
    title: str
    language: str
    brand: str = ""
    model: str = ""
    kind: str = ""
    summary: str = ""
    attributes: dict[str, str] = field(default_factory=dict)

    def words(self, columns: tuple[int, int]) -> str:
        """The text that a model reads of it, as in serving: title and summary, at most so many columns of each."""
        return title_and_description(self.brand, self.title, self.summary, *columns)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a gzipped JSON-lines file. Raises TrainingError naming the file and line that can't be read."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise TrainingError(f"{path}, line {number}: not JSON") from error
    except (OSError, EOFError) as error:
        raise TrainingError(f"cannot read {path}: {error}") from error


def read_icecat(data_dir: Path) -> list[ShopItem]:
    """Electronics, English; attribute names without their `attr_t_`/`attr_n_` prefix, booleans left out."""
    return [
        ShopItem(
            id=str(row["id"]),
            title=row["title"],
            language="en",
            brand=row.get("supplier") or "",
            model=row.get("name") or "",
            kind=str(row.get("attr_t_product_type") or ""),
            summary=row.get("short_description") or "",
            attributes={
                name[7:]: str(value)
                for name, value in row.items()
                if name.startswith(("attr_t_", "attr_n_")) and value not in (None, "")
            },
        )
        for row in read_lines(data_dir / "icecat" / "products.jsonl.gz")
    ]


def read_vespa(data_dir: Path) -> list[ShopItem]:
    """Toys, instruments and e-books, English; the summary is the description's first sentence after its heading."""
    return [
        ShopItem(
            id=str(row["id"]),
            title=row["title"],
            language="en",
            kind=str(row.get("category") or "").replace("_", " "),
            summary=_first_sentence(row.get("description") or ""),
        )
        for row in read_lines(data_dir / "vespa_products" / "products.jsonl.gz")
    ]


def read_litemall(data_dir: Path) -> list[ShopItem]:
    """A Chinese home shop; kind is the category's name, attributes the goods_attribute rows."""
    folder = data_dir / "litemall"
    categories = {row["id"]: row["name"] for row in read_lines(folder / "category.jsonl.gz")}
    brands = {row["id"]: row["name"] for row in read_lines(folder / "brand.jsonl.gz")}
    attributes: dict[str, dict[str, str]] = {}
    for row in read_lines(folder / "goods_attribute.jsonl.gz"):
        attributes.setdefault(row["goods_id"], {})[row["attribute"]] = row["value"]
    return [
        ShopItem(
            id=row["id"],
            title=row["name"],
            language="zh",
            brand=brands.get(row["brand_id"], ""),
            kind=categories.get(row["category_id"], ""),
            summary=row.get("brief") or "",
            attributes=attributes.get(row["id"], {}),
        )
        for row in read_lines(folder / "goods.jsonl.gz")
    ]


def read_litemall_reviews(data_dir: Path) -> list[str]:
    """Review texts of the Chinese home shop."""
    return [row["content"] for row in read_lines(data_dir / "litemall" / "comment.jsonl.gz") if row.get("content")]


def read_vocabulary_texts(data_dir: Path) -> Iterator[str]:
    """Every text that vocabulary statistics may use, Chinese queries and titles too; optional files may be missing."""
    for item in [*read_icecat(data_dir), *read_vespa(data_dir), *read_litemall(data_dir)]:
        yield item.title
        yield item.summary
        yield from item.attributes.values()
    yield from read_litemall_reviews(data_dir)
    titles = data_dir / "zh" / "titles.jsonl.gz"
    if titles.exists():
        yield from (row["title"] for row in read_lines(titles))
    for name, column in (("zh/queries.tsv.gz", 1), ("games/items.tsv.gz", 1)):
        if (data_dir / name).exists():
            with gzip.open(data_dir / name, "rt", encoding="utf-8") as lines:
                yield from (html.unescape(line.rstrip("\n").split("\t")[column]) for line in lines if "\t" in line)


def _first_sentence(description: str) -> str:
    body = _TAG.sub(" ", description).split("\n\n", 1)[-1]
    return body.split(". ", 1)[0][:200]
