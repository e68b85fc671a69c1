"""Experiments and their reports as tables for people."""

from rich.table import Table

from evaluation.experiments.estimates import Estimate, Lift
from evaluation.experiments.interleaved import InterleavedReport
from evaluation.experiments.report import Report
from gateway.experiments.definitions import Definitions


def definitions_table(definitions: Definitions) -> Table:
    """Each arm: where, which share of all visitors, and what it sets."""
    table = Table("experiment", "placements", "arm", "visitors", "settings")
    for name, experiment in definitions.experiments.items():
        whole = sum(arm.weight for arm in experiment.arms)
        for arm in experiment.arms:
            share = experiment.traffic * (1.0 if experiment.interleave else arm.weight / whole)
            own = arm.settings.model_dump(mode="json", exclude_unset=True)
            said = ", ".join(f"{setting} = {value}" for setting, value in own.items()) or "as the gateway is set"
            shared = " (interleaved)" if experiment.interleave else ""
            table.add_row(name, ", ".join(experiment.placements), arm.name, f"{share:.1%}{shared}", said)
    return table


def report_tables(report: Report) -> list[Table]:
    """The arms' figures, then what differs from the control."""
    metrics = list(report.arms[0].figures)
    notes = "\n".join(report.notes)
    arms = Table("arm", "visitors", "impressions", "clicks", *metrics, title=report.experiment, caption=notes)
    for one in report.arms:
        figures = (_figure(one.figures[metric]) for metric in metrics)
        arms.add_row(one.arm, f"{one.visitors:,}", f"{one.impressions:,}", f"{one.clicks:,}", *figures)
    lifts = Table(
        *("arm", "metric", "lift", "95 % interval", "p", "p, Holm", "detectable"),
        title=f"against {report.control}",
        caption=f"sample ratio: p = {report.sample_ratio_p:.3g}; Holm: p with all rows taken together; detectable: "
        "the lift that so many visitors would show in 4 of 5 experiments",
    )
    for row in report.comparisons:
        found = row.lift
        numbers = (f"{found.value:+.1%}", _bounds(found), f"{found.p_value:.3g}", f"{row.p_holm:.3g}")
        lifts.add_row(row.arm, row.metric, *numbers, f"±{found.detectable:.1%}")
    return [arms, lifts]


def interleaved_table(report: InterleavedReport) -> Table:
    """Both arms' clicks, and who won with how many visitors."""
    preference = "" if report.preference is None else f"; preference for {report.arms[1]} {report.preference:.1%}"
    table = Table(
        *("arm", "clicks", "visitors who clicked more of it"),
        title=f"{report.experiment}: {report.visitors:,} visitors, interleaved",
        caption="\n".join([f"{report.ties:,} ties{preference}; sign test p = {report.p_value:.3g}", *report.notes]),
    )
    for arm, clicks, wins in zip(report.arms, report.clicks, report.wins, strict=True):
        table.add_row(arm, f"{clicks:,}", f"{wins:,}")
    return table


def _figure(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    return f"{estimate.value:.4f}\n{estimate.low:.4f}–{estimate.high:.4f}"


def _bounds(lift: Lift) -> str:
    if lift.low is None or lift.high is None:
        return "none: the control's figure may be 0"
    return f"{lift.low:+.1%} to {lift.high:+.1%}"
