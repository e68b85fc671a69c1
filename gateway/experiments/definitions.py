"""The file that defines experiments: who takes part, in which placements, and what each arm sets."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    field_validator,
    model_validator,
)

from gateway.experiments.arm_settings import OF_SEARCH, ArmSettings
from gateway.experiments.attribution import INTERLEAVED, MAX_CHARACTERS, MAX_TEAMS, Attribution, new_answer_id
from gateway.experiments.bucketing import arm_at, point
from vitrine.errors import FailedPrecondition

SEARCH = "search"
Place = Literal["search", "home", "similar", "complementary", "cart", "ads", "content"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name: give 1 to 40 letters, digits, - and _, a letter or digit first")
    if name == INTERLEAVED:
        raise ValueError(f"{name!r} stands for both arms; give another name")
    return name


_Name = Annotated[str, AfterValidator(_named)]


class Arm(BaseModel):
    """One way to answer; of the visitors who take part it gets its weight's share.

    `release` is there within `sets`, so that whatever sets one is treated alike.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name
    weight: float = Field(1.0, gt=0, le=1_000_000)
    release: _Name | None = None
    settings: ArmSettings = ArmSettings()

    @field_validator("settings")
    @classmethod
    def _names_no_release(cls, settings: ArmSettings) -> ArmSettings:
        if settings.release is not None:
            raise ValueError("release is no setting; name it beside settings")
        return settings

    @property
    def sets(self) -> ArmSettings:
        """All that the arm sets."""
        if self.release is None:
            return self.settings
        return self.settings.model_copy(update={"release": self.release})


class Experiment(BaseModel):
    """Arms to compare; the first one is the control that the others are compared with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    placements: tuple[Place, ...] = Field(min_length=1)
    # Share of the visitors who take part.
    traffic: float = Field(1.0, gt=0, le=1)
    # Another salt deals the visitors anew.
    salt: str = ""
    # Whether each visitor who takes part sees both arms' results, in one list.
    interleave: StrictBool = False
    arms: tuple[Arm, ...] = Field(min_length=2, max_length=20)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        names = [arm.name for arm in self.arms]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two arms have the name {twice[0]!r}")
        if self.interleave and len(names) != 2:
            raise ValueError(f"interleave compares two arms, and there are {len(names)}")
        if self.interleave and {"ads", "content"} & set(self.placements):
            raise ValueError("ads and content are not interleaved; leave interleave out")
        searches = [place == SEARCH for place in self.placements]
        for name in self.settings_changed() - {"release"}:
            if (name in OF_SEARCH) not in searches:
                where = "only in search" if name in OF_SEARCH else "only in recommendations"
                raise ValueError(f"{name} counts {where}; the placements are {', '.join(self.placements)}")
        return self

    def settings_changed(self) -> set[str]:
        """Names of what some arm sets."""
        return {name for arm in self.arms for name in arm.sets.model_fields_set}

    @property
    def releases(self) -> frozenset[str]:
        """Names of the releases that arms are answered by."""
        return frozenset(arm.release for arm in self.arms if arm.release is not None)

    def arm_of(self, name: str, visitor_id: str) -> Arm | None:
        """The visitor's arm in this experiment, whose name is `name`; None: does not take part."""
        arm = arm_at(point(name, self.salt, visitor_id), [arm.weight for arm in self.arms], self.traffic)
        return None if arm is None else self.arms[arm]


class Definitions(BaseModel):
    """All experiments, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiments: Mapping[_Name, Experiment] = {}

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for (name, one), (other_name, other) in combinations(self.experiments.items(), 2):
            places = sorted(set(one.placements) & set(other.placements))
            both = sorted(one.settings_changed() & other.settings_changed())
            if places and both:
                raise ValueError(
                    f"{name} and {other_name} both set {both[0]} in {places[0]}; make them arms of one experiment"
                )
            if places and one.interleave and other.interleave:
                raise ValueError(f"{name} and {other_name} both interleave {places[0]}; one can at a time")
        for place in sorted({place for experiment in self.experiments.values() for place in experiment.placements}):
            if (characters := len(self._longest_token(place))) > MAX_CHARACTERS:
                raise ValueError(
                    f"the names of all experiments in {place} make tokens of {characters} characters, and they may "
                    f"have {MAX_CHARACTERS}; shorten the names of experiments and arms, or end an experiment"
                )
        return self

    def at(self, place: str) -> Iterator[tuple[str, Experiment]]:
        """The experiments in a placement, with their names."""
        return ((name, one) for name, one in self.experiments.items() if place in one.placements)

    def _longest_token(self, place: str) -> str:
        found = dict(self.at(place))
        longest = {name: max((arm.name for arm in one.arms), key=len) for name, one in found.items()}
        teams = {name: [0] * MAX_TEAMS for name, one in found.items() if one.interleave}
        return Attribution(place, datetime.now(UTC), new_answer_id(), longest, teams).token()


def read_definitions(path: Path) -> Definitions:
    """The file's experiments. Raises FailedPrecondition, which names the file, the place in it and the fix."""
    try:
        return Definitions.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise FailedPrecondition(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise FailedPrecondition(f"{path}: {'; '.join(map(_fault, error.errors()))}") from error
    except (ValueError, RecursionError) as error:  # TOML that is none, or bytes that are not UTF-8
        raise FailedPrecondition(f"{path} is not TOML: {error}") from error


def _fault(error: Any) -> str:
    place = ""
    for part in error["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    said = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known: type[BaseModel] = Definitions if len(error["loc"]) == 1 else Experiment
        if "arms" in error["loc"]:
            known = ArmSettings if "settings" in error["loc"] else Arm
        # A release goes beside the settings.
        names = [name for name in known.model_fields if (known, name) != (ArmSettings, "release")]
        said = f"is not known; known here: {', '.join(names)}"
    return f"{place}: {said}" if place else said
