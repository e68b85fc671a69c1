"""Suggests: the readings of what was typed, matched in every segment, scored beside each other. Runs in a thread."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from services.retriever.columns import BoolArray, IntArray
from services.retriever.products import Products
from services.retriever.suggest.matches import Matches, matches_of
from services.retriever.suggest.readings import Reading, readings_of
from services.retriever.suggest.scoring import Scoring, normal_text
from services.retriever.suggest.segment import LABEL_BYTES, WORD_BYTES, Segment
from services.retriever.suggest.table import Numbers
from services.retriever.suggest.typed import MAX_CHARACTERS, read_typed
from vitrine.errors import invalid
from vitrine.ports import Suggestion, SuggestionKind, SuggestQuery
from vitrine.text import detect_language, normalize_text

MAX_LIMIT = 50
# Products that are read to be compared, for each that is asked for.
_READ = 1.5
_MAX_READ = 60
# Brands and categories that are looked at, for each suggestion asked for: more are not shown.
_LABELS = 0.5
_COMPLETIONS = 8
# With so many of the suggestions asked for, no less likely reading is tried.
_ENOUGH = 0.5
# Of the suggestions at most this share, where there are enough of the others.
_SHARES = {
    SuggestionKind.QUERY: 0.4,
    SuggestionKind.BRAND: 0.25,
    SuggestionKind.CATEGORY: 0.25,
    SuggestionKind.PRODUCT: 1.0,
}

Living = Callable[[IntArray], BoolArray]


@dataclass(frozen=True, slots=True)
class _Matched:
    """Row keys of products, best first; by a label's key how many products have it, and one of these; by a completion
    how many products have it, living or not, and where segments have it."""

    rows: list[int]
    labels: dict[str, tuple[int, int]]
    completions: dict[str, tuple[int, list[tuple[Segment, int]]]]


def check_suggest(query: SuggestQuery) -> None:
    """Raises InvalidArgument naming the field that is wrong."""
    if not 1 <= len(query.text) <= MAX_CHARACTERS:
        raise invalid("text", f"has {len(query.text)} characters; send 1 to {MAX_CHARACTERS}")
    if not normalize_text(query.text):
        raise invalid("text", "is empty; send what was typed so far")
    if not 1 <= query.limit <= MAX_LIMIT:
        raise invalid("limit", f"is {query.limit}; ask for 1 to {MAX_LIMIT}")


def suggest(
    segments: Sequence[Segment], living: Living, products: Products, query: SuggestQuery
) -> tuple[Suggestion, ...]:
    """The best suggestions, no text twice of one kind. `living` says which row keys may be shown."""
    typed = read_typed(query.text)
    if not typed.words or not segments:
        return ()
    language = query.language.lower().partition("-")[0] or detect_language(typed.text)
    size = sum(len(segment.rows) for segment in segments)
    found: dict[tuple[SuggestionKind, str], tuple[Suggestion, Scoring]] = {}
    for reading in readings_of(segments, typed):
        if reading.mended and found:
            break
        scoring = Scoring(typed, reading, size, language)
        matched = _matched(segments, living, reading, query.limit)
        for one in _suggestions(matched, living, products, scoring):
            key = (one.kind, normal_text(one.text))
            if key not in found or found[key][0].score < one.score:
                found[key] = (one, scoring)
        if len(found) >= _ENOUGH * query.limit:
            break
    best = sorted(found.values(), key=lambda one: (-one[0].score, one[0].text))
    return tuple(scoring.with_spans(one) for one, scoring in _chosen(best, query.limit))


def _suggestions(matched: _Matched, living: Living, products: Products, scoring: Scoring) -> Iterator[Suggestion]:
    read = products.undescribed([*matched.rows, *(row for _, row in matched.labels.values())])
    for row in matched.rows:
        yield scoring.product(read[row])
    titles = [normal_text(product.title) for product in read.values()] if matched.completions else []
    for key, (count, row) in matched.labels.items():
        if (label := scoring.label(key, count, read[row])) is not None:
            yield label
    for word, (count, holders) in matched.completions.items():
        completion = scoring.completion(word, count, titles)
        if completion is not None and any(_is_held(segment, place, living) for segment, place in holders):
            yield completion


def _chosen(best: Sequence[tuple[Suggestion, Scoring]], limit: int) -> list[tuple[Suggestion, Scoring]]:
    """The best, of each kind no more than its share while there are others."""
    room = {kind: max(1, round(share * limit)) for kind, share in _SHARES.items()}
    chosen: list[tuple[Suggestion, Scoring]] = []
    others: list[tuple[Suggestion, Scoring]] = []
    for one in best:
        kind = one[0].kind
        room[kind] -= 1
        (chosen if room[kind] >= 0 else others).append(one)
    # Sorting is stable, and so is the order of what is equally good.
    return sorted([*chosen, *others][:limit], key=lambda one: -one[0].score)


def _matched(segments: Sequence[Segment], living: Living, reading: Reading, limit: int) -> _Matched:
    wanted, most_labels = min(math.ceil(_READ * limit), _MAX_READ), math.ceil(_LABELS * limit)
    costs, rows = [], []
    counts: Counter[str] = Counter()
    row_of: dict[str, int] = {}
    completions: dict[str, tuple[int, list[tuple[Segment, int]]]] = {}
    for segment in segments:
        matches = _living_matches(segment, living, reading, wanted, most_labels)
        costs.append(segment.costs[matches.products])
        rows.append(segment.rows[matches.products])
        for completion in matches.completions:
            # One of the full width may be the beginning of a longer word.
            if len(completion.word) < WORD_BYTES:
                count, holders = completions.get(word := completion.word.decode(), (0, []))
                completions[word] = (count + completion.count, [*holders, (segment, completion.place)])
        for place in matches.labels.tolist():
            key = bytes(segment.labels.keys[place])
            numbers = segment.labels.filed(place, place + 1)
            row = _first_living(segment, numbers, living)
            if len(key) < LABEL_BYTES and row is not None:
                counts[key.decode()] += len(numbers)
                row_of[key.decode()] = row
    all_rows = np.concatenate(rows)
    order = np.lexsort((-all_rows, np.concatenate(costs)))[:wanted]
    labels = {key: (count, row_of[key]) for key, count in counts.most_common(most_labels)}
    return _Matched(all_rows[order].tolist(), labels, completions)


def _living_matches(segment: Segment, living: Living, reading: Reading, wanted: int, labels: int) -> Matches:
    """The matches of a segment whose products live; where many died, it is looked further for others."""
    limit = wanted
    while True:
        matches = matches_of(segment, reading.terms, products=limit, labels=labels, completions=_COMPLETIONS)
        alive = matches.products[living(segment.rows[matches.products])]
        if len(alive) >= wanted or len(matches.products) < limit:
            return Matches(alive, matches.labels, matches.completions)
        limit *= 16


def _is_held(segment: Segment, place: int, living: Living) -> bool:
    return _first_living(segment, segment.words.filed(place, place + 1), living) is not None


def _first_living(segment: Segment, numbers: Numbers, living: Living) -> int | None:
    for part in (numbers[:64], numbers[64:]):
        rows = segment.rows[part]
        if len(alive := rows[living(rows)]):
            return int(alive[0])
    return None
