"""The words of a product that the models read: short, because tokens are what serving costs."""

from functools import lru_cache

from vitrine.product import Product, ProductKind
from vitrine.text import normalize_text

# Limits in columns: a Han character takes two, as it says about as much as two letters and is about one token.
EMBEDDING_TITLE_COLUMNS, EMBEDDING_DESCRIPTION_COLUMNS = 200, 80
RANKING_TITLE_COLUMNS, RANKING_DESCRIPTION_COLUMNS = 100, 60
# What a review or guide says is in its description.
CONTENT_DESCRIPTION_COLUMNS = 240
# All of a description that the ranker's text is made of, before it is normalised.
RANKING_DESCRIPTION_CHARACTERS = 200


def embedding_text(product: Product) -> str:
    """The text whose vector stands for the product: brand and title, then the description's beginning; normalised.

    Of a review or guide more of the description: its words are there. Stars say nothing of what it is about.

    Measured on Icecat's judged lists with all-MiniLM-L6-v2: title alone 0.882, with 80 columns of description 0.920.
    """
    is_product = product.kind is ProductKind.PRODUCT
    description_columns = EMBEDDING_DESCRIPTION_COLUMNS if is_product else CONTENT_DESCRIPTION_COLUMNS
    return title_and_description(
        product.brand, product.title, product.description, EMBEDDING_TITLE_COLUMNS, description_columns
    )


def ranking_text(product: Product) -> str:
    """The text that the ranker reads beside the query: as for the embedding, shorter."""
    return _ranking_text(product.brand, product.title, product.description[:RANKING_DESCRIPTION_CHARACTERS])


# Every search makes it for its candidates, on the event loop: the same popular products again and again.
@lru_cache(maxsize=16_384)
def _ranking_text(brand: str, title: str, description: str) -> str:
    return title_and_description(brand, title, description, RANKING_TITLE_COLUMNS, RANKING_DESCRIPTION_COLUMNS)


def title_and_description(
    brand: str, title: str, description: str, title_columns: int, description_columns: int
) -> str:
    """Normalised brand (when the title lacks it), title and description, each part cut at a word's end."""
    title, brand = normalize_text(title), normalize_text(brand)
    head = _cut(title if not brand or brand in title else f"{brand} {title}", title_columns)
    tail = _cut(normalize_text(description), description_columns)
    return " ".join(part for part in (head, tail) if part)


def _cut(text: str, columns: int) -> str:
    """The longest beginning that takes at most `columns`, without a torn word where words are spaced."""
    if len(text) * 2 <= columns:
        return text
    left = columns
    for end, character in enumerate(text):
        left -= 1 if character < "\u2e80" else 2
        if left < 0:
            torn = character.isascii() and character.isalnum() and text[end - 1 : end].isalnum()
            space = text.rfind(" ", 0, end) if torn else -1
            return text[: space if space > 0 else end].rstrip()
    return text
