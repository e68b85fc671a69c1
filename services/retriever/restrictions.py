"""Restrictions: one comparison of a filter expression, checked against the field that it names."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches

from services.retriever.conditions import (
    SEPARATORS,
    AnyOf,
    Beginning,
    Condition,
    Not,
    OneOf,
    Present,
    Under,
    Within,
    normal,
)
from services.retriever.field_values import ATTRIBUTES, NUMBER_KEYS, TEXT_KEYS, attribute_key
from vitrine.product import Availability

_TEXT_ONLY = {"title", "description"}
_SIGNED = {"<": "below", "<=": "at most", ">": "above", ">=": "at least"}


class Refused(Exception):
    """What is wrong with the field (`of_field`), or with the value."""

    def __init__(self, fault: str, *, of_field: bool = False) -> None:
        super().__init__(fault)
        self.of_field = of_field


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it was written, without its quotation marks."""

    text: str
    is_quoted: bool


def restriction(field: str, operator: str, literal: Literal) -> Condition:
    """The condition of one comparison; operators are =, !=, <, <=, >, >= and :. Raises Refused."""
    key = _key(field)
    if operator == "!=":
        return Not(restriction(field, "=", literal))
    if operator == ":" and literal.text == "*" and not literal.is_quoted:
        if key == "id":
            raise Refused("every product has an id; name one")
        return Present(key)
    if operator in _SIGNED:
        return _compared(field, key, operator, literal)
    number = _number(key, literal)
    if key in NUMBER_KEYS:
        if number is None:
            raise Refused(f"{field} is compared with {_wanted(key)}")
        return Within(key, number, number)
    words = _words(field, key, operator, literal)
    # An attribute holds words in one feed and numbers in another.
    return words if number is None or key in TEXT_KEYS else AnyOf((words, Within(key, number, number)))


def _key(field: str) -> str:
    if field.startswith(ATTRIBUTES):
        key = attribute_key(field.removeprefix(ATTRIBUTES))
        if key == ATTRIBUTES:
            raise Refused("the attribute's name is missing; write attributes.NAME", of_field=True)
        return key
    if field in TEXT_KEYS or field in NUMBER_KEYS:
        return field
    if field in _TEXT_ONLY:
        raise Refused(f"{field} cannot be filtered on; its words are searched by query", of_field=True)
    if field == "kind":
        raise Refused("kinds are chosen by filter.kinds", of_field=True)
    known = (*TEXT_KEYS, *NUMBER_KEYS)
    near = get_close_matches(field, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"fields are {', '.join(known)} and attributes.NAME"
    raise Refused(f"there is no field {field!r}; {hint}", of_field=True)


def _compared(field: str, key: str, operator: str, literal: Literal) -> Within:
    if key in TEXT_KEYS:
        raise Refused(f"{field} holds words, which are not ordered; compare by =, != or :", of_field=True)
    number = _number(key, literal)
    if number is None:
        raise Refused(f"{_SIGNED[operator]} what? {operator} compares with {_wanted(key)}")
    if operator in ("<", "<="):
        return Within(key, high=number, high_open=operator == "<")
    return Within(key, low=number, low_open=operator == ">")


def _number(key: str, literal: Literal) -> float | None:
    if key == "update_time":
        return _seconds(literal.text)
    try:
        number = float(literal.text)
    except ValueError:
        return None
    # "nan" and "1_000" are words of somebody's catalogue.
    return number if math.isfinite(number) and "_" not in literal.text else None


def _seconds(text: str) -> float | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _wanted(key: str) -> str:
    if key == "update_time":
        return 'a time in quotation marks, such as "2026-01-31" or "2026-01-31T08:00:00Z"'
    return "a number, such as 19.99"


def _words(field: str, key: str, operator: str, literal: Literal) -> Condition:
    word = normal(key, literal.text)
    if not word:
        raise Refused(f"is empty; to ask for products without {field} write NOT {field}:*")
    if key == "availability" and word not in (states := [state.value for state in Availability]):
        raise Refused(f"is not an availability; use one of {', '.join(states)}")
    if operator == ":" and key in SEPARATORS:
        return Under(key, frozenset({word}))
    stars = literal.text.count("*")
    if operator == "=" and stars and key.startswith((ATTRIBUTES, "brand", "categories")):
        if stars > 1 or not literal.text.endswith("*") or not (start := normal(key, literal.text[:-1])):
            raise Refused('* stands for the rest of a word, at its end only, as in "So*"')
        return Beginning(key, start)
    return OneOf(key, frozenset({word}))
