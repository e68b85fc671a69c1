"""The report of an experiment: figures of each arm, lifts over the control, and what speaks against believing them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.experiments.estimates import Estimate, Lift, holm, lift, ratio, sample_ratio_p
from evaluation.experiments.visitors import ExperimentLog, Visitor
from gateway.experiments.definitions import Experiment
from vitrine.user_event import EventType

# Below it the arms' sizes are not those of the weights, and no figure is to be believed (Fabijan et al. 2019).
SAMPLE_RATIO_P = 0.001
# With fewer the normal distribution, which the intervals rest on, is far.
LEAST_VISITORS = 100


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """What an arm's visitors did; `figures` by metric, None where nothing can be said."""

    arm: str
    visitors: int
    impressions: int
    clicks: int
    figures: Mapping[str, Estimate | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm against the control in one metric. `p_holm`: p for all the report's comparisons together."""

    arm: str
    metric: str
    lift: Lift
    p_holm: float


@dataclass(frozen=True, slots=True)
class Report:
    """All of it. `sample_ratio_p`: p that the weights made arms of these sizes; `notes`: what to mind, in words."""

    experiment: str
    control: str
    arms: tuple[ArmFigures, ...]
    comparisons: tuple[Comparison, ...]
    sample_ratio_p: float
    notes: tuple[str, ...]

    @property
    def is_mismatched(self) -> bool:
        """Whether the arms' sizes say that something is wrong with who was counted."""
        return self.sample_ratio_p < SAMPLE_RATIO_P

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def report_of(name: str, experiment: Experiment, log: ExperimentLog) -> Report:
    """The report of an experiment whose events the log has read; for one that is not interleaved."""
    weights = {arm.name: arm.weight for arm in experiment.arms}
    exposed = log.exposed()
    arms: dict[str, list[Visitor]] = {arm: [] for arm in weights}
    mixed = unknown = 0
    for visitor in exposed:
        if len(visitor.arms) > 1:
            mixed += 1
        elif (arm := next(iter(visitor.arms))) in arms:
            arms[arm].append(visitor)
        else:
            unknown += 1
    metrics = _metrics([visitor for visitors in arms.values() for visitor in visitors])
    figures = [_figures(arm, visitors, metrics) for arm, visitors in arms.items()]
    control, *others = figures
    lifts = [
        (one.arm, metric, found)
        for one in others
        for metric in metrics
        if (found := _lift(one.figures[metric], control.figures[metric])) is not None
    ]
    raised = holm([found.p_value for _, _, found in lifts])
    counts = {arm: len(visitors) for arm, visitors in arms.items()}
    return Report(
        experiment=name,
        control=control.arm,
        arms=tuple(figures),
        comparisons=tuple(
            Comparison(arm, metric, found, p) for (arm, metric, found), p in zip(lifts, raised, strict=True)
        ),
        sample_ratio_p=sample_ratio_p(counts, weights),
        notes=tuple(_notes(log, counts, mixed, unknown)),
    )


_Metric = Callable[[Visitor], tuple[float, float]]


def _metrics(visitors: Sequence[Visitor]) -> dict[str, _Metric]:
    """Each metric as what a visitor adds to numerator and denominator."""
    metrics: dict[str, _Metric] = {
        "ctr": lambda visitor: (len(visitor.clicks), visitor.impressions),
        "add_to_cart_rate": lambda visitor: (visitor.did(EventType.ADD_TO_CART), 1),
        "conversion": lambda visitor: (visitor.did(EventType.PURCHASE), 1),
    }
    currencies = sorted({code for visitor in visitors for code, paid in visitor.revenue().items() if paid})
    for code in currencies:
        metrics[f"revenue_per_visitor_{code or 'unknown'}"] = lambda visitor, code=code: (  # type: ignore[misc]
            visitor.revenue().get(code, 0.0),
            1,
        )
    return metrics


def _figures(arm: str, visitors: Sequence[Visitor], metrics: Mapping[str, _Metric]) -> ArmFigures:
    pairs: dict[str, NDArray[np.float64]] = {
        name: np.array([metric(visitor) for visitor in visitors], dtype=np.float64).reshape(-1, 2)
        for name, metric in metrics.items()
    }
    clicks, impressions = pairs["ctr"].sum(axis=0)
    return ArmFigures(
        arm=arm,
        visitors=len(visitors),
        impressions=int(impressions),
        clicks=int(clicks),
        figures={name: ratio(pair[:, 0], pair[:, 1]) for name, pair in pairs.items()},
    )


def _lift(arm: Estimate | None, control: Estimate | None) -> Lift | None:
    return None if arm is None or control is None else lift(arm, control)


def _notes(log: ExperimentLog, counts: Mapping[str, int], mixed: int, unknown: int) -> list[str]:
    notes = []
    if not any(counts.values()):
        notes.append(f"none of {log.events:,} events carries a token of this experiment: send attribution_token")
    if mixed:
        notes.append(f"{mixed:,} visitors were in several arms (weights or salt changed) and are left out")
    if unknown:
        notes.append(f"{unknown:,} visitors were in arms that the file does not have any more and are left out")
    if log.unpriced:
        notes.append(f"{log.unpriced:,} products were bought without a price: revenue is too low")
    few = [arm for arm, count in counts.items() if count < LEAST_VISITORS]
    if few:
        notes.append(f"fewer than {LEAST_VISITORS} visitors in {', '.join(few)}: the intervals are too narrow")
    return notes
