"""A merchant's rules: which words are the same, and which products a query puts first or leaves out; from a file."""

import tomllib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from services.retriever.conditions import Condition, Not
from services.retriever.filter_expression import condition_of
from services.retriever.filters import FilterPlan
from services.retriever.synonyms import NO_SYNONYMS, Synonyms, synonyms_of, words_of_phrase
from vitrine.errors import FailedPrecondition, InvalidArgument
from vitrine.product import MAX_ID_CHARACTERS

MAX_RULES = 10_000
MAX_IDS = 50
_MAX_CHARACTERS = 512


def _moment(value: Any) -> Any:
    """A day begins at midnight in UTC; a time says where."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("has no offset; write for example 2026-11-20T00:00:00+08:00, or the day alone")
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise ValueError("is not a date; write for example 2026-11-20, without quotation marks")


def _phrase(value: Any) -> Any:
    if isinstance(value, str) and not words_of_phrase(value):
        raise ValueError("has no word in it; remove it")
    return value


_Moment = Annotated[datetime, BeforeValidator(_moment)]
_Phrase = Annotated[str, Field(max_length=_MAX_CHARACTERS), BeforeValidator(_phrase)]
_Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]


class SynonymRule(BaseModel):
    """Words that are the same, or what is also found for `word` (and not the other way)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    same: tuple[_Phrase, ...] = ()
    word: _Phrase | None = None
    also: tuple[_Phrase, ...] = ()

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if self.same:
            if self.word is not None or self.also:
                raise ValueError("has same beside word and also; make two of it")
            if len(self.same) < 2:
                raise ValueError("same holds one phrase; give two or more")
        elif self.word is None or not self.also:
            raise ValueError('give same = ["…", "…"], or word = "…" with also = ["…"]')
        return self


class QueryRule(BaseModel):
    """What some queries put first (`pins`, in this order) or leave out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    queries: tuple[_Phrase, ...] = Field(min_length=1, max_length=1_000)
    match: Literal["whole", "part"] = "whole"
    pins: tuple[_Id, ...] = Field((), max_length=MAX_IDS)
    blocks: tuple[_Id, ...] = Field((), max_length=MAX_IDS)
    # A filter expression: what meets it is left out.
    blocks_where: str = ""
    starts: _Moment | None = None
    ends: _Moment | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not (self.pins or self.blocks or self.blocks_where):
            raise ValueError("does nothing; give pins, blocks or blocks_where")
        if both := sorted(set(self.pins) & set(self.blocks)):
            raise ValueError(f"pins and blocks both name {both[0]}")
        if len(set(self.pins)) < len(self.pins):
            raise ValueError("pins names a product twice")
        if self.starts and self.ends and self.starts >= self.ends:
            raise ValueError("ends is not after starts")
        if self.blocks_where:
            try:
                condition_of(self.blocks_where, "blocks_where")
            except InvalidArgument as error:
                raise ValueError(error.message) from error
        return self

    def holds_at(self, now: datetime) -> bool:
        """Whether it holds at a moment: from `starts` on, and before `ends`."""
        return (self.starts is None or self.starts <= now) and (self.ends is None or now < self.ends)


class RulesFile(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    synonyms: tuple[SynonymRule, ...] = Field((), max_length=MAX_RULES)
    rules: tuple[QueryRule, ...] = Field((), max_length=MAX_RULES)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say of one query: ids to put first, in order, and what is left out."""

    pins: tuple[str, ...] = ()
    blocks: frozenset[str] = frozenset()
    conditions: tuple[Condition, ...] = ()

    def applied(self, plan: FilterPlan) -> FilterPlan:
        """The plan with what is blocked left out."""
        if self.conditions:
            plan = FilterPlan((*plan.parts, *self.conditions), plan.excluded_ids)
        return plan.without(self.blocks) if self.blocks else plan


NO_RULING = Ruling()


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one reading of the file, by the words of their queries."""

    synonyms: Synonyms = NO_SYNONYMS
    whole: dict[tuple[str, ...], list[QueryRule]] = field(default_factory=dict)
    part: dict[tuple[str, ...], list[QueryRule]] = field(default_factory=dict)
    # When some rule begins or ends, in order.
    turns: tuple[datetime, ...] = ()

    def turns_before(self, now: datetime) -> int:
        """How many rules began or ended by now: while it is the same, so is what holds."""
        return bisect_right(self.turns, now)

    def ruling(self, query: str, now: datetime) -> Ruling:
        """What holds for a query at a moment; of rules that disagree the earlier one in the file has its way."""
        if not (self.whole or self.part) or not query:
            return NO_RULING
        words = words_of_phrase(query)
        found = list(self.whole.get(words, ()))
        longest = max(map(len, self.part), default=0)
        for start in range(len(words) if self.part else 0):
            for end in range(start + 1, min(start + longest, len(words)) + 1):
                found += self.part.get(words[start:end], ())
        holding = [rule for rule in found if rule.holds_at(now)]
        if not holding:
            return NO_RULING
        blocks: set[str] = set()
        pins: dict[str, None] = {}
        for rule in holding:
            pins.update((pin, None) for pin in rule.pins if pin not in blocks)
            blocks.update(block for block in rule.blocks if block not in pins)
        conditions = (Not(condition_of(rule.blocks_where)) for rule in holding if rule.blocks_where)
        return Ruling(tuple(pins), frozenset(blocks), tuple(conditions))


def rules_of(file: RulesFile) -> Rules:
    """The rules of a file."""
    rules = Rules(
        synonyms_of(
            (rule.same for rule in file.synonyms if rule.same),
            ((rule.word, rule.also) for rule in file.synonyms if rule.word is not None),
        ),
        turns=tuple(sorted(moment for rule in file.rules for moment in (rule.starts, rule.ends) if moment)),
    )
    for rule in file.rules:
        by_words = rules.whole if rule.match == "whole" else rules.part
        for words in dict.fromkeys(map(words_of_phrase, rule.queries)):
            by_words.setdefault(words, []).append(rule)
    return rules


def read_rules(path: Path) -> Rules:
    """The file's rules. Raises FailedPrecondition, which names the file, the place in it and the fix."""
    try:
        return rules_of(RulesFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))))
    except OSError as error:
        raise FailedPrecondition(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise FailedPrecondition(f"{path}: {'; '.join(_faults(error.errors()))}") from error
    except (ValueError, RecursionError) as error:  # TOML that is none, or bytes that are not UTF-8
        raise FailedPrecondition(f"{path} is not TOML: {error}") from error


def _faults(errors: Sequence[Any]) -> list[str]:
    faults = []
    for error in errors:
        place = ""
        for part in error["loc"]:
            place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
        said = error["msg"].removeprefix("Value error, ")
        if error["type"] == "extra_forbidden":
            known = RulesFile if len(error["loc"]) == 1 else SynonymRule if error["loc"][0] == "synonyms" else QueryRule
            said = f"is not known; known here: {', '.join(known.model_fields)}"
        faults.append(f"{place}: {said}" if place else said)
    return faults
