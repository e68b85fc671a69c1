"""Filters: one plan of conditions that both indexes and single products answer alike."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.ports import ProductFilter
from vitrine.product import (
    CATEGORY_SEPARATOR,
    CONTENT_KINDS,
    MAX_CATEGORY_CHARACTERS,
    Product,
    ProductKind,
    category_prefixes,
)
from vitrine.text import normalize_text

MAX_VALUES = 100
MAX_PRODUCT_IDS = 10_000
# As long as the longest that a product may have: nothing longer can match.
MAX_VALUE_CHARACTERS = MAX_CATEGORY_CHARACTERS


@dataclass(frozen=True, slots=True)
class FilterPlan:
    """Every group must be met by one of its facets, no excluded facet may be there, and the price must lie within the
    bounds, both inclusive.

    Kinds that are not wanted are excluded, and not the wanted one required: products, which are nearly all there is,
    carry no facet for it, so a shop without content pays nothing, and entries older than content stay right.
    """

    groups: tuple[frozenset[str], ...] = ()
    excluded: frozenset[str] = frozenset()
    min_price: float | None = None
    max_price: float | None = None

    @property
    def unrestricted(self) -> bool:
        """Whether everything matches."""
        return not self.groups and not self.excluded and not self.priced

    @property
    def priced(self) -> bool:
        """Whether a product needs a price to match."""
        return self.min_price is not None or self.max_price is not None

    def matches(self, product: Product) -> bool:
        """Whether one product matches."""
        facets = facets_of(product)
        if any(group.isdisjoint(facets) for group in self.groups) or not self.excluded.isdisjoint(facets):
            return False
        if not self.priced:
            return True
        low = -math.inf if self.min_price is None else self.min_price
        high = math.inf if self.max_price is None else self.max_price
        return product.price is not None and low <= product.price <= high


def facets_of(product: Product) -> frozenset[str]:
    """What a filter can ask of a product: its id, each upper level of its categories and language, brand, currency,
    state; of content its kind and what it is about."""
    facets = {f"availability:{product.availability.value}", f"id:{product.id}"}
    for path in product.categories:
        facets.update(f"category:{_category(prefix)}" for prefix in category_prefixes(path))
    if product.brand:
        facets.add(f"brand:{normalize_text(product.brand)}")
    if product.currency_code:
        facets.add(f"currency:{product.currency_code}")
    subtags = product.language.lower().split("-")
    facets.update(f"language:{'-'.join(subtags[:count])}" for count in range(1, len(subtags) + 1))
    if product.kind is not ProductKind.PRODUCT:
        facets.add(_kind(product.kind))
        facets.update(f"about:{about}" for about in product.about_product_ids)
    return frozenset(facets)


def plan_of(filter: ProductFilter) -> FilterPlan:
    """The plan of a filter. Raises InvalidArgument naming each wrong field."""
    violations = list(_violations(filter))
    if violations:
        raise InvalidArgument(*violations)
    kinds = filter.kinds or (ProductKind.PRODUCT,)
    content = {_kind(kind) for kind in CONTENT_KINDS if kind in kinds}
    with_products = ProductKind.PRODUCT in kinds
    groups = (
        set() if with_products else content,
        {f"about:{about}" for about in filter.about_product_ids},
        {f"id:{product_id}" for product_id in filter.product_ids},
        {f"category:{_category(path)}" for path in filter.categories},
        {f"brand:{normalize_text(brand)}" for brand in filter.brands},
        {f"availability:{availability.value}" for availability in filter.availabilities},
        {f"language:{language.strip().lower()}" for language in filter.languages},
        {f"currency:{filter.currency_code}"} if filter.currency_code else set(),
    )
    return FilterPlan(
        groups=tuple(frozenset(group) for group in groups if group),
        excluded=frozenset(map(_kind, CONTENT_KINDS)) - content if with_products else frozenset(),
        min_price=filter.min_price,
        max_price=filter.max_price,
    )


def _kind(kind: ProductKind) -> str:
    return f"kind:{kind.value}"


def _category(path: str) -> str:
    levels = (normalize_text(level) for level in path.split(CATEGORY_SEPARATOR.strip()))
    return CATEGORY_SEPARATOR.join(level for level in levels if level)


def _violations(filter: ProductFilter) -> Iterator[FieldViolation]:
    if len(filter.product_ids) > MAX_PRODUCT_IDS:
        fault = f"has {len(filter.product_ids)} values; at most {MAX_PRODUCT_IDS:,} are allowed"
        yield FieldViolation("filter.product_ids", fault)
    texts = (
        ("categories", filter.categories),
        ("brands", filter.brands),
        ("languages", filter.languages),
        ("about_product_ids", filter.about_product_ids),
    )
    for name, values in texts:
        if len(values) > MAX_VALUES:
            yield FieldViolation(f"filter.{name}", f"has {len(values)} values; at most {MAX_VALUES} are allowed")
            continue
        for index, value in enumerate(values):
            if len(value) > MAX_VALUE_CHARACTERS:
                fault = f"has {len(value)} characters; at most {MAX_VALUE_CHARACTERS} are allowed"
                yield FieldViolation(f"filter.{name}[{index}]", fault)
            elif not (_category(value) if name == "categories" else normalize_text(value)):
                yield FieldViolation(f"filter.{name}[{index}]", "is empty; remove it")
    for name, price in (("min_price", filter.min_price), ("max_price", filter.max_price)):
        if price is not None and not math.isfinite(price):
            yield FieldViolation(f"filter.{name}", f"is {price}; give a finite number, or leave it unset")
    if filter.min_price is not None and filter.max_price is not None and filter.min_price > filter.max_price:
        yield FieldViolation("filter.min_price", "is above filter.max_price; exchange them")
    code = filter.currency_code
    if code and not (len(code) == 3 and code.isascii() and code.isupper()):
        yield FieldViolation("filter.currency_code", f"{code!r} is not an ISO 4217 code such as 'CNY'")
