"""`vitrine evaluate relevance`: each order of the suite, measured on a judged shop or on labelled pairs."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.evaluate.stages import stage_bars

if TYPE_CHECKING:
    from evaluation.result import RelevanceResult


def relevance(
    dataset: Annotated[
        str,
        typer.Option(
            help="icecat (graded queries on a shop), zh (labelled Chinese pairs), zh-shop (their titles as a shop), or "
            "a folder of your own with products.jsonl and judgements.jsonl, as `vitrine sample` writes them; CSV and "
            "Parquet too."
        ),
    ],
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the data sets icecat, zh and zh-shop.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures, by query too, here.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page and its charts into this folder.")] = None,
    embedder: Annotated[Path, typer.Option(help="Embedder bundle.")] = Path("models/embedder"),
    ranker: Annotated[Path, typer.Option(help="Ranker bundle.")] = Path("models/ranker"),
    rank_depth: Annotated[
        int | None, typer.Option(min=1, max=200, help="Candidates the ranker orders; by default as the gateway does.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="For your own folder: mapping of its products, as for `vitrine ingest`.")
    ] = None,
    traffic: Annotated[
        Path | None, typer.Option(help="For your own folder: file of query and count, how often each was asked.")
    ] = None,
    keep_vectors: Annotated[
        Path | None, typer.Option(help="Folder where product vectors wait for the next evaluation of this embedder.")
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Add BM25, e5, MiniLM and fusions, whose published rows check this.")
    ] = False,
) -> None:
    """Order a judged shop's products by words, vector, fusion and ranker, and measure each order."""
    from evaluation.datasets import read_dataset
    from evaluation.json_file import check_writable
    from evaluation.relevance_evaluation import Evaluated, evaluate_relevance
    from gateway.settings import GatewaySettings

    if report is not None:
        # Before the work of minutes: what the page needs may not be installed.
        from evaluation.page import PAGE, write_page
    check_writable(json_file, report and report / PAGE)
    # A ranker of depth 0 would leave nothing to measure.
    depth = rank_depth or max(1, GatewaySettings().rank_depth)
    data = read_dataset(dataset, data_dir, mapping=mapping, traffic=traffic)
    with stage_bars() as advance:
        encoders = {}
        if baselines:
            from cli.evaluate.baselines import base_encoders

            encoders = base_encoders(advance)
        evaluated = Evaluated(embedder, ranker, depth, keep_vectors, encoders)
        result = asyncio.run(evaluate_relevance(dataset, data, evaluated, advance))
    if json_file is not None:
        result.write(json_file)
    Console().print(_table(result))
    if report is not None:
        print(write_page(report, [result]))


def _table(result: "RelevanceResult") -> Table:
    """Orders as rows, metrics as columns; each figure above its 95 % interval, published ones on rows of their own."""
    metrics = list(next(iter(result.figures.values())))
    made_of = ", ".join(f"{name} {str(value)[:19]}" for name, value in result.made_of.items())
    title = f"{result.dataset}: {made_of}"
    table = Table("order", *metrics, title=title, caption="below each figure: 95 % of resamples of the queries")
    for name, figures in result.figures.items():
        table.add_row(name, *(f"{figures[m].value:.3f}\n{figures[m].low:.3f}–{figures[m].high:.3f}" for m in metrics))
        if name in result.published:
            table.add_row(f"{name}, published", *(f"{result.published[name][m]:.3f}" for m in metrics), style="dim")
    return table
