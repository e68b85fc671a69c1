"""The `vitrine` command. What a command needs is imported when it runs, so that each starts fast."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from importlib.metadata import version as installed_version
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from cli.ads import app as ads_app
from cli.evaluate import app as evaluate_app
from cli.events import app as events_app
from cli.experiments import app as experiments_app
from cli.keys import app as keys_app
from cli.release import app as release_app
from cli.rules import app as rules_app
from cli.snapshot import app as snapshot_app
from cli.train import app as train_app
from vitrine.errors import VitrineError

# Where the help shows a command.
_BEGINNING, _PRODUCTS, _VISITORS = "Begin", "Products and searches", "Visitors"
_OPERATING, _MODELS = "Operate", "Models"
_OURS = ("cli", "evaluation", "gateway", "services", "training", "vitrine")


class _Commands(TyperGroup):
    """Ends with one line on stderr and status 1 on what a person can mend: our errors, files, extras not installed."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except VitrineError as error:
            message = error.message
        except ValueError as error:
            message = _wrong_settings(error)
            if not message:
                raise
        except OSError as error:
            if error.filename is None:
                raise
            message = f"{error.filename}: {error.strerror}; free the place or give another"
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in _OURS:
                raise
            message = f"{error.name} is not installed; pip install 'vitrine[train]'"
        typer.echo(f"error: {message}", err=True)
        raise typer.Exit(1)


def _wrong_settings(error: ValueError) -> str:
    """What is wrong with the settings, where it is they that are wrong."""
    from pydantic import ValidationError

    from vitrine.wrong_settings import told

    return told(error) if isinstance(error, ValidationError) else ""


class _Program(typer.Typer):
    """Logs only what needs attention, readable, on stderr; servers that a command starts have settings of their own."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs as a process of its own."""
        from vitrine.logs import configure_logging

        configure_logging("vitrine", level="warning", style="console")
        return super().__call__(*args, **kwargs)


app = _Program(
    name="vitrine",
    cls=_Commands,
    help="Product search and recommendation for shops, in Chinese and English. Begin with: vitrine up",
    no_args_is_help=True,
)
app.add_typer(ads_app, name="ads", rich_help_panel=_VISITORS)
app.add_typer(evaluate_app, name="evaluate", rich_help_panel=_MODELS)
app.add_typer(events_app, name="events", rich_help_panel=_VISITORS)
app.add_typer(experiments_app, name="experiments", rich_help_panel=_VISITORS)
app.add_typer(keys_app, name="key", rich_help_panel=_OPERATING)
app.add_typer(release_app, name="release", rich_help_panel=_OPERATING)
app.add_typer(rules_app, name="rules", rich_help_panel=_PRODUCTS)
app.add_typer(snapshot_app, name="snapshot", rich_help_panel=_OPERATING)
app.add_typer(train_app, name="train", rich_help_panel=_MODELS)


@app.callback()
def reached(
    api_key_file: Annotated[
        Path | None, typer.Option(help="File of the API key for the gateway.", show_default="VITRINE_CLIENT_API_KEY")
    ] = None,
    ca: Annotated[
        str | None,
        typer.Option(
            help="By TLS: PEM file of authorities to trust, or public for those of the web.",
            show_default="VITRINE_CLIENT_CA",
        ),
    ] = None,
) -> None:
    """How the gateway is reached, by the commands that call it."""
    # Settings are read from the environment where a channel is opened.
    if api_key_file is not None:
        os.environ["VITRINE_CLIENT_API_KEY_FILE"] = str(api_key_file)
    if ca is not None:
        os.environ["VITRINE_CLIENT_CA"] = ca


@app.command(rich_help_panel=_BEGINNING)
def version() -> None:
    """Say which version is installed."""
    print(installed_version("vitrine"))


@app.command(rich_help_panel=_BEGINNING)
def up(
    suite: Annotated[
        bool, typer.Option("--suite", help="Run each part as a process of its own, instead of all in one.")
    ] = False,
    recommender: Annotated[
        Path | None, typer.Option(help="Folder of a recommender bundle, for all parts that read it.")
    ] = None,
) -> None:
    """Serve gRPC and HTTP on this machine, with Redis and, in an empty store, the sample shop."""
    # Until the servers have handlers of their own.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop_before_start)
    typer.echo("starting …")
    from cli.up.settings import UpSettings

    run: Callable[[UpSettings], Coroutine[Any, Any, None]]
    if suite:
        from cli.up.suite import run_suite as run
    else:
        from cli.up.one_process import run_one_process as run
    settings = UpSettings()
    if recommender is not None:
        settings = settings.model_copy(update={"recommender": str(recommender)})
    asyncio.run(run(settings))


