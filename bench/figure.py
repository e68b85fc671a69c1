"""Figures: each a ratio within one run, with the rounds that made it and the limit that it must keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from pydantic import BaseModel, ConfigDict, TypeAdapter

LIMITS = Path(__file__).with_name("limits.json")


class Limit(BaseModel):
    """What a figure must reach; `aim` is what it should."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_least: float | None = None
    at_most: float | None = None
    aim: float | None = None

    def is_kept_by(self, value: float) -> bool:
        """Whether a value is within the limit."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        aim = "" if self.aim is None else f", aim {self.aim:g}"
        return (f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}") + aim


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: the value of each round, whose median counts, and what was measured, in words or numbers.

    `not_run` says why there is no value; `errors` are calls that failed, of which none is allowed.
    """

    name: str
    rounds: tuple[float, ...] = ()
    measured: Mapping[str, float | str] = field(default_factory=dict)
    errors: int = 0
    not_run: str = ""

    @property
    def value(self) -> float | None:
        """The median round; None when it was not run."""
        return median(self.rounds) if self.rounds else None


def read_limits(path: Path = LIMITS) -> dict[str, Limit]:
    """The limits by the figure's name; a figure without one only informs."""
    return TypeAdapter(dict[str, Limit]).validate_json(path.read_bytes())


def missed(figures: list[Figure], limits: Mapping[str, Limit]) -> list[str]:
    """Which figures miss their limit, in words."""
    faults = []
    for figure in figures:
        limit = limits.get(figure.name)
        if figure.errors:
            faults.append(f"{figure.name}: {figure.errors} calls failed")
        if limit is not None and figure.value is not None and not limit.is_kept_by(figure.value):
            faults.append(f"{figure.name}: {figure.value:.3g}, to reach {limit}")
    return faults
