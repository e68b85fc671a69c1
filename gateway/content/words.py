"""The words of a review or guide, as its quality and likeness are told by: in any language, without a list of words."""

import re
from functools import lru_cache

from vitrine.product import Product
from vitrine.product_text import RANKING_DESCRIPTION_CHARACTERS
from vitrine.text import normalize_text

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af"
_WORD = re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+")


def text_of(product: Product) -> str:
    """What it says, as far as the retriever's answers carry it."""
    return f"{product.title} {product.description[:RANKING_DESCRIPTION_CHARACTERS]}".strip()


def is_whole(product: Product) -> bool:
    """Whether `text_of` is all that it says."""
    return len(product.description) < RANKING_DESCRIPTION_CHARACTERS


# The same reviews are candidates again and again.
@lru_cache(maxsize=8_192)
def words_of(text: str) -> tuple[str, ...]:
    """Normalised words in order, each Han character one of its own."""
    return tuple(_WORD.findall(normalize_text(text)))


def is_han(word: str) -> bool:
    """Whether the word is a Han character."""
    return len(word) == 1 and word > "\u33ff"
