"""What of a segment matches the words typed: products, labels and completions, the best first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.retriever.columns import IntArray
from services.retriever.suggest.segment import Segment
from services.retriever.suggest.table import Numbers, Table

# So few numbers are sorted as they are.
_FEW = 1_000


@dataclass(frozen=True, slots=True)
class Term:
    """What stands for one word typed: any of these words; `beginning`: or any that begins with one of them."""

    words: tuple[bytes, ...]
    beginning: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """A word that the last one typed is or goes on to, and how many products have it beside the words before.

    `place` is where the segment has the word; some of the products, or all, may be dead.
    """

    word: bytes
    count: int
    place: int


@dataclass(frozen=True, slots=True)
class Matches:
    """Numbers of products, best first, places of labels, most products first, and completions, most products first."""

    products: Numbers
    labels: IntArray
    completions: tuple[Completion, ...]


def matches_of(segment: Segment, terms: Sequence[Term], *, products: int, labels: int, completions: int) -> Matches:
    """The best matches of all terms, at most so many of each."""
    found, completed = _completed(segment, terms, products, completions)
    places = np.flatnonzero(_held(segment.label_words, terms, len(segment.labels.keys)))
    counts = np.diff(segment.labels.offsets)[places]
    return Matches(found, places[np.argsort(-counts, kind="stable")[:labels]], completed)


def _completed(
    segment: Segment, terms: Sequence[Term], limit: int, completions: int
) -> tuple[Numbers, tuple[Completion, ...]]:
    table, last = segment.words, terms[-1]
    ranges = _ranges(table, last)
    if not ranges:
        return np.empty(0, np.int32), ()
    if len(terms) == 1:
        parts = [_first(table.filed(*one), limit) for one in ranges]
        return _smallest(np.concatenate(parts), limit), _most(table, ranges, completions)
    is_before = _held(table, terms[:-1], len(segment.rows))
    found, counted = [], list[Completion]()
    for start, end in ranges:
        filed = table.filed(start, end)
        hits = np.flatnonzero(is_before[filed])
        if len(hits):
            found.append(filed[hits])
            # Hits of each word: where its numbers begin and end, counted in hits.
            bounds = np.searchsorted(hits, table.offsets[start : end + 1] - table.offsets[start])
            counted += _largest(table, start, np.diff(bounds), completions)
    products = _smallest(np.concatenate(found), limit) if found else np.empty(0, np.int32)
    return products, tuple(sorted(counted, key=lambda one: -one.count)[:completions])


def _ranges(table: Table, term: Term) -> list[tuple[int, int]]:
    find = table.beginning if term.beginning else table.exactly
    return [(start, end) for start, end in map(find, term.words) if end > start]


def _held(table: Table, terms: Sequence[Term], size: int) -> NDArray[np.bool_]:
    """(size,) whether each number is filed under every term."""
    ranges = [_ranges(table, term) for term in terms]
    if not all(ranges):
        return np.zeros(size, np.bool_)
    held = np.ones(size, np.bool_)
    for of_term in ranges:
        # A number may be under several words: a mask is how each counts once.
        mask = np.zeros(size, np.bool_)
        for one in of_term:
            mask[table.filed(*one)] = True
        held &= mask
    return held


def _first(numbers: Numbers, limit: int) -> Numbers:
    """The smallest numbers, and some more so that one that is there several times takes no other's place."""
    some = 4 * limit
    if len(numbers) <= max(some, _FEW):
        return numbers
    # Cheaper than a partition: most are looked at once, and left out.
    bound = some
    while len(small := numbers[numbers < bound]) < some:
        bound *= 8
    return small


def _smallest(numbers: Numbers, limit: int) -> Numbers:
    found: Numbers = np.unique(_first(numbers, limit))
    return found[:limit]


def _most(table: Table, ranges: Sequence[tuple[int, int]], limit: int) -> tuple[Completion, ...]:
    counted = [one for start, end in ranges for one in _largest(table, start, table.counts(start, end), limit)]
    return tuple(sorted(counted, key=lambda one: -one.count)[:limit])


def _largest(table: Table, start: int, counts: Numbers, limit: int) -> list[Completion]:
    """The words from `start` on that have the largest counts above 0."""
    places = np.argpartition(-counts, limit)[:limit] if len(counts) > limit else np.arange(len(counts))
    return [
        Completion(bytes(table.keys[start + place]), int(counts[place]), start + place)
        for place in places.tolist()
        if counts[place]
    ]
