"""`vitrine evaluate fusion`: the retriever's fusion beside plain reciprocal ranks, on judged shops."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.evaluate.stages import stage_bars

if TYPE_CHECKING:
    from collections.abc import Callable

    from evaluation.fusion import FusionResult, Gain
    from evaluation.judged_data import JudgedShop


def fusion(
    dataset: Annotated[
        list[str], typer.Option(help="icecat, zh-shop, or a folder of your own; as for `relevance`. Again for more.")
    ],
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the data sets icecat and zh-shop.")] = None,
    embedder: Annotated[Path, typer.Option(help="Embedder bundle.")] = Path("models/embedder"),
    ranker: Annotated[Path, typer.Option(help="Ranker bundle.")] = Path("models/ranker"),
    keep_vectors: Annotated[
        Path | None, typer.Option(help="Folder where product vectors wait for the next evaluation of this embedder.")
    ] = None,
) -> None:
    """Order what words and vector find by each fusion, and say how much each gains over reciprocal ranks."""
    from evaluation.datasets import read_shop

    for name in dataset:
        shop = read_shop(name, data_dir)
        with stage_bars() as advance:
            result = asyncio.run(_compared(shop, embedder, ranker, keep_vectors, advance))
        Console().print(_table(result))


async def _compared(
    shop: "JudgedShop",
    embedder: Path,
    ranker: Path,
    keep_vectors: Path | None,
    advance: "Callable[[str, int, int], None]",
) -> "FusionResult":
    from evaluation.engines import open_engines
    from evaluation.fusion import compare_fusions

    async with open_engines(embedder, ranker) as engines:
        await engines.write(shop.products, advance, keep_vectors)
        return await compare_fusions(engines, shop, advance)


def _table(result: "FusionResult") -> Table:
    """Orders as rows, metrics as columns; each figure above its 95 % interval, each gain above its interval and p."""
    metrics = list(next(iter(result.figures.values())).means)
    title = f"{result.dataset}: {result.queries} queries, {result.named} of them by name"
    table = Table("order", *metrics, title=title, caption="below each figure: 95 % of resamples of the queries")
    for name, figures in result.figures.items():
        means = [figures.means[metric] for metric in metrics]
        table.add_row(name, *(f"{mean.value:.3f}\n{mean.low:.3f}–{mean.high:.3f}" for mean in means))
    for name, gains in result.gains.items():
        table.add_row(f"{name}\n− rrf", *(gain_cell(gains[metric]) for metric in metrics))
    return table


def gain_cell(one: "Gain") -> str:
    """A gain above its interval and p."""
    return f"{one.gain.value:+.3f}\n{one.gain.low:+.3f}–{one.gain.high:+.3f}\np={one.p_value:.3f}"
