"""What the services run on: the packages of pyproject.toml and, through all levels, what those require."""

import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Extras that serving images are built with; the others are for training and tests.
SERVED_EXTRAS = ("milvus", "postgres", "ray", "s3")


def requirements(pyproject: Path) -> list[Requirement]:
    """What pyproject.toml asks for, for serving."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = [one for extra in SERVED_EXTRAS for one in project["optional-dependencies"][extra]]
    return [Requirement(one) for one in (*project["dependencies"], *extras)]


def installed(wanted: list[Requirement]) -> dict[str, str]:
    """The versions that are installed of them and of what they require, by canonical name."""
    found: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    left = list(wanted)
    while left:
        requirement = left.pop()
        name = str(canonicalize_name(requirement.name))
        if (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[name] = distribution.version
        for text in distribution.requires or ():
            each = Requirement(text)
            extras = requirement.extras or {""}
            if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras):
                left.append(each)
    return found


def least_versions(wanted: list[Requirement]) -> dict[str, str]:
    """The least version that each requirement allows, where it says one."""
    return {
        str(canonicalize_name(one.name)): specifier.version
        for one in wanted
        for specifier in one.specifier
        if specifier.operator in (">=", "==", "~=")
    }
