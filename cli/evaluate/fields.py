"""`vitrine evaluate fields`: what a word counts by the field it is in, chosen on some queries, measured on others."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.evaluate.fusion import gain_cell
from cli.evaluate.stages import stage_bars

if TYPE_CHECKING:
    from collections.abc import Callable

    from evaluation.field_weights import FieldWeightsResult
    from evaluation.judged_data import JudgedShop


def fields(
    dataset: Annotated[str, typer.Option(help="icecat, zh-shop, or a folder of your own; as for `relevance`.")],
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the data sets icecat and zh-shop.")] = None,
    embedder: Annotated[Path, typer.Option(help="Embedder bundle.")] = Path("models/embedder"),
    ranker: Annotated[Path, typer.Option(help="Ranker bundle.")] = Path("models/ranker"),
    keep_vectors: Annotated[
        Path | None, typer.Option(help="Folder where product vectors wait for the next evaluation of this embedder.")
    ] = None,
) -> None:
    """Try what a word counts by the field that it is in; choose on four fifths of the queries, measure on the fifth."""
    from evaluation.datasets import read_shop

    shop = read_shop(dataset, data_dir)
    with stage_bars() as advance:
        result = asyncio.run(_compared(shop, embedder, ranker, keep_vectors, advance))
    Console().print(_table(result))


async def _compared(
    shop: "JudgedShop",
    embedder: Path,
    ranker: Path,
    keep_vectors: Path | None,
    advance: "Callable[[str, int, int], None]",
) -> "FieldWeightsResult":
    from evaluation.engines import open_engines
    from evaluation.field_weights import compare_field_weights

    async with open_engines(embedder, ranker) as engines:
        return await compare_field_weights(engines, shop, advance, keep_vectors)


def _table(result: "FieldWeightsResult") -> Table:
    """All weights, then what was chosen without the queries that it is measured on, and its gain."""
    metrics = list(result.held_out.means)
    chosen = ", ".join(f"{one.other:g}/{one.beside:g}" for one in result.chosen)
    title = f"{result.dataset}: {result.queries} queries; other fields/beside the best"
    table = Table("weights", *metrics, title=title, caption=f"chosen for each part of the queries: {chosen}")
    for weights, figures in result.tried.items():
        means = (figures.means[metric].value for metric in metrics)
        table.add_row(f"{weights.other:g}/{weights.beside:g}", *(f"{mean:.3f}" for mean in means))
    for name, figures in (("held out", result.held_out), ("rrf", result.rrf)):
        of_metric = [figures.means[metric] for metric in metrics]
        table.add_row(name, *(f"{mean.value:.3f}\n{mean.low:.3f}–{mean.high:.3f}" for mean in of_metric))
    table.add_row("held out\n− rrf", *(gain_cell(result.gains[metric]) for metric in metrics))
    return table
