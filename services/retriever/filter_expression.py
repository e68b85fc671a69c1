"""Filter expressions: a subset of AIP-160 (https://google.aip.dev/160), read into a condition.

    expression  := factor {["AND"] factor}
    factor      := term {"OR" term}                      OR binds tighter than AND, as AIP-160 has it
    term        := ["NOT" | "-"] ("(" expression ")" | restriction)
    restriction := field ("=" | "!=" | "<" | "<=" | ">" | ">=" | ":") (literal | "(" literals ")")
    literals    := literal {("," | "OR") literal} | literal {"AND" literal}

Not in the subset: a word without a field, functions, and comparing one field with another.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from services.retriever.conditions import AllOf, AnyOf, Condition, Not
from services.retriever.restrictions import Literal, Refused, restriction
from vitrine.errors import InvalidArgument, invalid

MAX_CHARACTERS = 4_000
MAX_DEPTH = 20
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<operator><=|>=|!=|[=<>:])
      | (?P<mark>[(),])
      | (?P<text>[^\s"'()<>=!:,]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_WORDS = ("AND", "OR", "NOT")


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of the expression: "string", "operator", "mark", "text" or "end"; `start` counts from 0."""

    kind: str
    text: str
    start: int
    end: int


@lru_cache(maxsize=1_000)
def condition_of(expression: str, field: str = "filter.expression") -> Condition:
    """The condition of an expression; an empty one lets everything through.

    Raises InvalidArgument that names `field`, the column (from 1) and the fix.
    """
    if len(expression) > MAX_CHARACTERS:
        raise invalid(field, f"has {len(expression)} characters; at most {MAX_CHARACTERS:,} are allowed")
    try:
        return _Parser(expression).whole()
    except _Fault as fault:
        raise fault.within(field) from None


class _Fault(Exception):
    """What is wrong, and where."""

    def __init__(self, token: _Token, fault: str) -> None:
        super().__init__(fault)
        self._token = token
        self._fault = fault

    def within(self, field: str) -> InvalidArgument:
        """The error that a caller sees."""
        at = f", at {self._token.text!r}" if self._token.text else ""
        return invalid(field, f"column {self._token.start + 1}{at}: {self._fault}")


class _Parser:
    def __init__(self, expression: str) -> None:
        self._tokens = _tokens(expression)
        self._at = 0

    def whole(self) -> Condition:
        if self._next.kind == "end":
            return AllOf()
        condition = self._expression(0)
        if self._next.kind != "end":
            raise self._fault("nothing was opened that this closes; remove it")
        return condition

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _taken(self) -> _Token:
        token = self._next
        self._at += token.kind != "end"
        return token

    def _is(self, kind: str, text: str) -> bool:
        return self._next.kind == kind and self._next.text == text

    def _fault(self, fault: str) -> _Fault:
        return _Fault(self._next, fault)

    def _expression(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise self._fault(f"is nested more than {MAX_DEPTH} deep; write it flatter")
        parts = [self._factor(depth)]
        while self._next.kind != "end" and not self._is("mark", ")"):
            if self._is("text", "AND"):
                self._taken()
            parts.append(self._factor(depth))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _factor(self, depth: int) -> Condition:
        parts = [self._term(depth)]
        while self._is("text", "OR"):
            self._taken()
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _term(self, depth: int) -> Condition:
        token = self._next
        if self._is("text", "NOT") or self._is("text", "-"):
            self._taken()
            return Not(self._simple(depth))
        if token.kind == "text" and token.text.startswith("-"):
            self._tokens[self._at] = _Token("text", token.text[1:], token.start + 1, token.end)
            return Not(self._simple(depth))
        return self._simple(depth)

    def _simple(self, depth: int) -> Condition:
        if self._is("mark", "("):
            opened = self._taken()
            inner = self._expression(depth + 1)
            self._close(opened)
            return inner
        return self._restriction()

    def _close(self, opened: _Token) -> None:
        if not self._is("mark", ")"):
            raise self._fault(f"the bracket of column {opened.start + 1} is not closed; add ')'")
        self._taken()

    def _restriction(self) -> Condition:
        token = self._next
        if token.kind not in ("text", "string") or token.text in _WORDS:
            raise self._fault("a field is missing here; write FIELD = VALUE")
        if token.kind == "text" and not any(map(str.isalnum, token.text)):
            raise self._fault("is no field; join conditions with AND or OR, and list values as (a, b)")
        name = self._taken().text
        if token.kind == "text" and name.endswith(".") and self._adjacent("string", token):
            name += self._taken().text
        operator = self._next
        if operator.kind != "operator":
            if operator.kind == "text" and operator.text.upper() in _WORDS:
                fault = f"{name!r} is not compared with anything; write {name} = VALUE"
            else:
                fault = "a comparison (=, !=, <, <=, >, >=, :) has to follow the field; search words go into query"
            raise _Fault(token if operator.kind == "end" else operator, fault)
        self._taken()
        literals, all_of = self._argument(operator)
        conditions = []
        for literal, at in literals:
            try:
                conditions.append(restriction(name, operator.text, literal))
            except Refused as refused:
                raise _Fault(token if refused.of_field else at, str(refused)) from None
        # To differ from a list is to differ from each of it.
        together = all_of != (operator.text == "!=")
        whole = tuple(conditions)
        return whole[0] if len(whole) == 1 else AllOf(whole) if together else AnyOf(whole)

    def _adjacent(self, kind: str, before: _Token) -> bool:
        return self._next.kind == kind and self._next.start == before.end

    def _argument(self, operator: _Token) -> tuple[list[tuple[Literal, _Token]], bool]:
        """The literals that a field is compared with, and whether all of them are asked for."""
        if not self._is("mark", "("):
            return [self._literal()], False
        opened = self._taken()
        literals, joints = [self._literal()], set()
        while not self._is("mark", ")"):
            joint = self._next
            if joint.text not in (",", "OR", "AND") or joint.kind == "string":
                raise self._fault(f"the list of column {opened.start + 1} goes on with ',' or ends with ')'")
            joints.add("OR" if joint.text == "," else joint.text)
            if len(joints) > 1:
                raise self._fault("a list is joined by OR or by AND, not by both; write two comparisons")
            self._taken()
            literals.append(self._literal())
        self._close(opened)
        if operator.text not in ("=", "!=", ":"):
            raise _Fault(operator, "a list is compared by =, != or :")
        return literals, "AND" in joints

    def _literal(self) -> tuple[Literal, _Token]:
        token = self._next
        if token.kind not in ("text", "string") or (token.kind == "text" and token.text in _WORDS):
            raise self._fault("a value is missing here; write a number, a word, or words in quotation marks")
        self._taken()
        return Literal(token.text, token.kind == "string"), token


def _tokens(expression: str) -> list[_Token]:
    tokens = []
    at = 0
    while match := _TOKEN.match(expression, at):
        kind = str(match.lastgroup)
        text = match.group(kind)
        if kind == "string":
            text = _ESCAPED.sub(r"\1", text[1:-1])
        tokens.append(_Token(kind, text, match.start(kind), match.end()))
        at = match.end()
    rest = expression[at:].lstrip()
    end = _Token("end", "", len(expression) - len(rest), len(expression))
    if rest:
        stray = _Token("end", rest[0], end.start, end.end)
        if rest[0] in "\"'":
            raise _Fault(stray, 'the quotation mark is not closed; close it, or write \\" for one within words')
        raise _Fault(stray, "means nothing here; write != to differ, NOT to negate")
    tokens.append(end)
    return tokens
