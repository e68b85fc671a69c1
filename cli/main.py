"""The `vitrine` command. What a command needs is imported when it runs, so that each starts fast."""

import asyncio
import importlib
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from vitrine.errors import VitrineError

app = typer.Typer(name="vitrine", help="Product search for shops, in Chinese and English.", no_args_is_help=True)
_FORWARDED = {"allow_extra_args": True, "ignore_unknown_options": True}


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """What a person can mend ends the command with one line on stderr and status 1."""
    try:
        yield
    except VitrineError as error:
        typer.echo(f"error: {error.message}", err=True)
        raise typer.Exit(1) from None


@app.command()
def version() -> None:
    """Say which version is installed."""
    print(installed_version("vitrine"))


@app.command()
def up(
    suite: Annotated[bool, typer.Option("--suite", help="As separate processes instead of one.")] = False,
) -> None:
    """Serve gRPC and HTTP on this machine, with Redis and, in an empty store, the sample shop."""
    # Until the servers have handlers of their own.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop_before_start)
    with _one_line_errors():
        from cli.up.settings import UpSettings

        typer.echo("starting …")
        run: Callable[[UpSettings], Coroutine[Any, Any, None]]
        if suite:
            from cli.up.suite import run_suite as run
        else:
            from cli.up.one_process import run_one_process as run
        asyncio.run(run(UpSettings()))


def _stop_before_start(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="Folder for the files; made when it is not there.")],
    products: Annotated[int, typer.Option(min=1, help="How many products.")] = 2_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same shop.")] = 1,
) -> None:
    """Make a bilingual sample shop: products, reviews, visitors, events and judgements as JSON lines."""
    from cli.progress import progress_bar
    from cli.sample.files import write_shop

    with progress_bar("products", products) as moved:
        rows = write_shop(out, products=products, seed=seed, moved=moved)
    for name, count in rows.items():
        print(f"{count:>9,} {out / name}.jsonl")


@app.command()
def ingest(
    path: Annotated[Path, typer.Argument(help="JSON lines, CSV or Parquet; .gz may follow the first two.")],
    mapping: Annotated[
        Path | None, typer.Option(help="TOML file of where fields come from, or the name of one that ships: icecat.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="gRPC target of the gateway. [default: 127.0.0.1:50051]")] = None,
) -> None:
    """Write a shop's products into the catalogue. Cut off, the same command goes on where it was."""
    from cli.ingest.settings import IngestSettings
    from cli.ingest.terminal import ingest_file

    with _one_line_errors():
        settings = IngestSettings()
        if target is not None:
            settings = settings.model_copy(update={"target": target})
        ingest_file(path, mapping, settings)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What a shopper types.")],
    category: Annotated[list[str] | None, typer.Option(help="Category path or its upper levels; any of these.")] = None,
    brand: Annotated[list[str] | None, typer.Option(help="Any of these.")] = None,
    min_price: Annotated[float | None, typer.Option(help="Inclusive.")] = None,
    max_price: Annotated[float | None, typer.Option(help="Inclusive.")] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217 code of the prices.")] = "",
    language: Annotated[list[str] | None, typer.Option(help="Any of these: zh, en.")] = None,
    in_stock: Annotated[bool, typer.Option("--in-stock", help="Only what can be bought now.")] = False,
    page_size: Annotated[int, typer.Option(min=1, max=100)] = 10,
    target: Annotated[str, typer.Option(help="gRPC target of the gateway.")] = "127.0.0.1:50051",
) -> None:
    """Search the catalogue and print the results as a table."""
    from cli.search import search_and_print
    from vitrine.ports import ProductFilter
    from vitrine.product import Availability

    product_filter = ProductFilter(
        categories=tuple(category or ()),
        brands=tuple(brand or ()),
        min_price=min_price,
        max_price=max_price,
        currency_code=currency,
        languages=tuple(language or ()),
        availabilities=(Availability.IN_STOCK,) if in_stock else (),
    )
    with _one_line_errors():
        asyncio.run(search_and_print(query, product_filter, page_size, target))


@app.command(context_settings=_FORWARDED, add_help_option=False)
def evaluate(context: typer.Context) -> None:
    """Measure relevance on judged data."""
    _forward("evaluate", context.args)


@app.command(context_settings=_FORWARDED, add_help_option=False)
def train(context: typer.Context) -> None:
    """Make models. Needs the extra: pip install 'vitrine[train]'."""
    _forward("train", context.args)


def _forward(name: str, arguments: list[str]) -> None:
    """Runs the command group of `cli.<name>`, which alone imports what only it needs."""
    try:
        importlib.import_module(f"cli.{name}").app(arguments, prog_name=f"vitrine {name}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("cli", "evaluation", "gateway", "services", "training", "vitrine"):
            raise
        typer.echo(f"error: {error.name} is not installed; pip install 'vitrine[train]'", err=True)
        sys.exit(1)
