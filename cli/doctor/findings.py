"""What a check saw, how bad that is, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is; UNKNOWN is what could not be checked, which is never taken for well."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "could not check"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was seen, in a line; `todo` is empty only where nothing is to be done."""

    verdict: Verdict
    seen: str
    todo: str = ""


def ok(seen: str) -> Finding:
    """As it should be."""
    return Finding(Verdict.OK, seen)


def warning(seen: str, todo: str) -> Finding:
    """Works now, and costs speed, safety or time later."""
    return Finding(Verdict.WARNING, seen, todo)


def problem(seen: str, todo: str) -> Finding:
    """Does not work, or loses or opens something."""
    return Finding(Verdict.PROBLEM, seen, todo)


def unknown(seen: str, todo: str) -> Finding:
    """Could not be looked at."""
    return Finding(Verdict.UNKNOWN, seen, todo)
