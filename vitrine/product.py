"""What a shop sells, and what is said of it, as plain data, and the rules that every way in enforces."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from operator import attrgetter

from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.text import clean_text, detect_language, normalize_text

CATEGORY_SEPARATOR = " > "
MAX_ID_CHARACTERS = 128
MAX_TITLE_CHARACTERS = 1_000
MAX_BRAND_CHARACTERS = 256
MAX_CATEGORIES = 10
MAX_CATEGORY_CHARACTERS = 512
MAX_DESCRIPTION_CHARACTERS = 20_000
MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_NAME_CHARACTERS = 64
MAX_ATTRIBUTE_VALUES = 64
MAX_ATTRIBUTE_VALUE_CHARACTERS = 256
MAX_IMAGE_URIS = 20
MAX_IMAGE_URI_CHARACTERS = 2_048
MAX_ABOUT_PRODUCTS = 20
MIN_RATING, MAX_RATING = 1.0, 5.0

_CURRENCY = re.compile(r"[A-Z]{3}")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")


class Availability(Enum):
    """Whether a product can be bought now."""

    IN_STOCK = "in_stock"
    OUT_OF_STOCK = "out_of_stock"
    PREORDER = "preorder"
    BACKORDER = "backorder"


class ProductKind(Enum):
    """What an item of the catalogue is; meanings are those of product.proto."""

    PRODUCT = "product"
    REVIEW = "review"
    GUIDE = "guide"


CONTENT_KINDS = (ProductKind.REVIEW, ProductKind.GUIDE)


@dataclass(frozen=True, slots=True)
class Product:
    """One product, review or guide; fields, units and limits are those of product.proto.

    `attributes` holds words or finite numbers by name. `revision` is the catalogue's and 0 before a write.
    """

    id: str
    title: str
    brand: str = ""
    categories: tuple[str, ...] = ()
    description: str = ""
    price: float | None = None
    original_price: float | None = None
    currency_code: str = ""
    availability: Availability = Availability.IN_STOCK
    attributes: dict[str, tuple[str, ...] | tuple[float, ...]] = field(default_factory=dict)
    image_uris: tuple[str, ...] = ()
    language: str = ""
    update_time: datetime | None = None
    revision: int = 0
    kind: ProductKind = ProductKind.PRODUCT
    about_product_ids: tuple[str, ...] = ()
    rating: float | None = None

    def __reduce__(self) -> tuple[type["Product"], tuple[object, ...]]:
        # What is written goes to another process: a quarter of the time that dataclasses take to set each field anew.
        return Product, _FIELDS_OF(self)


_FIELDS_OF: Callable[[Product], tuple[object, ...]] = attrgetter(*Product.__slots__)


def checked_product(product: Product) -> Product:
    """The product with cleaned texts, language and update time filled in.

    Raises InvalidArgument naming every wrong field by its path within the product ("title", "attributes[color]").
    """
    cleaned = replace(
        product,
        title=clean_text(product.title),
        brand=clean_text(product.brand),
        categories=tuple(dict.fromkeys(clean_category(path) for path in product.categories)),
        description=clean_text(product.description),
        attributes={name: _clean_values(values) for name, values in product.attributes.items()},
        image_uris=tuple(map(clean_text, product.image_uris)),
        language=(product.language or detect_language(product.title or product.description)).lower(),
        update_time=product.update_time or datetime.now(UTC),
        about_product_ids=tuple(dict.fromkeys(product.about_product_ids)),
    )
    violations = list(_violations(cleaned))
    if violations:
        raise InvalidArgument(*violations)
    return cleaned


def clean_category(path: str) -> str:
    """A category path with its levels cleaned, empty ones left out, divided as everywhere."""
    return _clean_category(path) if len(path) <= MAX_CATEGORY_CHARACTERS else _clean_category.__wrapped__(path)


# A catalogue has few, and each in many products.
@lru_cache(maxsize=4_096)
def _clean_category(path: str) -> str:
    levels = (clean_text(level) for level in path.split(CATEGORY_SEPARATOR.strip()))
    return CATEGORY_SEPARATOR.join(level for level in levels if level)


def _clean_values(values: tuple[str, ...] | tuple[float, ...]) -> tuple[str, ...] | tuple[float, ...]:
    # Not comprehended by kind: a mix of words and numbers must still be one, to be refused.
    return tuple(clean_text(value) if isinstance(value, str) else value for value in values)  # type: ignore[return-value]


def category_prefixes(path: str) -> list[str]:
    """The path's upper levels and itself: "A > B" gives ["A", "A > B"]."""
    levels = path.split(CATEGORY_SEPARATOR)
    return [CATEGORY_SEPARATOR.join(levels[:depth]) for depth in range(1, len(levels) + 1)]


