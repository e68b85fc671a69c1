"""`vitrine evaluate recommendation`: baselines and engine side by side, all trained here, on what visitors did next."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.train.options import Threads, one_line_errors, use_threads

if TYPE_CHECKING:
    from evaluation.recommendation.result import RecommendationResult, TaskResult


def recommendation(
    dataset: Annotated[
        str,
        typer.Option(
            help="beauty, games, online_retail, or a folder of your own with products and events, as `vitrine sample` "
            "and `vitrine events export` write them."
        ),
    ],
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the data sets beauty, games and so on.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
    embedder: Annotated[Path, typer.Option(help="Embedder bundle, for products' texts.")] = Path("models/embedder"),
    mapping: Annotated[Path | None, typer.Option(help="For your own folder: how products are read.")] = None,
    keep_vectors: Annotated[Path | None, typer.Option(help="Folder where text vectors wait for the next time.")] = None,
    baselines_only: Annotated[
        bool, typer.Option("--baselines-only", help="Popularity, item-item and ALS alone: seconds, not minutes.")
    ] = False,
    test_days: Annotated[float, typer.Option(min=1, help="online_retail: days at the end that are asked for.")] = 30.0,
    max_minutes: Annotated[float, typer.Option(min=0.05, help="Of the engine's training.")] = 45.0,
    threads: Threads = 0,
) -> None:
    """Train every method on what came before and count how often it foresees what visitors turned to next."""
    with one_line_errors():
        from evaluation.json_file import check_writable
        from evaluation.recommendation.datasets import evaluate

        check_writable(json_file)
        use_threads(threads)
        result = evaluate(
            dataset,
            data_dir,
            embedder=embedder,
            mapping=mapping,
            keep_vectors=keep_vectors,
            max_minutes=max_minutes,
            baselines_only=baselines_only,
            test_days=test_days,
            report=lambda line: typer.echo(line, err=True),
        )
        if json_file is not None:
            result.write(json_file)
    console = Console()
    for note in result.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True)
    for name, task in result.tasks.items():
        console.print(_table(result, name, task))
    for name, seconds in result.seconds.items():
        console.print(f"{seconds:8.1f} s  {name}", highlight=False)


def _table(result: "RecommendationResult", name: str, task: "TaskResult") -> Table:
    """Methods as rows, metrics as columns; each figure above its 95 % interval, published ones dim."""
    metrics = list(dict.fromkeys(metric for figures in task.figures.values() for metric in figures))
    caption = [result.protocol, "below each figure: 95 % of resamples of the questions"]
    for gain in task.gains:
        ratio = "" if gain.ratio is None else f"x {gain.ratio:.2f}, "
        low, high = gain.difference.low, gain.difference.high
        caption.append(
            f"{gain.metric}: {gain.method} {ratio}{gain.difference.value:+.4f} ({low:+.4f} to {high:+.4f}, "
            f"p {gain.p_value:.4f}) beside {gain.best_other}"
        )
    table = Table(
        "method",
        *metrics,
        title=f"{result.dataset}, {name}: {task.questions:,} questions",
        caption="\n".join(caption),
        caption_justify="left",
    )
    for method, figures in task.figures.items():
        cells = []
        for metric in metrics:
            figure = figures.get(metric)
            if figure is None:
                cells.append("")
            elif figure.low == figure.high == figure.value:
                cells.append(f"{figure.value:.4f}")
            else:
                cells.append(f"{figure.value:.4f}\n{figure.low:.4f}–{figure.high:.4f}")
        table.add_row(method, *cells)
    for method, values in result.published.items():
        table.add_row(
            f"{method}, published", *(f"{values[m]:.4f}" if m in values else "" for m in metrics), style="dim"
        )
    return table
