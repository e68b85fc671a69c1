"""Conditions: what a filter asks of a product, as one tree that every index answers in its own way.

Words are compared after normalising, as `normal` does it; numbers as they are. What is not there meets no leaf, so it
meets the leaf's negation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

from vitrine.product import CATEGORY_SEPARATOR
from vitrine.text import normalize_text

# The values that filters, facets and orders may ask of a product, by key; see `field_values`.
Values: TypeAlias = Mapping[str, tuple[str | float, ...]]

ID = "id"
# Keys whose words are ids: compared as they stand.
_EXACT = frozenset({ID, "about_product_ids"})
# Keys whose words have levels, and what divides these.
SEPARATORS = {"categories": CATEGORY_SEPARATOR, "language": "-"}


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of the key's words is one of these, normal, words."""

    key: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Under:
    """One of the key's words is one of these, or lies below it: "zh-hans" under "zh". Keys of SEPARATORS only."""

    key: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Beginning:
    """One of the key's words begins like this."""

    key: str
    start: str


@dataclass(frozen=True, slots=True)
class Within:
    """One of the key's numbers lies between the bounds, which belong to it unless they are open."""

    key: str
    low: float = -inf
    high: float = inf
    low_open: bool = False
    high_open: bool = False

    def holds(self, number: float) -> bool:
        """Whether one number does."""
        above = self.low < number if self.low_open else self.low <= number
        return above and (number < self.high if self.high_open else number <= self.high)


@dataclass(frozen=True, slots=True)
class Present:
    """The key has a value."""

    key: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part is met; without parts everything meets it."""

    parts: "tuple[Condition, ...]" = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some part is met."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The part is not met."""

    part: "Condition"


Leaf: TypeAlias = OneOf | Under | Beginning | Within | Present
Condition: TypeAlias = Leaf | AllOf | AnyOf | Not


def normal(key: str, word: str) -> str:
    """A key's word as it is compared: a category level by level, an id as it stands."""
    if key in _EXACT:
        return word
    if key != "categories":
        return normalize_text(word)
    levels = (normalize_text(level) for level in word.split(CATEGORY_SEPARATOR.strip()))
    return CATEGORY_SEPARATOR.join(level for level in levels if level)


def levels_of(key: str, word: str) -> list[str]:
    """A normal word and what it lies below, the broadest first; of a key without levels the word alone."""
    if not (separator := SEPARATORS.get(key)):
        return [word]
    levels = word.split(separator)
    return [separator.join(levels[:depth]) for depth in range(1, len(levels) + 1)]


def word_test(leaf: Leaf) -> Callable[[str], bool]:
    """Whether one normal word of the leaf's key meets it."""
    match leaf:
        case OneOf():
            return leaf.words.__contains__
        case Under():
            starts = tuple(word + SEPARATORS[leaf.key] for word in leaf.words)
            return lambda word: word in leaf.words or word.startswith(starts)
        case Beginning():
            return lambda word: word.startswith(leaf.start)
    return lambda word: isinstance(leaf, Present)


def holds(condition: Condition, values: Values) -> bool:
    """Whether a product with these values meets the condition."""
    match condition:
        case AllOf():
            return all(holds(part, values) for part in condition.parts)
        case AnyOf():
            return any(holds(part, values) for part in condition.parts)
        case Not():
            return not holds(condition.part, values)
        case Within():
            return any(not isinstance(v, str) and condition.holds(v) for v in values.get(condition.key, ()))
        case Present():
            return bool(values.get(condition.key))
    key, test = condition.key, word_test(condition)
    return any(isinstance(v, str) and test(normal(key, v)) for v in values.get(key, ()))