def id_violation(product_id: str) -> str | None:
    """What is wrong with a product id, and the fix; None when it is right."""
    if not product_id:
        return "is empty; give the shop's own id"
    if len(product_id) > MAX_ID_CHARACTERS:
        return f"has {len(product_id)} characters; at most {MAX_ID_CHARACTERS} are allowed"
    if product_id.split() != [product_id] or clean_text(product_id) != product_id:
        return "holds white space or control characters; remove them"
    return None


def _violations(product: Product) -> Iterator[FieldViolation]:
    if fault := id_violation(product.id):
        yield FieldViolation("id", fault)
    # A letter or digit stays one.
    if not (product.title[:1].isalnum() or normalize_text(product.title)):
        if product.kind is ProductKind.PRODUCT:
            yield FieldViolation("title", "is empty; give the words that a shopper reads first")
        elif not normalize_text(product.description):
            yield FieldViolation("description", f"is empty, and so is title; say what the {product.kind.value} says")
    if len(product.title) > MAX_TITLE_CHARACTERS:
        yield _too_long("title", product.title, MAX_TITLE_CHARACTERS)
    if len(product.brand) > MAX_BRAND_CHARACTERS:
        yield _too_long("brand", product.brand, MAX_BRAND_CHARACTERS)
    if len(product.categories) > MAX_CATEGORIES:
        yield _too_many("categories", product.categories, MAX_CATEGORIES)
    for index, path in enumerate(product.categories):
        if not path:
            yield FieldViolation(f"categories[{index}]", "is empty; remove it")
        if len(path) > MAX_CATEGORY_CHARACTERS:
            yield _too_long(f"categories[{index}]", path, MAX_CATEGORY_CHARACTERS)
    if len(product.description) > MAX_DESCRIPTION_CHARACTERS:
        yield _too_long("description", product.description, MAX_DESCRIPTION_CHARACTERS)
    yield from _price_violations(product)
    yield from _kind_violations(product)
    yield from _attribute_violations(product)
    if len(product.image_uris) > MAX_IMAGE_URIS:
        yield _too_many("image_uris", product.image_uris, MAX_IMAGE_URIS)
    for index, uri in enumerate(product.image_uris):
        if len(uri) > MAX_IMAGE_URI_CHARACTERS:
            yield _too_long(f"image_uris[{index}]", uri, MAX_IMAGE_URI_CHARACTERS)
    if product.update_time is not None:
        yield from _time_violations(product.update_time)
    if not _LANGUAGE.fullmatch(product.language):
        yield FieldViolation("language", f"{product.language!r} is not a BCP 47 tag; write for example 'zh' or 'en'")


def _time_violations(time: datetime) -> Iterator[FieldViolation]:
    if time.tzinfo is None:
        yield FieldViolation("update_time", "has no time zone; say which, for example +00:00")
        return
    try:
        time.astimezone(UTC)
    except OverflowError:
        yield FieldViolation("update_time", "is in UTC no time in the years 1 to 9999; leave it out for now")


