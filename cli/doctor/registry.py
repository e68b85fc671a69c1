"""All checks, in the order in which they are made."""

from collections.abc import Iterable

from cli.doctor import (
    agreement,
    catalogue,
    certificates,
    clocks,
    contradictions,
    folders,
    keys,
    memory,
    models,
    network,
    packages,
    parts,
    postgres,
    probe,
    processors,
    redis_stores,
    system,
    variables,
)
from cli.doctor.check import Check, Scope
from vitrine.errors import invalid

_SUBJECTS = (
    packages,
    processors,
    memory,
    folders,
    system,
    variables,
    contradictions,
    network,
    models,
    catalogue,
    parts,
    certificates,
    keys,
    agreement,
    redis_stores,
    postgres,
    probe,
    clocks,
)
CHECKS = tuple(found for module in _SUBJECTS for found in vars(module).values() if isinstance(found, Check))


def checks_of(scope: Scope, names: Iterable[str] = ()) -> list[Check]:
    """The checks of a scope; with `names` those that are named, or whose subject is. Raises InvalidArgument."""
    there = [one for one in CHECKS if scope in one.scopes]
    wanted = set(names)
    if unknown := sorted(wanted - {word for one in there for word in (one.name, one.subject)}):
        subjects = ", ".join(dict.fromkeys(one.subject for one in there))
        elsewhere = unknown[0] in {word for one in CHECKS for word in (one.name, one.subject)}
        way = "with" if scope == "machine" else "without"
        fix = f"it is made {way} --address" if elsewhere else f"subjects are {subjects}"
        raise invalid("check", f"there is no {unknown[0]} of a {scope}; {fix}")
    return [one for one in there if not wanted or wanted & {one.name, one.subject}]
