"""The filter of a lexical search: conditions as queries over terms that every product carries for its values.

What it lets through holds every product that meets the condition, and others where a term says less than the value
does: numbers are told by buckets. Where it is not exact, what is found has to be looked at again in the columns.
"""

import json
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import tantivy

from services.retriever.conditions import (
    ID,
    AllOf,
    AnyOf,
    Beginning,
    Condition,
    Not,
    OneOf,
    Present,
    Under,
    Values,
    Within,
    levels_of,
    normal,
)

FIELD = "facet"
# Numbers from 0.001 to 10^12 by eighths of each doubling; what lies outside shares the bucket at the end.
_STEPS = 8
_LOW, _HIGH = -10 * _STEPS, 40 * _STEPS
_NOT_POSITIVE = _LOW - 1
# A set of terms is made into an automaton for each search: 0.2 ms, and 7 µs a term. More are found sooner by one.
_FEW_TERMS = 500

# Made once: `json.dumps` makes an encoder for each call that is not as it would have it.
_JSON = json.JSONEncoder(ensure_ascii=False).encode

_SHOULD, _MUST, _NEVER = tantivy.Occur.Should, tantivy.Occur.Must, tantivy.Occur.MustNot


def listed_terms(product_id: str, values: Values) -> str:
    """The terms under which a product is indexed, as the members of a JSON list; one may come twice."""
    terms = [_JSON(_term(ID, product_id))]
    for key, found in values.items():
        for value in found:
            terms.append(_word_terms(key, value) if isinstance(value, str) else _listed_number(key, _bucket(value)))
    return ", ".join(terms)


# A catalogue repeats its words.
@lru_cache(maxsize=65_536)
def _word_terms(key: str, word: str) -> str:
    return ", ".join(_JSON(_term(key, level)) for level in levels_of(key, normal(key, word)))


@lru_cache(maxsize=4_096)
def _listed_number(key: str, bucket: int) -> str:
    return _JSON(_number_term(key, bucket))


def is_exact(condition: Condition) -> bool:
    """Whether the filter lets through nothing but what meets the condition."""
    match condition:
        case AllOf() | AnyOf():
            return all(map(is_exact, condition.parts))
        case Not():
            return is_exact(condition.part)
        case OneOf():
            # A word's own term is the term of what lies below it, too.
            return condition.key not in ("categories", "language")
    return isinstance(condition, Under)


def limited(schema: tantivy.Schema, found: tantivy.Query, condition: Condition) -> tantivy.Query:
    """The query with the condition; scores stay: a condition decides what is found and never how high."""
    clauses = list(_clauses(schema, condition))
    return tantivy.Query.boolean_query([(_MUST, found), *clauses]) if clauses else found


def any_of(schema: tantivy.Schema, field: str, terms: Sequence[str] | Sequence[int]) -> tantivy.Query:
    """Where one of the terms is."""
    if len(terms) > _FEW_TERMS:
        return tantivy.Query.term_set_query(schema, field, terms)
    return tantivy.Query.boolean_query(
        [(_SHOULD, tantivy.Query.term_query(schema, field, term, "basic")) for term in terms]
    )


def _clauses(schema: tantivy.Schema, condition: Condition) -> Iterator[tuple[tantivy.Occur, tantivy.Query]]:
    """What has to be met, and what must not be."""
    parts = condition.parts if isinstance(condition, AllOf) else (condition,)
    for part in parts:
        if isinstance(part, AllOf):
            yield from _clauses(schema, part)
        elif isinstance(part, Not):
            if is_exact(part) and (query := _query(schema, part.part)) is not None:
                yield _NEVER, query
        elif (query := _query(schema, part)) is not None:
            yield _MUST, tantivy.Query.const_score_query(query, 0.0)


def _query(schema: tantivy.Schema, condition: Condition) -> tantivy.Query | None:
    """What lets through all that meets the condition; None: everything."""
    match condition:
        case OneOf() | Under():
            return any_of(schema, FIELD, [_term(condition.key, word) for word in condition.words])
        case Within():
            low, high = _bucket(condition.low), _bucket(condition.high)
            return any_of(schema, FIELD, [_number_term(condition.key, bucket) for bucket in range(low, high + 1)])
        case Beginning() | Present():
            return None
        case AnyOf():
            queries = [_query(schema, part) for part in condition.parts]
            if any(query is None for query in queries):
                return None
            return tantivy.Query.boolean_query([(_SHOULD, query) for query in queries if query is not None])
        case AllOf() | Not():
            clauses = list(_clauses(schema, condition))
            if not clauses:
                return None
            return tantivy.Query.boolean_query([(_MUST, tantivy.Query.all_query()), *clauses])


def _term(key: str, word: str) -> str:
    return f"{key}:{word}"


def _number_term(key: str, bucket: int) -> str:
    return f"{key}#{bucket}"


def _bucket(number: float) -> int:
    """Grows with the number."""
    if number <= 0:
        return _NOT_POSITIVE
    if number == math.inf:
        return _HIGH
    return max(_LOW, min(_HIGH, math.floor(math.log2(number) * _STEPS)))
