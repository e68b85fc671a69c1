"""What of a segment matches the words typed: products, labels and completions, the best first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.retriever.suggest.segment import Segment
from services.retriever.suggest.table import Numbers, Table


@dataclass(frozen=True, slots=True)
class Term:
    """What stands for one word typed: any of these words; `beginning`: or any that begins with one of them."""

    words: tuple[bytes, ...]
    beginning: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """A word that the last one typed is or goes on to, and how many products have it beside the words before."""

    word: bytes
    count: int


@dataclass(frozen=True, slots=True)
class Matches:
    """Numbers of products, best first, places of labels, most products first, and completions, most products first."""

    products: Numbers
    labels: Numbers
    completions: tuple[Completion, ...]


def matches_of(segment: Segment, terms: Sequence[Term], *, products: int, labels: int, completions: int) -> Matches:
    """The best matches of all terms, at most so many of each."""
    found, completed = _completed(segment, terms, products, completions)
    places = _all(segment.label_words, terms, len(segment.labels.keys))
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
    before = _all(table, terms[:-1], len(segment.rows))
    if not len(before):
        return np.empty(0, np.int32), ()
    is_before = np.zeros(len(segment.rows), np.bool_)
    is_before[before] = True
    found, counted = [], list[Completion]()
    for start, end in ranges:
        filed = table.filed(start, end)
        inside = is_before[filed]
        found.append(filed[inside])
        if len(found[-1]):
            firsts = table.offsets[start:end] - table.offsets[start]
            counted += _largest(table, start, np.add.reduceat(inside, firsts, dtype=np.int32), completions)
    return _smallest(np.concatenate(found), limit), tuple(sorted(counted, key=lambda one: -one.count)[:completions])


def _ranges(table: Table, term: Term) -> list[tuple[int, int]]:
    find = table.beginning if term.beginning else table.exactly
    return [(start, end) for start, end in map(find, term.words) if end > start]


def _all(table: Table, terms: Sequence[Term], size: int) -> Numbers:
    """Numbers below `size` that are filed under every term, ascending."""
    found: Numbers | None = None
    for term in terms:
        parts = [table.filed(*one) for one in _ranges(table, term)]
        if not parts:
            return np.empty(0, np.int32)
        if len(parts) == 1 and not term.beginning:
            filed = parts[0]
        else:
            # A number may be under several words: a mask is how each counts once.
            mask = np.zeros(size, np.bool_)
            for part in parts:
                mask[part] = True
            filed = np.flatnonzero(mask).astype(np.int32)
        if found is None:
            found = filed
        else:
            places = np.minimum(np.searchsorted(filed, found), len(filed) - 1)
            found = found[filed[places] == found]
    return np.empty(0, np.int32) if found is None else found


def _first(numbers: Numbers, limit: int) -> Numbers:
    """The smallest numbers, and some more so that one that is there several times takes no other's place."""
    some = 4 * limit
    return numbers if len(numbers) <= some else np.partition(numbers, some)[:some]


def _smallest(numbers: Numbers, limit: int) -> Numbers:
    return np.unique(_first(numbers, limit))[:limit]


def _most(table: Table, ranges: Sequence[tuple[int, int]], limit: int) -> tuple[Completion, ...]:
    counted = [one for start, end in ranges for one in _largest(table, start, table.counts(start, end), limit)]
    return tuple(sorted(counted, key=lambda one: -one.count)[:limit])


def _largest(table: Table, start: int, counts: Numbers, limit: int) -> list[Completion]:
    """The words from `start` on that have the largest counts above 0."""
    places = np.argpartition(-counts, limit)[:limit] if len(counts) > limit else np.arange(len(counts))
    return [
        Completion(bytes(table.keys[start + place]), int(counts[place])) for place in places.tolist() if counts[place]
    ]
