"""The digest of what a product says: equal for equal content, whichever process makes it."""

import hashlib
import json

from vitrine.product import Product

DIGEST_BYTES = 16
# Made once: `json.dumps` makes an encoder for each call that is not as it would have it.
_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def content_digest(product: Product) -> bytes:
    """16 bytes: BLAKE2b over the content of a product as `checked_product` leaves it.

    Update time and revision are left out: they say when, not what. The order of attributes is none of its content.
    """
    content = (
        product.id,
        product.title,
        product.brand,
        product.categories,
        product.description,
        _number(product.price),
        _number(product.original_price),
        product.currency_code,
        product.availability.value,
        [(name, *map(_plain, values)) for name, values in sorted(product.attributes.items())],
        product.image_uris,
        product.language,
        product.kind.value,
        product.about_product_ids,
        _number(product.rating),
    )
    encoded = _JSON(content).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(encoded, digest_size=DIGEST_BYTES).digest()


def _number(number: float | None) -> float | None:
    # 10 and 10.0 are written alike, and the wire knows only the latter.
    return None if number is None else float(number)


def _plain(value: str | float) -> str | float:
    return value if isinstance(value, str) else float(value)
