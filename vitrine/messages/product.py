"""Products and product filters."""

import math
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from vitrine.errors import invalid
from vitrine.offer import Offer
from vitrine.ports import ProductFilter
from vitrine.product import Availability, Product, ProductKind
from vitrine.product_text import RANKING_DESCRIPTION_CHARACTERS
from vitrine.recent import Recent
from vitrine.v1 import product_pb2, retriever_service_pb2

_AVAILABILITY_VALUES = {
    Availability.IN_STOCK: product_pb2.AVAILABILITY_IN_STOCK,
    Availability.OUT_OF_STOCK: product_pb2.AVAILABILITY_OUT_OF_STOCK,
    Availability.PREORDER: product_pb2.AVAILABILITY_PREORDER,
    Availability.BACKORDER: product_pb2.AVAILABILITY_BACKORDER,
}
_AVAILABILITIES: dict[int, Availability] = {value: availability for availability, value in _AVAILABILITY_VALUES.items()}
_KIND_VALUES = {
    ProductKind.PRODUCT: product_pb2.PRODUCT_KIND_PRODUCT,
    ProductKind.REVIEW: product_pb2.PRODUCT_KIND_REVIEW,
    ProductKind.GUIDE: product_pb2.PRODUCT_KIND_GUIDE,
}
_KINDS: dict[int, ProductKind] = {value: kind for kind, value in _KIND_VALUES.items()}
_NO_FILTER = ProductFilter()
# There are few; a message has room for millions, which would be read on the event loop.
_MAX_FILTER_VALUES = 100
# Longer ones are read and written each time: so many kept would take hundreds of MiB. So are those with more of a
# description than all have: whoever asks for it may walk through the whole catalogue, and the retriever puts it back
# into a product made anew for each search, which is not found again.
_MAX_KEPT_BYTES = 4_096
_MOST_KEPT = 4_096


def product_to_message(product: Product, with_description: bool = True) -> product_pb2.Product:
    """A product whose texts were cleaned by `checked_product`; without its description where that is not wanted."""
    message = product_pb2.Product(
        id=product.id,
        title=product.title,
        brand=product.brand,
        categories=product.categories,
        description=product.description if with_description else "",
        price=product.price,
        original_price=product.original_price,
        currency_code=product.currency_code,
        availability=_AVAILABILITY_VALUES[product.availability],
        image_uris=product.image_uris,
        language=product.language,
        revision=product.revision,
        kind=_KIND_VALUES[product.kind],
        about_product_ids=product.about_product_ids,
        rating=product.rating,
    )
    for name, values in product.attributes.items():
        kept = message.attributes[name]
        for value in values:
            if isinstance(value, str):
                kept.text.append(value)
            else:
                kept.numbers.append(value)
    if product.update_time is not None:
        message.update_time.FromDatetime(product.update_time)
    return message


# By the product's id and whether its description is there, so that a new version takes the place of the one before: of
# a catalogue that changes all day old versions would fill them.
_shown: Recent[tuple[str, bool], tuple[Product, product_pb2.Product]] = Recent(_MOST_KEPT)
_found: Recent[tuple[str, bool], tuple[bytes, Product]] = Recent(_MOST_KEPT)


def shown_product(product: Product, with_description: bool = True) -> product_pb2.Product:
    """As `product_to_message`, to be copied into an answer and never changed: the next answer may hold the same one.

    Searches show the same popular products again and again, and an engine has each of them once.
    """
    if with_description and len(product.description) > RANKING_DESCRIPTION_CHARACTERS:
        return product_to_message(product)
    key = (product.id, with_description)
    # To compare its fields would take as long as writing them.
    if (kept := _shown.get(key)) is not None and kept[0] is product:
        return kept[1]
    message = product_to_message(product, with_description)
    if message.ByteSize() <= _MAX_KEPT_BYTES:
        _shown.put(key, (product, message))
    return message


def found_product(message: product_pb2.Product) -> Product:
    """As `product_from_message`, and the same object for the same product: those found last are kept."""
    if len(message.description) > RANKING_DESCRIPTION_CHARACTERS:
        return product_from_message(message)
    key, data = (message.id, bool(message.description)), message.SerializeToString()
    # Searches find the same popular products again and again: to compare the bytes takes a tenth of reading them.
    if (kept := _found.get(key)) is not None and kept[0] == data:
        return kept[1]
    product = product_from_message(message)
    if len(data) <= _MAX_KEPT_BYTES:
        _found.put(key, (data, product))
    return product


