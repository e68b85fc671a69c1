"""The charts of a report as PNG, drawn by matplotlib without a screen (Agg). Colours are those of Okabe and Ito."""

import io
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.bundle_cost import METRIC, WORKLOADS, BundleCost
from evaluation.calibration import Calibration
from evaluation.comparison import Difference
from evaluation.intervals import LEAST_FOR_INTERVAL, Interval
from evaluation.slices import Slice

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B4C9A", "#8C8C00", "#404040")
_GREY = "#8a8a8a"
_DOTS_PER_INCH = 110


def figures_chart(figures: Mapping[str, Mapping[str, Interval]], published: Mapping[str, Mapping[str, float]]) -> bytes:
    """A panel for each metric: orders from top to bottom, each figure with its interval, published ones as diamonds."""
    metrics = list(next(iter(figures.values())))
    figure = Figure(figsize=(2.3 * len(metrics) + 1.6, 0.34 * len(figures) + 1.2), layout="constrained")
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for panel, metric in zip(panels, metrics, strict=True):
        for row, (name, by_metric) in enumerate(figures.items()):
            _point(panel, by_metric[metric], row, _COLOURS[row % len(_COLOURS)])
            if name in published:
                panel.plot(published[name][metric], row, marker="D", markersize=7, mfc="none", color=_GREY)
        panel.set_title(_plain(metric), fontsize=10)
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(figures)), [_plain(name) for name in figures])
    panels[0].invert_yaxis()
    return _png(figure)


def slices_chart(slices: Sequence[Slice], label: str) -> bytes:
    """Slices from top to bottom; in each, the orders' figures below one another."""
    orders = list(slices[0].figures)
    figure = Figure(figsize=(8.5, 0.16 * len(slices) * (len(orders) + 1) + 1.3), layout="constrained")
    panel = figure.subplots()
    step = 0.8 / len(orders)
    for row, part in enumerate(slices):
        for place, order in enumerate(orders):
            at = row - 0.4 + step * (place + 0.5)
            _point(panel, part.figures[order], at, _COLOURS[place % len(_COLOURS)], _plain(order) if row == 0 else None)
    panel.set_yticks(range(len(slices)), [f"{part.name} ({part.count})" for part in slices])
    panel.invert_yaxis()
    panel.set_xlabel(label)
    panel.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=9, frameon=False)
    return _png(figure)


def calibration_chart(measured: Calibration, probabilities: Sequence[float]) -> bytes:
    """Observed share of relevant pairs against predicted probability, and how many pairs got which."""
    figure = Figure(figsize=(5.2, 5.6), layout="constrained")
    panel, counts = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    panel.plot((0, 1), (0, 1), color=_GREY, linestyle="--", linewidth=1, label="perfect")
    predicted = [one.predicted for one in measured.bins]
    observed = [one.observed for one in measured.bins]
    panel.errorbar(
        predicted,
        [one.value for one in observed],
        yerr=([one.value - one.low for one in observed], [one.high - one.value for one in observed]),
        fmt="o-",
        color=_COLOURS[0],
        capsize=3,
        label="observed, 95 % interval",
    )
    panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share that is relevant")
    panel.legend(loc="upper left", fontsize=9, frameon=False)
    panel.grid(alpha=0.3)
    counts.hist(probabilities, bins=40, range=(0, 1), color=_GREY)
    counts.set(xlabel="predicted probability", ylabel="pairs")
    return _png(figure)


def frontier_chart(costs: Sequence[BundleCost]) -> bytes:
    """Quality against latency, a panel for each kind of bundle; the frontier is a line through those not beaten."""
    kinds = list(dict.fromkeys(cost.kind for cost in costs))
    figure = Figure(figsize=(5.2 * len(kinds), 4.2), layout="constrained")
    for panel, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
        shown = [(cost, cost.quality) for cost in costs if cost.kind == kind and cost.quality is not None]
        for cost, quality in shown:
            latency = cost.latency_ms
            panel.errorbar(
                latency.value,
                quality.value,
                xerr=([latency.value - latency.low], [latency.high - latency.value]),
                yerr=([quality.value - quality.low], [quality.high - quality.value]),
                fmt="o",
                capsize=3,
                color=_COLOURS[0] if cost.on_frontier else _GREY,
            )
            panel.annotate(cost.letter, (latency.value, quality.value), (6, 6), textcoords="offset points")
        best = sorted((cost.latency_ms.value, quality.value) for cost, quality in shown if cost.on_frontier)
        panel.plot([x for x, _ in best], [y for _, y in best], color=_COLOURS[0], alpha=0.5, drawstyle="steps-post")
        panel.set(title=kind, xlabel=f"ms for {WORKLOADS[kind]}, one thread", ylabel=f"nDCG@10, {METRIC} lists")
        panel.set_xlim(left=0)
        panel.margins(0.15)
        panel.grid(alpha=0.3)
    return _png(figure)


def differences_chart(difference: Difference) -> bytes:
    """The gain of each query, from the largest loss to the largest gain."""
    figure = Figure(figsize=(8.5, 3.0), layout="constrained")
    panel = figure.subplots()
    gains = sorted(difference.by_query.values())
    panel.bar(range(len(gains)), gains, color=[_COLOURS[1] if gain < 0 else _COLOURS[2] for gain in gains], width=0.9)
    panel.axhline(0, color=_GREY, linewidth=0.8)
    panel.axhline(difference.gain.value, color=_COLOURS[0], linestyle="--", linewidth=1, label="mean")
    panel.set(xlabel="queries, by gain", ylabel=f"gain in {difference.metric}", xticks=[])
    panel.legend(loc="upper left", fontsize=9, frameon=False)
    return _png(figure)


def _point(panel: Axes, figure: Interval, at: float, colour: str, label: str | None = None) -> None:
    if figure.count >= LEAST_FOR_INTERVAL:
        panel.plot((figure.low, figure.high), (at, at), color=colour, linewidth=2, alpha=0.6)
    panel.plot(figure.value, at, marker="o", markersize=5, color=colour, linestyle="none", label=label)


def _plain(text: str) -> str:
    """Letters that the chart's font has, whatever the data's names are made of."""
    return text.encode("ascii", "replace").decode()


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # A dollar sign in a name is no formula.
    with matplotlib.rc_context({"text.parse_math": False}):
        figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    return buffer.getvalue()
