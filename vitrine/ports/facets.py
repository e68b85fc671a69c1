"""Facets: the values of one field among the products that match, with counts."""

from dataclasses import dataclass

DEFAULT_FACET_LIMIT = 20


@dataclass(frozen=True, slots=True)
class FacetSpec:
    """Asks for a field's values; fields, limits and meanings are those of the proto."""

    key: str
    limit: int = DEFAULT_FACET_LIMIT
    bounds: tuple[float, ...] = ()
    ignore_own_filter: bool = False


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A word, or a bucket of numbers low <= x < high (None: open), and the exact number of products that have it."""

    value: str
    count: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Facet:
    """A field's values, the most frequent first, buckets ascending; of numbers the least and the largest."""

    key: str
    values: tuple[FacetValue, ...]
    min: float | None = None
    max: float | None = None
