"""What was found, as rows of a Markdown table, and what missed its limit."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from loadtest.faults.searches import Outcome


@dataclass(slots=True)
class Findings:
    """Rows under one heading; `missed` names the limits that were not kept."""

    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """One more row, shown at once to who waits."""
        self.rows.append(cells)
        print(" | ".join(cells), file=sys.stderr)

    def hold(self, holds: bool, what: str) -> None:
        """Notes what was to hold, when it does not."""
        if not holds:
            self.missed.append(what)

    def markdown(self) -> str:
        """The table."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def told(outcomes: Sequence[Outcome]) -> tuple[str, str, str, str]:
    """Searches, those that failed, those that were degraded, and the slowest in milliseconds."""
    slowest = max((one.took_s for one in outcomes), default=0.0)
    failed, degraded = sum(bool(one.fault) for one in outcomes), sum(bool(one.degraded) for one in outcomes)
    return f"{len(outcomes):,}", str(failed), str(degraded), f"{slowest * 1e3:,.0f}"


def kinds(outcomes: Sequence[Outcome]) -> str:
    """The kinds of faults and degradations, each once, for people."""
    return ", ".join(
        sorted({one.fault[:160] for one in outcomes if one.fault} | {d for o in outcomes for d in o.degraded})
    )
