"""The report of an interleaved experiment: whose results visitors click more."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluation.experiments.estimates import sign_p
from evaluation.experiments.visitors import ExperimentLog
from gateway.experiments.definitions import Experiment


@dataclass(frozen=True, slots=True)
class InterleavedReport:
    """Visitors who clicked more of one arm's results than of the other's, and ties.

    `preference`: (wins of the second arm + ties / 2) / visitors who clicked, 0.5 where both are liked alike
    (Chapelle et al. 2012); `p_value`: that each win was a coin's throw.
    """

    experiment: str
    arms: tuple[str, str]
    visitors: int
    clicks: tuple[int, int]
    wins: tuple[int, int]
    ties: int
    preference: float | None
    p_value: float
    notes: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def interleaved_report_of(name: str, experiment: Experiment, log: ExperimentLog) -> InterleavedReport:
    """The report of an interleaved experiment whose events the log has read. A visitor counts once, not each click."""
    clicks, wins, ties, lost = [0, 0], [0, 0], 0, 0
    exposed = log.exposed()
    for visitor in exposed:
        teams = Counter(
            log.team_of(answer_id, product_id, position)
            for (answer_id, product_id), position in visitor.clicks.items()
            if answer_id in log.teams
        )
        lost += teams.pop(None, 0)
        clicks = [clicks[0] + teams[0], clicks[1] + teams[1]]
        if teams[0] != teams[1]:
            wins[teams[1] > teams[0]] += 1
        else:
            ties += bool(teams)
    clicked = sum(wins) + ties
    notes = [] if clicked else [f"no click of {log.events:,} events carries a token of this experiment"]
    if lost:
        notes.append(f"{lost:,} clicks say no position, and no list of the answer does: left out")
    first, second = experiment.arms
    return InterleavedReport(
        experiment=name,
        arms=(first.name, second.name),
        visitors=len(exposed),
        clicks=(clicks[0], clicks[1]),
        wins=(wins[0], wins[1]),
        ties=ties,
        preference=(wins[1] + ties / 2) / clicked if clicked else None,
        p_value=sign_p(wins[1], wins[0]),
        notes=tuple(notes),
    )
