"""Facets: how many of the products that match have each value of a field; exact counts from the columns."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from services.retriever.conditions import SEPARATORS, levels_of, normal
from services.retriever.field_columns import FieldColumns
from services.retriever.field_values import ATTRIBUTES, attribute_key
from services.retriever.word_column import NumberColumn, WordColumn
from vitrine.errors import FieldViolation, InvalidArgument
from vitrine.ports import Facet, FacetSpec, FacetValue

MAX_FACETS = 20
MAX_VALUES = 1_000
MAX_BOUNDS = 100
KEYS = ("brand", "categories", "price", "availability", "language", "rating")

IntArray = NDArray[np.int64]


def check_specs(specs: Sequence[FacetSpec]) -> None:
    """Raises InvalidArgument naming each wrong field."""
    violations = list(_violations(specs))
    if violations:
        raise InvalidArgument(*violations)


def key_of(spec: FacetSpec) -> str:
    """The key of the columns that the facet counts."""
    return attribute_key(spec.key.removeprefix(ATTRIBUTES)) if spec.key.startswith(ATTRIBUTES) else spec.key


def facet_of(fields: FieldColumns, spec: FacetSpec, positions: IntArray, count: int) -> Facet:
    """The facet over the versions at ascending `positions`, of the first `count`."""
    key = key_of(spec)
    values: list[FacetValue] = []
    low = high = None
    if (words := fields.word_column(key)) is not None:
        values += _words(key, words, positions, count)[: spec.limit]
    if (numbers := fields.number_column(key)) is not None:
        owners, found = _at(numbers, positions, count)
        if len(found):
            low, high = float(found.min()), float(found.max())
            values += _buckets(spec.bounds, owners, found)
    return Facet(spec.key, tuple(values), low, high)


def _at(
    column: WordColumn | NumberColumn, positions: IntArray, count: int
) -> tuple[NDArray[np.int32], NDArray[np.int32] | NDArray[np.float64]]:
    """The column's owners that are at these positions, and what they have."""
    owners, held = column.between(0, count)
    if len(positions) * 32 > len(owners):
        member = np.zeros(count, np.bool_)
        member[positions] = True
        at = member[owners]
        return owners[at], held[at]
    # Few of many: each is looked up.
    wanted = positions.astype(np.int32)
    first = np.searchsorted(owners, wanted)
    lengths = np.searchsorted(owners, wanted, side="right") - first
    before = np.cumsum(lengths) - lengths
    places = np.repeat(first - before, lengths) + np.arange(int(lengths.sum()))
    return owners[places], held[places]


def _words(key: str, column: WordColumn, positions: IntArray, count: int) -> list[FacetValue]:
    """Words with their numbers of products, the most frequent first, each as it is written most often."""
    owners, codes = _at(column, positions, count)
    by_code = np.bincount(codes.astype(np.int64))
    written: dict[str, Counter[str]] = defaultdict(Counter)
    levels: dict[int, list[str]] = {}
    for code in np.flatnonzero(by_code).tolist():
        word = column.words[code]
        has_levels = key == "categories"
        levels[code] = levels_of(key, normal(key, word)) if has_levels else [normal(key, word)]
        shown = levels_of(key, word) if has_levels else [word]
        for level, form in zip(levels[code], shown, strict=True):
            written[level][form] += int(by_code[code])
    counts = {word: forms.total() for word, forms in written.items()}
    if key in SEPARATORS:
        counts = _counted_once(owners, codes, levels) or counts
    values = [FacetValue(max(sorted(written[word]), key=written[word].__getitem__), n) for word, n in counts.items()]
    return sorted(values, key=lambda value: (-value.count, value.value))


def _counted_once(
    owners: NDArray[np.int32], codes: NDArray[np.int32] | NDArray[np.float64], levels: dict[int, list[str]]
) -> dict[str, int]:
    """Products by level, one with two paths below a level once; {} where no product has several paths."""
    if _each_once(owners):
        return {}
    names: dict[str, int] = {}
    table = np.full((max(levels) + 1, max(map(len, levels.values()))), -1, np.int64)
    for code, of_code in levels.items():
        table[code, : len(of_code)] = [names.setdefault(level, len(names)) for level in of_code]
    numbered = table[codes.astype(np.int64)]
    pairs = (owners.astype(np.int64)[:, None] * len(names) + numbered)[numbered >= 0]
    counted = np.bincount(np.unique(pairs) % len(names), minlength=len(names))
    return {name: int(counted[number]) for name, number in names.items()}


def _each_once(owners: NDArray[np.int32]) -> bool:
    """Whether no product has several values."""
    return bool((owners[1:] > owners[:-1]).all())


def _buckets(
    bounds: tuple[float, ...], owners: NDArray[np.int32], numbers: NDArray[np.int32] | NDArray[np.float64]
) -> Iterator[FacetValue]:
    """Every bucket between the bounds, ascending, those at the ends open; none without bounds."""
    if not bounds:
        return
    buckets = np.searchsorted(np.array(bounds), numbers, side="right")
    if not _each_once(owners):
        # A product with several numbers in a bucket is there once.
        buckets = np.unique(owners.astype(np.int64) * (len(bounds) + 1) + buckets) % (len(bounds) + 1)
    counts = np.bincount(buckets, minlength=len(bounds) + 1).tolist()
    for bucket, count in enumerate(counts):
        low = bounds[bucket - 1] if bucket else None
        yield FacetValue("", count, low, bounds[bucket] if bucket < len(bounds) else None)


def _violations(specs: Sequence[FacetSpec]) -> Iterator[FieldViolation]:
    if len(specs) > MAX_FACETS:
        yield FieldViolation("facets", f"has {len(specs)} entries; at most {MAX_FACETS} are allowed")
        return
    for index, spec in enumerate(specs):
        field = f"facets[{index}]"
        if spec.key not in KEYS and not (spec.key.startswith(ATTRIBUTES) and key_of(spec) != ATTRIBUTES):
            fault = f"{spec.key!r} is not a facet; use one of {', '.join(KEYS)} or attributes.NAME"
            yield FieldViolation(f"{field}.key", fault)
        if not 1 <= spec.limit <= MAX_VALUES:
            yield FieldViolation(f"{field}.limit", f"is {spec.limit}; ask for 1 to {MAX_VALUES:,}")
        if len(spec.bounds) > MAX_BOUNDS:
            yield FieldViolation(f"{field}.bounds", f"has {len(spec.bounds)} entries; at most {MAX_BOUNDS} are allowed")
        ascending = all(low < high for low, high in zip(spec.bounds, spec.bounds[1:], strict=False))
        if not ascending or not all(map(math.isfinite, spec.bounds)):
            yield FieldViolation(f"{field}.bounds", "are not finite numbers that ascend; sort them, each once")
