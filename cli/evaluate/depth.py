"""`vitrine evaluate depth`: what it costs and saves to score only as many candidates as a page of ten needs."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cli.evaluate.stages import stage_bars


def depth(
    dataset: Annotated[str, typer.Option(help="icecat, zh-shop, or a folder of your own, as for relevance.")],
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the data sets icecat and zh-shop.")] = None,
    embedder: Annotated[Path, typer.Option(help="Embedder bundle.")] = Path("models/embedder"),
    ranker: Annotated[Path, typer.Option(help="Ranker bundle.")] = Path("models/ranker"),
    rank_depth: Annotated[int, typer.Option(min=1, max=200, help="Candidates given to the ranker.")] = 32,
    keep_vectors: Annotated[Path | None, typer.Option(help="Folder where product vectors wait.")] = None,
) -> None:
    """Compare a page whose candidates are scored until it is settled with all of them scored."""
    from evaluation.datasets import read_shop
    from evaluation.settled_ranking import SHOWN, settled_ranking

    shop = read_shop(dataset, data_dir)
    with stage_bars() as advance:
        found = asyncio.run(settled_ranking(shop, embedder, ranker, rank_depth, keep_vectors, advance))
    print(f"| {shop.name}, {found.queries} queries | settled | all scored | query that differs most |")
    print("|---|---|---|---|")
    print(f"| pairs ranked a query | {found.settled_pairs:.1f} | {found.whole_pairs:.1f} | |")
    print(f"| of the first {SHOWN}, missed | {found.missed:.3f} | 0 | |")
    for name, (own, other) in found.ndcg.items():
        low, high = found.differences[name]
        print(f"| {name} | {own:.4f} | {other:.4f} | {low:+.3f}, {high:+.3f} |")
