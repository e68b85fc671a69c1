"""Filters: one plan of conditions that both indexes and single products answer alike."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.ports import ProductFilter
from vitrine.product import CATEGORY_SEPARATOR, MAX_CATEGORY_CHARACTERS, Product, category_prefixes
from vitrine.text import normalize_text

MAX_VALUES = 100
# As long as the longest that a product may have: nothing longer can match.
MAX_VALUE_CHARACTERS = MAX_CATEGORY_CHARACTERS


@dataclass(frozen=True, slots=True)
class FilterPlan:
    """Every group must be met by one of its facets, and the price must lie within the bounds, both inclusive."""

    groups: tuple[frozenset[str], ...] = ()
    min_price: float | None = None
    max_price: float | None = None

    @property
    def unrestricted(self) -> bool:
        """Whether every product matches."""
        return not self.groups and not self.priced

    @property
    def priced(self) -> bool:
        """Whether a product needs a price to match."""
        return self.min_price is not None or self.max_price is not None

    def matches(self, product: Product) -> bool:
        """Whether one product matches."""
        facets = facets_of(product)
        if any(group.isdisjoint(facets) for group in self.groups):
            return False
        if not self.priced:
            return True
        low = -math.inf if self.min_price is None else self.min_price
        high = math.inf if self.max_price is None else self.max_price
        return product.price is not None and low <= product.price <= high


def facets_of(product: Product) -> frozenset[str]:
    """What a filter can ask of a product: each upper level of its categories and language, brand, currency, state."""
    facets = {f"availability:{product.availability.value}"}
    for path in product.categories:
        facets.update(f"category:{_category(prefix)}" for prefix in category_prefixes(path))
    if product.brand:
        facets.add(f"brand:{normalize_text(product.brand)}")
    if product.currency_code:
        facets.add(f"currency:{product.currency_code}")
    subtags = product.language.lower().split("-")
    facets.update(f"language:{'-'.join(subtags[:count])}" for count in range(1, len(subtags) + 1))
    return frozenset(facets)


def plan_of(filter: ProductFilter) -> FilterPlan:
    """The plan of a filter. Raises InvalidArgument naming each wrong field."""
    violations = list(_violations(filter))
    if violations:
        raise InvalidArgument(*violations)
    groups = (
        {f"category:{_category(path)}" for path in filter.categories},
        {f"brand:{normalize_text(brand)}" for brand in filter.brands},
        {f"availability:{availability.value}" for availability in filter.availabilities},
        {f"language:{language.strip().lower()}" for language in filter.languages},
        {f"currency:{filter.currency_code}"} if filter.currency_code else set(),
    )
    return FilterPlan(
        groups=tuple(frozenset(group) for group in groups if group),
        min_price=filter.min_price,
        max_price=filter.max_price,
    )


def _category(path: str) -> str:
    levels = (normalize_text(level) for level in path.split(CATEGORY_SEPARATOR.strip()))
    return CATEGORY_SEPARATOR.join(level for level in levels if level)


def _violations(filter: ProductFilter) -> Iterator[FieldViolation]:
    texts = (("categories", filter.categories), ("brands", filter.brands), ("languages", filter.languages))
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
