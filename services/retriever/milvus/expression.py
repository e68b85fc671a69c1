"""Conditions as Milvus expressions: each is true or false of a product, never unknown, so that NOT is the contrary."""

import json
import sys
from collections.abc import Iterable, Sequence
from math import isinf

from services.retriever.conditions import (
    AllOf,
    AnyOf,
    Beginning,
    Condition,
    Not,
    OneOf,
    Present,
    Under,
    Within,
)
from services.retriever.field_values import NUMBER_KEYS
from services.retriever.milvus.entity import COMPARED_VALUES, level_term, path_of, presence_term, word_term
from services.retriever.milvus.tokens import tokens_of


def expression_of(condition: Condition) -> str:
    """The expression of a condition; "" where everything meets it."""
    match condition:
        case AllOf():
            return _joined(" and ", map(expression_of, condition.parts))
        case AnyOf():
            parts = [expression_of(part) for part in condition.parts]
            return "" if parts and not all(parts) else _joined(" or ", parts) or NEVER
        case Not():
            part = expression_of(condition.part)
            return f"not ({part})" if part else NEVER
        case OneOf(key="id"):
            return f"id in {_list(condition.words)}"
        case OneOf():
            return _has(word_term(condition.key, word) for word in condition.words)
        case Under():
            return _has(level_term(condition.key, word) for word in condition.words)
        case Present():
            return _has([presence_term(condition.key)])
        case Beginning():
            return _begins(condition)
        case Within():
            return _within(condition)


def held_by(holdings: Iterable[Sequence[str]]) -> str:
    """The expression of what holds all words of one of the holdings."""
    each = (_joined(" and ", (f'TEXT_MATCH(words, "{token}")' for token in tokens_of(words))) for words in holdings)
    return f"({_joined(' or ', each) or NEVER})"


# No row has this key.
NEVER = "row < 0"


def _joined(word: str, parts: Iterable[str]) -> str:
    given = [part for part in parts if part]
    return given[0] if len(given) == 1 else word.join(f"({part})" for part in given)


def _has(terms: Iterable[str]) -> str:
    return f"ARRAY_CONTAINS_ANY(terms, {_list(terms)})"


def _begins(leaf: Beginning) -> str:
    # As a range, since Milvus and Milvus Lite differ in how a pattern escapes its own signs.
    low, high = _text(leaf.start), _text(leaf.start + chr(sys.maxunicode))
    path = f'texts["{path_of(leaf.key)}"]'
    tests = (f"{path}[{place}] >= {low} and {path}[{place}] < {high}" for place in range(COMPARED_VALUES))
    return f"{_has([presence_term(leaf.key)])} and ({_joined(' or ', tests)})"


def _within(leaf: Within) -> str:
    path = f'numbers["{path_of(leaf.key)}"]'
    above, below = ">" if leaf.low_open else ">=", "<" if leaf.high_open else "<="
    if isinf(leaf.low) and isinf(leaf.high):
        # An attribute may have words alone.
        test = f"{path}[1] > -1e308"
    elif isinf(leaf.high):
        test = f"{path}[1] {above} {leaf.low!r}"
    elif isinf(leaf.low):
        test = f"{path}[0] {below} {leaf.high!r}"
    else:
        # Of several numbers one must lie within, not one above and another below.
        places = range(1 if leaf.key in NUMBER_KEYS else COMPARED_VALUES)
        tests = (f"{path}[{p}] {above} {leaf.low!r} and {path}[{p}] {below} {leaf.high!r}" for p in places)
        test = _joined(" or ", tests)
    return f"{_has([presence_term(leaf.key)])} and ({test})"


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, sorted(values)))}]"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
