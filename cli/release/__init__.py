"""The `vitrine release` commands: which models answer, flipped in one step and rolled back in another."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="release", help="Releases: models that answer together.", no_args_is_help=True)

_Target = Annotated[str, typer.Option(help="gRPC target of the gateway.")]
_Name = Annotated[str, typer.Argument(help="The release's name.")]
_TARGET = "127.0.0.1:50051"
_OF = "bundle's folder, or its digest; else that of the release that serves."


@app.command("list")
def list_(target: _Target = _TARGET) -> None:
    """Print all releases, which one serves, and what is wrong with any."""
    from cli.release.calls import print_releases

    asyncio.run(print_releases(target))


@app.command()
def create(
    name: _Name,
    embedder: Annotated[str, typer.Option(help=f"Embedder {_OF}")] = "",
    ranker: Annotated[str, typer.Option(help=f"Ranker {_OF}")] = "",
    recommender: Annotated[str, typer.Option(help=f"Recommender {_OF}")] = "",
    target: _Target = _TARGET,
) -> None:
    """Name models that are to answer together; the services must serve them already."""
    from cli.release.calls import create_release

    if asyncio.run(create_release(name, embedder, ranker, recommender, target)):
        raise typer.Exit(1)


@app.command()
def build(
    name: _Name,
    judgements: Annotated[
        Path | None, typer.Option(help="File of query, product_id and grade, for the gate of nDCG.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(help="Folder of exported events: queries with what was clicked, instead.")
    ] = None,
    target: _Target = _TARGET,
) -> None:
    """Embed what a release's embedder has not seen, and measure the release. Cut off, the same command goes on."""
    from cli.release.calls import build_release
    from cli.release.queries import clicked_queries, judged_queries

    if judgements is not None and events is not None:
        raise typer.BadParameter("give judgements or events, not both")
    queries = judged_queries(judgements) if judgements else clicked_queries(events) if events else []
    if asyncio.run(build_release(name, queries, target)):
        raise typer.Exit(1)


@app.command()
def flip(
    name: _Name,
    force: Annotated[bool, typer.Option("--force", help="Although its gates were not passed, or not asked.")] = False,
    target: _Target = _TARGET,
) -> None:
    """Let a release answer from now on; the one before is kept for rollback."""
    from cli.release.calls import flip_release

    asyncio.run(flip_release(name, target, force=force))


@app.command()
def rollback(target: _Target = _TARGET) -> None:
    """Let the release before answer again."""
    from cli.release.calls import roll_back

    asyncio.run(roll_back(target))


@app.command()
def adopt(name: _Name, target: _Target = _TARGET) -> None:
    """Make the embedder of the release that serves the catalogue's own; the one before may be dropped then."""
    from cli.release.calls import adopt_release

    asyncio.run(adopt_release(name, target))


@app.command()
def delete(
    name: _Name,
    force: Annotated[bool, typer.Option("--force", help="Although it is kept for rollback.")] = False,
    target: _Target = _TARGET,
) -> None:
    """Delete a release that does not serve, and vectors that no other needs."""
    from cli.release.calls import delete_release

    asyncio.run(delete_release(name, target, force=force))