def _stop_before_start(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


@app.command(rich_help_panel=_BEGINNING)
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


@app.command(rich_help_panel=_PRODUCTS)
def ingest(
    path: Annotated[
        Path,
        typer.Argument(
            help="A feed: Google Merchant Center (RSS, Atom, TSV), Shopify or WooCommerce CSV, schema.org JSON-LD "
            "(page or JSON lines), or plain CSV, JSON lines or Parquet; gzip may be around any but the last."
        ),
    ],
    mapping: Annotated[
        Path | None, typer.Option(help="TOML file of where fields come from, or the name of one that ships: icecat.")
    ] = None,
    sync: Annotated[
        bool, typer.Option("--sync", help="Send only what changed, and delete what this feed had and has no more.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --sync: delete even most of the feed's products.")
    ] = False,
    feed: Annotated[
        str,
        typer.Option(
            help="Name of the feed, where its file has another name each day.", show_default="the file's path"
        ),
    ] = "",
    offers: Annotated[
        bool, typer.Option("--offers", help="Change prices and availability alone, of products that are there.")
    ] = False,
    currency: Annotated[str, typer.Option(help="ISO 4217 code of prices that name no currency.")] = "",
    encoding: Annotated[str, typer.Option(help="Encoding of the text, where it is not found rightly.")] = "",
    engine: Annotated[
        Literal["stream", "ray"] | None,
        typer.Option(help="Who embeds: the gateway's embedder, or a Ray job (docs/scaling.md).", show_default="stream"),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="gRPC target of the gateway.", show_default="127.0.0.1:50051")
    ] = None,
) -> None:
    """Write a shop's products into the catalogue. Cut off, the same command goes on where it was."""
    from cli.ingest.settings import IngestSettings
    from cli.ingest.terminal import ingest_file, update_offers

    said = {"target": target or "", "currency_code": currency.upper(), "encoding": encoding, "engine": engine or ""}
    settings = IngestSettings().model_copy(update={name: value for name, value in said.items() if value})
    if offers:
        update_offers(path, mapping, settings)
    else:
        ingest_file(path, mapping, settings, sync=sync, force=force, feed_name=feed)


@app.command(rich_help_panel=_PRODUCTS)
def search(
    query: Annotated[str, typer.Argument(help="What a shopper types; may be left out with --order-by.")] = "",
    condition: Annotated[
        str, typer.Option("--filter", help='Condition, such as: brand = "Sony" AND price < 300 (docs/filters.md).')
    ] = "",
    order_by: Annotated[str, typer.Option(help="relevance, price, 'price desc', newest or popularity.")] = "",
    facet: Annotated[
        list[str] | None, typer.Option(help="Count a field's values: brand, attributes.color, price:50,100 …")
    ] = None,
    category: Annotated[list[str] | None, typer.Option(help="Category path or its upper levels; any of these.")] = None,
    brand: Annotated[list[str] | None, typer.Option(help="Any of these.")] = None,
    min_price: Annotated[float | None, typer.Option(help="Inclusive.")] = None,
    max_price: Annotated[float | None, typer.Option(help="Inclusive.")] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217 code of the prices.")] = "",
    language: Annotated[list[str] | None, typer.Option(help="Any of these: zh, en.")] = None,
    in_stock: Annotated[bool, typer.Option("--in-stock", help="Only what can be bought now.")] = False,
    visitor: Annotated[str, typer.Option(help="The shop's id of the visitor, whose taste breaks near-ties.")] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Say what found each result, and why.")] = False,
    page_size: Annotated[int, typer.Option(min=1, max=100)] = 10,
    target: Annotated[str, typer.Option(help="gRPC target of the gateway.")] = "127.0.0.1:50051",
) -> None:
    """Search the catalogue and print the results as a table."""
    from cli.search import Asked, search_and_print
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
        expression=condition,
    )
    asked = Asked(query, product_filter, order_by, tuple(facet or ()), visitor, page_size, explain)
    asyncio.run(search_and_print(asked, target))


