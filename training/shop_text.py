"""A shop's own text for pre-training: streamed from its files, cleaned, and each text once."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from training.errors import TrainingError
from training.near_duplicates import NearDuplicates
from training.shop_files import ShopItem
from training.sources.reading import read_rows
from vitrine.text import normalize_text

_MARKUP = re.compile(r"<[^>]+>|https?://\S+|&[a-z]+;")
_DIGITS = re.compile(r"\d+")
_MIN_CHARACTERS = 4
_REVIEW_COLUMNS = ("text", "content", "body", "review")


def product_texts(items: Iterable[ShopItem]) -> Iterator[str]:
    """Titles with descriptions and titles with attributes, streamed."""
    for item in items:
        title = item.title if item.brand in item.title else f"{item.brand} {item.title}"
        yield f"{title}. {item.summary}" if item.summary else title
        if item.attributes:
            said = (f"{name.replace('_', ' ')} {value}" for name, value in item.attributes.items())
            yield f"{title}: {', '.join(said)}"


def review_texts(paths: Sequence[Path]) -> Iterator[str]:
    """What reviewers wrote, streamed. Raises TrainingError naming a file that can't be read or has no review."""
    for path in paths:
        found = False
        for row in read_rows(path):
            if row.fault:
                raise TrainingError(f"{path}, line {row.line}: {row.fault}")
            texts = [str(row.values[name]) for name in _REVIEW_COLUMNS if row.values.get(name)]
            found = found or bool(texts)
            yield from texts[:1]
        if not found:
            raise TrainingError(f"{path}: no review; it needs a column named {' or '.join(_REVIEW_COLUMNS)}")


def cleaned_texts(texts: Iterable[str]) -> Iterator[str]:
    """Normalised texts without markup and links, none too short; each once.

    Texts that differ in digits alone are the same, and so are those that share most of their characters' runs.
    """
    seen: set[int] = set()
    near = NearDuplicates()
    for text in texts:
        cleaned = normalize_text(_MARKUP.sub(" ", text))
        shape = hash(_DIGITS.sub("0", cleaned))
        if len(cleaned) < _MIN_CHARACTERS or shape in seen:
            continue
        seen.add(shape)
        if near.is_new(cleaned):
            yield cleaned
