"""A shop's own text for pre-training: streamed from its files, cleaned, and each text once."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from training.errors import TrainingError
from training.near_duplicates import NearDuplicates
from training.sources.catalogue import read_products
from training.sources.reading import read_rows
from vitrine.product import Product
from vitrine.text import normalize_text

_MARKUP = re.compile(r"<[^>]+>|https?://\S+|&[a-z]+;")
_DIGITS = re.compile(r"\d+")
_MIN_CHARACTERS = 4
_REVIEW_COLUMNS = ("text", "content", "body", "review")


def shop_texts(
    products: Sequence[Path], reviews: Sequence[Path], mapping: Path | None, note: Callable[[str], None]
) -> Iterator[str]:
    """Titles with descriptions, titles with attributes, and reviews, streamed; `note` hears what is left out.

    Raises TrainingError naming a file that can't be read, or has no product or no review.
    """
    for product in read_products(products, mapping, note):
        yield from _product_texts(product)
    for path in reviews:
        found = False
        for row in read_rows(path):
            if row.fault:
                raise TrainingError(f"{path}, line {row.line}: {row.fault}")
            texts = [str(row.values[name]) for name in _REVIEW_COLUMNS if row.values.get(name)]
            found = found or bool(texts)
            yield from texts[:1]
        if not found:
            raise TrainingError(f"{path}: no review; it needs a column named {' or '.join(_REVIEW_COLUMNS)}")


def _product_texts(product: Product) -> Iterator[str]:
    title = product.title if product.brand in product.title else f"{product.brand} {product.title}"
    yield f"{title}. {product.description}" if product.description else title
    if product.attributes:
        said = (f"{name.replace('_', ' ')} {' '.join(map(str, values))}" for name, values in product.attributes.items())
        yield f"{title}: {', '.join(said)}"


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
