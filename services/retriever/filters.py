"""Filters: one plan of conditions that both indexes and single products answer alike."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from services.retriever.conditions import ID, AllOf, Condition, Not, OneOf, Under, Within, holds, normal
from services.retriever.field_values import values_of
from services.retriever.filter_expression import condition_of
from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.ports import ProductFilter
from vitrine.product import CONTENT_KINDS, MAX_CATEGORY_CHARACTERS, Product, ProductKind
from vitrine.text import normalize_text

MAX_VALUES = 100
MAX_PRODUCT_IDS = 10_000
# As long as the longest that a product may have: nothing longer can match.
MAX_VALUE_CHARACTERS = MAX_CATEGORY_CHARACTERS


@dataclass(frozen=True)
class FilterPlan:
    """What has to be met, part by part; and which products, by id, are left out whatever they are.

    Kinds that are not wanted are excluded, and not the wanted one required: products, which are nearly all there is,
    carry no kind, so a shop without content pays nothing, and entries older than content stay right.
    """

    parts: tuple[Condition, ...] = ()
    excluded_ids: frozenset[str] = frozenset()

    @cached_property
    def condition(self) -> Condition:
        """All of it as one condition."""
        parts = (*self.parts, Not(OneOf(ID, self.excluded_ids))) if self.excluded_ids else self.parts
        return parts[0] if len(parts) == 1 else AllOf(parts)

    def matches(self, product: Product) -> bool:
        """Whether one product matches."""
        return holds(self.condition, {**values_of(product), ID: (product.id,)})

    def without(self, ids: Iterable[str]) -> "FilterPlan":
        """The same with these products left out."""
        return replace(self, excluded_ids=self.excluded_ids | frozenset(ids))


def plan_of(filter: ProductFilter) -> FilterPlan:
    """The plan of a filter. Raises InvalidArgument naming each wrong field."""
    violations = list(_violations(filter))
    if violations:
        raise InvalidArgument(*violations)
    parts = [*_kinds(filter.kinds or (ProductKind.PRODUCT,)), *_listed(filter)]
    if filter.min_price is not None or filter.max_price is not None:
        low = -math.inf if filter.min_price is None else filter.min_price
        high = math.inf if filter.max_price is None else filter.max_price
        parts.append(Within("price", low, high))
    if filter.expression:
        expressed = condition_of(filter.expression)
        parts += expressed.parts if isinstance(expressed, AllOf) else (expressed,)
    return FilterPlan(tuple(parts))


def _kinds(kinds: tuple[ProductKind, ...]) -> Iterator[Condition]:
    content = frozenset(kind.value for kind in CONTENT_KINDS if kind in kinds)
    if ProductKind.PRODUCT not in kinds:
        yield OneOf("kind", content)
    elif unwanted := frozenset(kind.value for kind in CONTENT_KINDS) - content:
        yield Not(OneOf("kind", unwanted))


def _listed(filter: ProductFilter) -> Iterator[Condition]:
    if filter.categories:
        yield Under("categories", frozenset(normal("categories", path) for path in filter.categories))
    if filter.languages:
        yield Under("language", frozenset(normal("language", language) for language in filter.languages))
    named: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("about_product_ids", filter.about_product_ids),
        (ID, filter.product_ids),
        ("brand", filter.brands),
        ("availability", tuple(availability.value for availability in filter.availabilities)),
        ("currency_code", (filter.currency_code,) if filter.currency_code else ()),
    )
    for key, words in named:
        if words:
            yield OneOf(key, frozenset(normal(key, word) for word in words))


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
            elif not (normal(name, value) if name == "categories" else normalize_text(value)):
                yield FieldViolation(f"filter.{name}[{index}]", "is empty; remove it")
    for name, price in (("min_price", filter.min_price), ("max_price", filter.max_price)):
        if price is not None and not math.isfinite(price):
            yield FieldViolation(f"filter.{name}", f"is {price}; give a finite number, or leave it unset")
    if filter.min_price is not None and filter.max_price is not None and filter.min_price > filter.max_price:
        yield FieldViolation("filter.min_price", "is above filter.max_price; exchange them")
    code = filter.currency_code
    if code and not (len(code) == 3 and code.isascii() and code.isupper()):
        yield FieldViolation("filter.currency_code", f"{code!r} is not an ISO 4217 code such as 'CNY'")
