"""The words of a product that the models read: short, because tokens are what serving costs."""

from vitrine.product import Product
from vitrine.text import normalize_text

MAX_MODEL_CHARACTERS = 400


def embedding_text(product: Product) -> str:
    """The text whose vector stands for the product: brand and title, normalised."""
    return _brand_and_title(product)


def ranking_text(product: Product) -> str:
    """The text that the ranker reads beside the query: brand and title, normalised."""
    return _brand_and_title(product)


def _brand_and_title(product: Product) -> str:
    title = normalize_text(product.title)
    brand = normalize_text(product.brand)
    text = title if not brand or brand in title else f"{brand} {title}"
    return text[:MAX_MODEL_CHARACTERS]
