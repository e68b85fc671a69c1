"""The result of one evaluation of recommendation, as it is shown and written to a JSON file."""

from dataclasses import dataclass
from pathlib import Path

from evaluation.intervals import Interval
from evaluation.json_file import write_json


@dataclass(frozen=True, slots=True)
class Gain:
    """How a method compares with the best of others in one metric, question by question; p by sign-flip."""

    method: str
    best_other: str
    metric: str
    ratio: float | None  # None where the other reaches nothing
    difference: Interval
    p_value: float


@dataclass(frozen=True, slots=True)
class TaskResult:
    """Figures by method and metric; `questions` how many were asked."""

    questions: int
    figures: dict[str, dict[str, Interval]]
    gains: list[Gain]


@dataclass(frozen=True, slots=True)
class RecommendationResult:
    """What was measured on what; `data_digest` is equal for equal files, `seconds` by part."""

    dataset: str
    data_digest: str
    protocol: str
    settings: dict[str, str | int | float]
    notes: list[str]
    tasks: dict[str, TaskResult]
    published: dict[str, dict[str, float]]
    seconds: dict[str, float]

    def write(self, path: Path) -> None:
        """Writes the result as JSON, whole or not at all. Raises FailedPrecondition when that cannot be."""
        write_json(self, path)
