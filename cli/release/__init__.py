"""The `vitrine release` commands: which models answer, flipped in one step and rolled back in another."""

import asyncio
from typing import Annotated

import typer

app = typer.Typer(name="release", help="Releases: models that answer together.", no_args_is_help=True)

_Target = Annotated[str, typer.Option(help="gRPC target of the gateway.")]
_Name = Annotated[str, typer.Argument(help="The release's name.")]
_TARGET = "127.0.0.1:50051"
_OF = "bundle's folder, or its digest. [default: that of the release that serves]"


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
    """Name models that are to answer together; all of them must be served already."""
    from cli.release.calls import create_release

    if asyncio.run(create_release(name, embedder, ranker, recommender, target)):
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
def delete(name: _Name, target: _Target = _TARGET) -> None:
    """Delete a release that neither serves nor is kept for rollback."""
    from cli.release.calls import delete_release

    asyncio.run(delete_release(name, target))