def product_from_message(message: product_pb2.Product) -> Product:
    """The product as it was sent; `checked_product` validates it.

    Raises InvalidArgument only for what the plain data cannot hold: an unknown availability or kind, an attribute with
    words and numbers, a time outside the years 1 to 9999.
    """
    return Product(
        id=message.id,
        title=message.title,
        brand=message.brand,
        categories=tuple(message.categories),
        description=message.description,
        price=message.price if message.HasField("price") else None,
        original_price=message.original_price if message.HasField("original_price") else None,
        currency_code=message.currency_code,
        availability=_availability(message.availability or product_pb2.AVAILABILITY_IN_STOCK, "availability"),
        attributes={name: _attribute(name, message.attributes[name]) for name in message.attributes},
        image_uris=tuple(message.image_uris),
        language=message.language,
        update_time=_update_time(message.update_time) if message.HasField("update_time") else None,
        revision=message.revision,
        kind=_kind(message.kind or product_pb2.PRODUCT_KIND_PRODUCT, "kind"),
        about_product_ids=tuple(message.about_product_ids),
        rating=message.rating if message.HasField("rating") else None,
    )


def offer_to_message(offer: Offer) -> retriever_service_pb2.Offer:
    """An offer, field by field."""
    return retriever_service_pb2.Offer(
        id=offer.id,
        price=offer.price,
        original_price=offer.original_price,
        currency_code=offer.currency_code,
        availability=None if offer.availability is None else _AVAILABILITY_VALUES[offer.availability],
        keep_price=offer.keep_price,
    )


def offer_from_message(message: retriever_service_pb2.Offer) -> Offer:
    """An offer as it was sent. Raises InvalidArgument for an unknown availability."""
    return Offer(
        id=message.id,
        price=message.price if message.HasField("price") else None,
        original_price=message.original_price if message.HasField("original_price") else None,
        currency_code=message.currency_code,
        availability=_availability(message.availability, "availability") if message.availability else None,
        keep_price=message.keep_price,
    )


def filter_to_message(product_filter: ProductFilter) -> retriever_service_pb2.ProductFilter:
    """A filter, field by field."""
    return retriever_service_pb2.ProductFilter(
        categories=product_filter.categories,
        brands=product_filter.brands,
        min_price=product_filter.min_price,
        max_price=product_filter.max_price,
        currency_code=product_filter.currency_code,
        availabilities=[_AVAILABILITY_VALUES[availability] for availability in product_filter.availabilities],
        languages=product_filter.languages,
        kinds=[_KIND_VALUES[kind] for kind in product_filter.kinds],
        about_product_ids=product_filter.about_product_ids,
        product_ids=product_filter.product_ids,
        expression=product_filter.expression,
    )


def filter_from_message(message: retriever_service_pb2.ProductFilter, field: str = "filter") -> ProductFilter:
    """A filter. Raises InvalidArgument naming `field` for an unknown availability or kind, or a price that is none."""
    if not message.ListFields():
        return _NO_FILTER
    for name, values in (("availabilities", message.availabilities), ("kinds", message.kinds)):
        if len(values) > _MAX_FILTER_VALUES:
            raise invalid(f"{field}.{name}", f"has {len(values)} values; at most {_MAX_FILTER_VALUES} are allowed")
    prices = {name: getattr(message, name) if message.HasField(name) else None for name in ("min_price", "max_price")}
    for name, price in prices.items():
        if price is not None and not math.isfinite(price):
            raise invalid(f"{field}.{name}", f"is {price}; give a finite number or leave it out")
    return ProductFilter(
        categories=tuple(message.categories),
        brands=tuple(message.brands),
        currency_code=message.currency_code,
        availabilities=tuple(
            _availability(value, f"{field}.availabilities[{index}]")
            for index, value in enumerate(message.availabilities)
        ),
        languages=tuple(message.languages),
        kinds=tuple(_kind(value, f"{field}.kinds[{index}]") for index, value in enumerate(message.kinds)),
        about_product_ids=tuple(message.about_product_ids),
        product_ids=tuple(message.product_ids),
        expression=message.expression,
        **prices,
    )


def _availability(value: int, field: str) -> Availability:
    if value not in _AVAILABILITIES:
        known = ", ".join(product_pb2.Availability.Name(known) for known in _AVAILABILITY_VALUES.values())
        raise invalid(field, f"{value} is not an availability to use here; use one of {known}")
    return _AVAILABILITIES[value]


def _kind(value: int, field: str) -> ProductKind:
    if value not in _KINDS:
        known = ", ".join(product_pb2.ProductKind.Name(known) for known in _KIND_VALUES.values())
        raise invalid(field, f"{value} is not a kind to use here; use one of {known}")
    return _KINDS[value]


def _attribute(name: str, values: Any) -> tuple[str, ...] | tuple[float, ...]:
    if values.text and values.numbers:
        raise invalid(f"attributes[{name}]", "holds both words and numbers; give it one kind, or two names")
    return tuple(values.text) or tuple(values.numbers)


def _update_time(timestamp: Timestamp) -> datetime:
    try:
        return timestamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid("update_time", "is not a time in the years 1 to 9999; leave it out for now") from None
