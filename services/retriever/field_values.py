"""Field values: what filters, facets and orders can ask of a product, by key; words as they are written."""

from functools import lru_cache

from services.retriever.conditions import normal
from vitrine.product import Product, ProductKind
from vitrine.text import normalize_text

ATTRIBUTES = "attributes."
TEXT_KEYS = (
    "id",
    "brand",
    "categories",
    "currency_code",
    "availability",
    "language",
    "about_product_ids",
)
NUMBER_KEYS = ("price", "original_price", "rating", "update_time")


# A catalogue has few names, and each in many products.
@lru_cache(maxsize=4_096)
@lru_cache(maxsize=10_000)
def attribute_key(name: str) -> str:
    """The key of an attribute, whatever the case and width of its name."""
    return ATTRIBUTES + normalize_text(name)


def values_of(product: Product) -> dict[str, tuple[str | float, ...]]:
    """Values by key; of words that are written in several ways the first; a time in seconds since 1970.

    The id is none of them: it is known by itself. Products, which are nearly all there is, have no kind.
    """
    words: dict[str, tuple[str | float, ...]] = {
        "availability": (product.availability.value,),
        "categories": product.categories,
        "brand": (product.brand,),
        "currency_code": (product.currency_code,),
        "language": (product.language,),
        "about_product_ids": product.about_product_ids,
    }
    if product.kind is not ProductKind.PRODUCT:
        words["kind"] = (product.kind.value,)
    for name, attribute in product.attributes.items():
        key = attribute_key(name)
        words[key] = (*words[key], *attribute) if key in words else attribute
    values = {key: each for key, found in words.items() if (each := _each_once(key, found))}
    time = product.update_time
    numbers = (product.price, product.original_price, product.rating, time.timestamp() if time else None)
    for key, number in zip(NUMBER_KEYS, numbers, strict=True):
        if number is not None:
            values[key] = (number,)
    return values


def _each_once(key: str, found: tuple[str | float, ...]) -> tuple[str | float, ...]:
    if len(found) < 2:
        return found if found and found[0] != "" else ()
    each: dict[str | float, str | float] = {}
    for value in found:
        each.setdefault(normal(key, value) if isinstance(value, str) else float(value), value)
    each.pop("", None)
    return tuple(each.values())
