"""`vitrine evaluate …`: how good the suite's answers are, on judged data."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from vitrine.errors import VitrineError

if TYPE_CHECKING:
    from evaluation.dense_baseline import Encode
    from evaluation.engines import Advance
    from evaluation.relevance_report import RelevanceReport

app = typer.Typer(name="evaluate", help="Measure the suite on judged data.", no_args_is_help=True)

_ENCODE_TEXTS = 256


@app.callback()
def evaluate() -> None:
    """Measure the suite on judged data."""


@app.command("relevance")
def relevance(
    dataset: Annotated[str, typer.Option(help="icecat (graded queries on a shop) or zh (labelled Chinese pairs).")],
    data_dir: Annotated[Path, typer.Option(help="Folder of the data sets.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures, by query too, here.")] = None,
    embedder: Annotated[Path, typer.Option(help="Embedder bundle.")] = Path("models/embedder"),
    ranker: Annotated[Path, typer.Option(help="Ranker bundle.")] = Path("models/ranker"),
    rank_depth: Annotated[
        int | None, typer.Option(min=1, max=200, help="Candidates the ranker orders; by default as the gateway does.")
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Add BM25 and e5 zero-shot, whose published rows check the harness.")
    ] = False,
) -> None:
    """Order a judged shop's products by words, vector, fusion and ranker, and measure each order."""
    from evaluation.relevance_report import Evaluated, relevance_report
    from gateway.settings import GatewaySettings

    console = Console()
    # A ranker of depth 0 would leave nothing to measure.
    depth = rank_depth or max(1, GatewaySettings().rank_depth)
    try:
        with _progress() as advance:
            e5 = _e5(advance) if baselines else None
            report = asyncio.run(
                relevance_report(dataset, data_dir, Evaluated(embedder, ranker, depth), advance, e5=e5)
            )
        if json_file is not None:
            report.write(json_file)
    except VitrineError as error:
        Console(stderr=True).print(f"[red]cannot evaluate:[/red] {error.message}", soft_wrap=True)
        raise typer.Exit(2) from None
    console.print(_table(report))


def _table(report: "RelevanceReport") -> Table:
    """Orders as rows, metrics as columns; each figure above its 95 % interval, published ones on rows of their own."""
    metrics = list(next(iter(report.figures.values())))
    made_of = ", ".join(f"{name} {str(value)[:19]}" for name, value in report.made_of.items())
    title = f"{report.dataset}: {made_of}"
    table = Table("order", *metrics, title=title, caption="below each figure: 95 % of resamples of the queries")
    for name, figures in report.figures.items():
        table.add_row(name, *(f"{figures[m].value:.3f}\n{figures[m].low:.3f}–{figures[m].high:.3f}" for m in metrics))
        if name in report.published:
            table.add_row(f"{name}, published", *(f"{report.published[name][m]:.3f}" for m in metrics), style="dim")
    return table


@contextmanager
def _progress() -> Iterator["Advance"]:
    """A bar for each stage, made when the stage is first heard of."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done)

        yield advance


def _e5(advance: "Advance") -> "Encode":
    """multilingual-e5-small, from the packaged weights, as the baselines need it."""
    import numpy as np

    from training.base_models import packaged_bases
    from training.teachers import ShopText, load_e5
    from vitrine.ports import InputType
    from vitrine.vectors import FloatArray

    model = load_e5(packaged_bases())

    def encode(texts: Sequence[str], input_type: InputType) -> FloatArray:
        # In order of length, so that a chunk has little padding.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        parts = []
        for start in range(0, len(order), _ENCODE_TEXTS):
            rows = order[start : start + _ENCODE_TEXTS]
            parts.append(model.vectors([ShopText(texts[row], input_type is InputType.QUERY) for row in rows]))
            advance(f"baseline e5, {input_type.value} texts", start + len(rows), len(order))
        vectors = np.concatenate(parts)
        placed = np.empty_like(vectors)
        placed[order] = vectors
        return placed

    return encode
