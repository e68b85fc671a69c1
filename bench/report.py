"""The report of a run: one JSON and one Markdown file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.figure import Figure, Limit, missed


@dataclass(frozen=True, slots=True)
class Report:
    """What a run measured, on which machine and how."""

    time: str
    machine: Mapping[str, str | int]
    settings: Mapping[str, str | int | float]
    figures: list[Figure]
    limits: Mapping[str, Limit]

    def missed(self) -> list[str]:
        """Which figures miss their limit, in words."""
        return missed(self.figures, self.limits)

    def write(self, folder: Path) -> None:
        """Writes report.json and report.md."""
        (folder / "report.json").write_text(json.dumps(self._json(), indent=1, ensure_ascii=False) + "\n")
        (folder / "report.md").write_text(self.markdown())

    def _json(self) -> dict[str, object]:
        figures = []
        for figure in self.figures:
            limit = self.limits.get(figure.name)
            to_reach = None if limit is None else limit.model_dump(exclude_none=True)
            figures.append({**asdict(figure), "value": figure.value, "to_reach": to_reach})
        return {
            "time": self.time,
            "machine": dict(self.machine),
            "settings": dict(self.settings),
            "figures": figures,
            "missed": self.missed(),
        }

    def markdown(self) -> str:
        """The report as Markdown."""
        lines = [
            "# Bench",
            "",
            f"{self.time}; " + ", ".join(f"{name} {value}" for name, value in self.machine.items()) + ".",
            "Run with " + ", ".join(f"{name} {value}" for name, value in self.settings.items()) + ".",
            "",
            "| figure | value | to reach | | rounds | measured |",
            "|---|---|---|---|---|---|",
        ]
        lines += [self._row(figure) for figure in self.figures]
        return "\n".join(lines) + "\n"

    def _row(self, figure: Figure) -> str:
        limit = self.limits.get(figure.name)
        to_reach = "" if limit is None else str(limit)
        if figure.value is None:
            return f"| {figure.name} | not run | {to_reach} | | | {figure.not_run} |"
        kept = "" if limit is None else "yes" if limit.is_kept_by(figure.value) and not figure.errors else "**no**"
        rounds = " ".join(f"{value:.3g}" for value in figure.rounds)
        measured = ", ".join(f"{name} {_shown(value)}" for name, value in figure.measured.items())
        errors = f", {figure.errors} errors" if figure.errors else ""
        return f"| {figure.name} | {figure.value:.3g} | {to_reach} | {kept} | {rounds} | {measured}{errors} |"


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.4g}"