def _price_violations(product: Product) -> Iterator[FieldViolation]:
    for name, price in (("price", product.price), ("original_price", product.original_price)):
        if price is not None and not (math.isfinite(price) and price >= 0):
            yield FieldViolation(name, f"is {price}; give a finite number that is not negative")
    if product.original_price is not None:
        if product.price is None:
            yield FieldViolation("original_price", "is set without price; set both or neither")
        elif product.original_price < product.price:
            yield FieldViolation("original_price", "is below price; it is the price before a discount")
    if product.price is not None and not product.currency_code:
        yield FieldViolation("currency_code", "is empty; a price needs an ISO 4217 code such as 'CNY'")
    if product.currency_code and not _CURRENCY.fullmatch(product.currency_code):
        yield FieldViolation("currency_code", f"{product.currency_code!r} is not an ISO 4217 code such as 'CNY'")


def _kind_violations(product: Product) -> Iterator[FieldViolation]:
    kind = product.kind.value
    if product.kind is ProductKind.PRODUCT:
        if product.about_product_ids:
            yield FieldViolation("about_product_ids", "is set; only a review or guide is about products: set kind")
    else:
        if product.price is not None:
            yield FieldViolation("price", f"is set; a {kind} has none")
        if product.availability is not Availability.IN_STOCK:
            yield FieldViolation("availability", f"is set; a {kind} has none")
    if len(product.about_product_ids) > MAX_ABOUT_PRODUCTS:
        yield _too_many("about_product_ids", product.about_product_ids, MAX_ABOUT_PRODUCTS)
    for index, about in enumerate(product.about_product_ids[:MAX_ABOUT_PRODUCTS]):
        if fault := id_violation(about):
            yield FieldViolation(f"about_product_ids[{index}]", fault)
        elif about == product.id:
            yield FieldViolation(f"about_product_ids[{index}]", f"is the {kind} itself; name the product")
    if product.rating is not None:
        if product.kind is not ProductKind.REVIEW:
            yield FieldViolation("rating", f"is set; only a review has one, this is a {kind}")
        elif not MIN_RATING <= product.rating <= MAX_RATING:
            yield FieldViolation("rating", f"is {product.rating}; give {MIN_RATING:g} to {MAX_RATING:g}, or none")


def _attribute_violations(product: Product) -> Iterator[FieldViolation]:
    if len(product.attributes) > MAX_ATTRIBUTES:
        yield _too_many("attributes", list(product.attributes), MAX_ATTRIBUTES)
    for name, values in product.attributes.items():
        path = f"attributes[{name}]"
        if not name:
            yield FieldViolation("attributes", "has an empty name; name each attribute")
        elif clean_text(name) != name:
            yield FieldViolation(path, "has white space around or control characters in its name; remove them")
        if len(values) > 1 and len({isinstance(value, str) for value in values}) > 1:
            yield FieldViolation(path, "holds both words and numbers; give it one kind, or two names")
        if len(name) > MAX_ATTRIBUTE_NAME_CHARACTERS:
            yield _too_long(path, name, MAX_ATTRIBUTE_NAME_CHARACTERS)
        if len(values) > MAX_ATTRIBUTE_VALUES:
            yield _too_many(path, values, MAX_ATTRIBUTE_VALUES)
        for value in values:
            if isinstance(value, str):
                if len(value) > MAX_ATTRIBUTE_VALUE_CHARACTERS:
                    yield _too_long(path, value, MAX_ATTRIBUTE_VALUE_CHARACTERS)
            elif not math.isfinite(value):
                yield FieldViolation(path, f"holds {value}; give finite numbers")


def _too_long(path: str, text: str, limit: int) -> FieldViolation:
    return FieldViolation(path, f"has {len(text)} characters; at most {limit} are allowed")


def _too_many(path: str, values: Sequence[object], limit: int) -> FieldViolation:
    return FieldViolation(path, f"has {len(values)} entries; at most {limit} are allowed")
