"""Known vulnerabilities of packages, as a file keeps them, and what they say of a version."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vitrine.errors import FailedPrecondition


class Range(BaseModel):
    """Versions from `introduced` on; up to and without `fixed`, up to and with `last_affected`, or all later ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    introduced: str = "0"
    fixed: str | None = None
    last_affected: str | None = None

    def holds(self, version: Version) -> bool:
        """Whether the version is one of them."""
        if version < Version(self.introduced):
            return False
        if self.fixed is not None:
            return version < Version(self.fixed)
        return self.last_affected is None or version <= Version(self.last_affected)


class Advisory(BaseModel):
    """One vulnerability of a package."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    summary: str = ""
    ranges: tuple[Range, ...] = Field(min_length=1)

    def affects(self, version: str) -> bool:
        """Whether the version has it; one that cannot be read is taken to."""
        try:
            parsed = Version(version)
        except InvalidVersion:
            return True
        return any(each.holds(parsed) for each in self.ranges)


class Waiver(BaseModel):
    """An advisory that does not concern us, why, and until when that was thought through."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str
    id: str
    reason: str = Field(min_length=10)
    until: date


class Advisories(BaseModel):
    """Advisories by package: of those that `packages` lacks nothing is known, neither good nor bad."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    taken: date
    packages: Mapping[str, tuple[Advisory, ...]]
    waivers: tuple[Waiver, ...] = ()

    def of(self, package: str, version: str, today: date) -> Iterator[Advisory]:
        """What a version has, without what was waived."""
        waived = {one.id for one in self.waivers if one.package == package and today <= one.until}
        for advisory in self.packages.get(package, ()):
            if advisory.id not in waived and advisory.affects(version):
                yield advisory


def read_advisories(path: Path) -> Advisories:
    """The file's advisories. Raises FailedPrecondition naming what is wrong with it."""
    try:
        return Advisories.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise FailedPrecondition(f"{path}: {error}") from error
