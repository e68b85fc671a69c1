"""The `vitrine` command. What a command needs is imported when it runs, so that each starts fast."""

from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

app = typer.Typer(name="vitrine", help="Product search for shops, in Chinese and English.", no_args_is_help=True)


@app.command()
def version() -> None:
    """Say which version is installed."""
    print(installed_version("vitrine"))


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="Folder for the files; made when it is not there.")],
    products: Annotated[int, typer.Option(min=1, help="How many products.")] = 2_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same shop.")] = 1,
) -> None:
    """Make a bilingual sample shop: products, reviews, visitors, events and judgements as JSON lines."""
    from cli.sample.files import write_shop

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("products", total=products)
        rows = write_shop(out, products=products, seed=seed, advance=lambda count: progress.advance(task, count))
        progress.update(task, completed=products)
    for name, count in rows.items():
        print(f"{count:>9,} {out / name}.jsonl")