@app.command(rich_help_panel=_OPERATING)
def top(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            help="Addresses that show metrics, host:port.", show_default="as the settings of this machine say"
        ),
    ] = None,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds from one frame to the next.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print one frame, of all since the processes started.")] = False,
) -> None:
    """Show rates, latencies, caches and queues of running processes, live; Ctrl-C ends it."""
    from cli.top.terminal import addresses, show

    try:
        asyncio.run(show(targets or addresses(), interval, once=once))
    except KeyboardInterrupt:
        return


@app.command(rich_help_panel=_BEGINNING)
def doctor(
    checks: Annotated[
        list[str] | None, typer.Argument(help="Checks or their subjects, such as redis.", show_default="all")
    ] = None,
    address: Annotated[
        str, typer.Option(help="Gateway of a running suite, host:port.", show_default="none: this machine")
    ] = "",
    http: Annotated[
        str, typer.Option(help="Its HTTP port, host:port.", show_default="VITRINE_GATEWAY_HTTP_PORT of that host")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check this machine, or a running suite, and say what to do; status 1: problems, 2: not all could be checked."""
    from cli.doctor.examine import examine

    raise typer.Exit(asyncio.run(examine(address, http, checks or (), as_json=as_json)))


@app.command(rich_help_panel=_PRODUCTS)
def suggest(
    text: Annotated[str, typer.Argument(help="What a shopper typed so far.")],
    limit: Annotated[int, typer.Option(min=1, max=20)] = 8,
    language: Annotated[str, typer.Option(help="Preferred language: zh, en.", show_default="by the text")] = "",
    target: Annotated[str, typer.Option(help="gRPC target of the gateway.")] = "127.0.0.1:50051",
) -> None:
    """Complete what a shopper began to type and print the suggestions as a table."""
    from cli.suggest import suggest_and_print

    asyncio.run(suggest_and_print(text, limit, language, target))


@app.command(rich_help_panel=_VISITORS)
def recommend(
    visitor: Annotated[str, typer.Option(help="The shop's id of the visitor.")] = "",
    similar_to: Annotated[list[str] | None, typer.Option(help="Product ids: what is like them.")] = None,
    goes_with: Annotated[list[str] | None, typer.Option("--with", help="Product ids: what goes with them.")] = None,
    cart: Annotated[list[str] | None, typer.Option(help="Product ids in the cart: what goes with it.")] = None,
    ads: Annotated[bool, typer.Option("--ads", help="Sponsored products.")] = False,
    content: Annotated[bool, typer.Option("--content", help="Reviews and guides.")] = False,
    about: Annotated[list[str] | None, typer.Option(help="Product ids: reviews and guides about them.")] = None,
    query: Annotated[str, typer.Option(help="What the visitor searches for, for --ads and --content.")] = "",
    profile: Annotated[str, typer.Option(help="What the visitor said to like.")] = "",
    language: Annotated[list[str] | None, typer.Option(help="Languages that the visitor reads: zh, en.")] = None,
    likes_category: Annotated[list[str] | None, typer.Option(help="Category paths of interest; a wish.")] = None,
    min_price: Annotated[float | None, typer.Option(help="What the visitor likes to pay at least.")] = None,
    max_price: Annotated[float | None, typer.Option(help="What the visitor likes to pay at most.")] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217 code of these prices.")] = "",
    country: Annotated[str, typer.Option(help="ISO 3166-1 code of the visitor's country.")] = "",
    category: Annotated[list[str] | None, typer.Option(help="Category path or its upper levels; any of these.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Product ids to leave out.")] = None,
    page_size: Annotated[int, typer.Option(min=1, max=100)] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="Show the numbers behind each reason.")] = False,
    target: Annotated[str, typer.Option(help="gRPC target of the gateway.")] = "127.0.0.1:50051",
) -> None:
    """Recommend to a visitor, or by products, and print the results with their reasons."""
    from cli.recommend import placed, recommend_and_print
    from vitrine.client import ProductFilter, Profile
    from vitrine.client.requests import RecommendOptions

    placement, product_ids = placed(
        similar_to=similar_to, goes_with=goes_with, cart=cart, ads=ads, content=content, about=about
    )
    options: RecommendOptions = {
        "product_ids": product_ids,
        "profile_text": profile,
        "profile": Profile(
            languages=language,
            categories=likes_category,
            min_price=min_price,
            max_price=max_price,
            currency_code=currency,
        ),
        "country_code": country,
        "query": query,
        "filter": ProductFilter(categories=category),
        "exclude_product_ids": exclude or (),
        "page_size": page_size,
        "explain": explain,
    }
    asyncio.run(recommend_and_print(placement, visitor, options, target))
