"""A product as the catalogue keeps it: JSON without the description, which is long and seldom read."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from vitrine.product import Availability, Product, ProductKind

# Made once: `json.dumps` makes an encoder for each call that is not as it would have it.
_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def document_of(product: Product) -> str:
    """JSON of the product without id, description and revision; those have columns of their own."""
    document: dict[str, Any] = {"title": product.title}
    if product.brand:
        document["brand"] = product.brand
    if product.categories:
        document["categories"] = product.categories
    if product.price is not None:
        document["price"] = product.price
    if product.original_price is not None:
        document["original_price"] = product.original_price
    if product.currency_code:
        document["currency_code"] = product.currency_code
    if product.availability is not Availability.IN_STOCK:
        document["availability"] = product.availability.value
    if product.attributes:
        document["attributes"] = product.attributes
    if product.image_uris:
        document["image_uris"] = product.image_uris
    document["language"] = product.language
    if product.update_time is not None:
        document["update_time"] = product.update_time.isoformat()
    if product.kind is not ProductKind.PRODUCT:
        document["kind"] = product.kind.value
    if product.about_product_ids:
        document["about_product_ids"] = product.about_product_ids
    if product.rating is not None:
        document["rating"] = product.rating
    return _JSON(document)


def product_of(product_id: str, document: str, revision: int, description: str = "") -> Product:
    """The product that `document_of` wrote, with its description put back."""
    fields = json.loads(document)
    update_time = fields.get("update_time")
    return Product(
        id=product_id,
        title=fields["title"],
        description=description,
        brand=fields.get("brand", ""),
        categories=tuple(fields.get("categories", ())),
        price=fields.get("price"),
        original_price=fields.get("original_price"),
        currency_code=fields.get("currency_code", ""),
        availability=Availability(fields.get("availability", Availability.IN_STOCK.value)),
        attributes={name: tuple(values) for name, values in fields.get("attributes", {}).items()},
        image_uris=tuple(fields.get("image_uris", ())),
        language=fields["language"],
        update_time=datetime.fromisoformat(update_time) if update_time else None,
        revision=revision,
        # What was written before there was content has none of these.
        kind=ProductKind(fields.get("kind", ProductKind.PRODUCT.value)),
        about_product_ids=tuple(fields.get("about_product_ids", ())),
        rating=fields.get("rating"),
    )


def with_description(product: Product, description: str) -> Product:
    """The product with its description put back."""
    return replace(product, description=description) if description else product
