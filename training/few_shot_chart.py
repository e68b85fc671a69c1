"""The few-shot report as a picture: quality over the number of labels, a line with its interval for each adaptation."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from training.few_shot import Row


def write_chart(rows: Sequence[Row], title: str, path: Path) -> None:
    """Left nDCG@10, right the gain over no labels on the same queries; bars are 95 % of resamples of the queries."""
    canvas = Canvas(figsize=(12, 5), layout="constrained")
    quality, gain = canvas.subplots(1, 2)
    labels = sorted({row.labels for row in rows})
    lines = {(row.order, row.adaptation): None for row in rows if row.adaptation not in ("nothing", "calibration")}
    handles: list[Line2D] = []
    for number, (order, adaptation) in enumerate(lines):
        chosen = sorted((r for r in rows if (r.order, r.adaptation) == (order, adaptation)), key=lambda r: r.labels)
        # Side by side, so that intervals at one number of labels do not hide each other.
        places = [labels.index(row.labels) + (number - len(lines) / 2) * 0.06 for row in chosen]
        for axes, figures in ((quality, [r.ndcg_10 for r in chosen]), (gain, [r.gain for r in chosen])):
            values = [figure.value for figure in figures]
            below = [figure.value - figure.low for figure in figures]
            above = [figure.high - figure.value for figure in figures]
            drawn = axes.errorbar(places, values, (below, above), marker="o", capsize=2, label=f"{order}: {adaptation}")
        handles.append(drawn.lines[0])
    for axes, name in ((quality, "nDCG@10 of held-out queries"), (gain, "gain over no labels, same queries")):
        axes.set_xticks(range(len(labels)), [f"{count:,}" for count in labels])
        axes.set_xlabel("labels")
        axes.set_title(name)
        axes.grid(alpha=0.3)
    gain.axhline(0, color="black", linewidth=0.8)
    quality.legend(loc="lower right", fontsize="small")
    canvas.suptitle(title)
    canvas.savefig(path, dpi=120, format="png")
