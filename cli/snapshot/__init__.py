"""The `vitrine snapshot` commands: the catalogue saved to a folder or an S3-compatible store, and restored."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from services.retriever.settings import RetrieverSettings
    from services.retriever.snapshots.manifest import Manifest
    from services.retriever.snapshots.place import Place

app = typer.Typer(name="snapshot", help="Snapshots of the catalogue: create, list, restore.", no_args_is_help=True)

_Place = Annotated[str, typer.Argument(help="Folder of snapshots, or s3://bucket/path.")]
_Folder = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the catalogue.", show_default="VITRINE_RETRIEVER_DATA_DIR")
]
_Url = Annotated[
    str | None,
    typer.Option("--catalogue-url", help="PostgreSQL of the catalogue.", show_default="VITRINE_CATALOGUE_URL"),
]


@app.command()
def create(place: _Place, data_dir: _Folder = None, catalogue_url: _Url = None) -> None:
    """Save the catalogue as it is now, beside retrievers that serve and write on."""
    from cli.progress import progress_bar
    from services.retriever.snapshots.creating import create_snapshot
    from services.retriever.snapshots.databases import one_moment
    from services.retriever.snapshots.place import Place

    settings = _settings(data_dir, catalogue_url)
    target = Place(place)
    with one_moment(settings.data_dir, settings.catalogue_url) as connection, progress_bar("products", 100) as bar:
        snapshot, manifest = create_snapshot(connection, target, moved=_percent(bar))
    typer.echo(_line(snapshot, manifest))


@app.command("list")
def list_(place: _Place) -> None:
    """List the snapshots of a place, the newest first, and say which lack files; restore compares digests."""
    from services.retriever.snapshots.place import Place
    from vitrine.errors import FailedPrecondition

    for snapshot in Place(place).snapshots():
        try:
            typer.echo(_line(snapshot, snapshot.manifest()))
        except FailedPrecondition as error:
            typer.echo(f"cannot be restored: {error.message}")


@app.command()
def restore(
    place: _Place,
    data_dir: _Folder = None,
    catalogue_url: _Url = None,
    replace: Annotated[bool, typer.Option("--replace", help="Even where a catalogue is there already.")] = False,
) -> None:
    """Put a snapshot, or the newest whole one of a folder of them, into a catalogue that no retriever serves."""
    from cli.progress import progress_bar
    from services.retriever.snapshots.databases import replaced_postgres, replaced_sqlite
    from services.retriever.snapshots.place import Place
    from services.retriever.snapshots.restoring import newest_whole, restore_snapshot

    settings = _settings(data_dir, catalogue_url)
    snapshot, manifest = newest_whole(
        Place(place), skipped=lambda _, error: typer.echo(f"skipped: {error.message}", err=True)
    )
    url = settings.catalogue_url
    opened = replaced_postgres(url, replace=replace) if url else replaced_sqlite(settings.data_dir, replace=replace)
    with opened as connection, progress_bar("products", 100) as bar:
        restore_snapshot(connection, snapshot, manifest, moved=_percent(bar))
    typer.echo(f"restored {_line(snapshot, manifest)}")


def _line(snapshot: "Place", manifest: "Manifest") -> str:
    size = f"{manifest.products:,} products at revision {manifest.revision}, {manifest.bytes:,} bytes"
    return f"{snapshot.url}: {size}"


def _percent(bar: Callable[[int, str], None]) -> Callable[[int, int], None]:
    return lambda done, of: bar(100 * done // max(1, of), f"{done:,}")


def _settings(data_dir: Path | None, catalogue_url: str | None) -> "RetrieverSettings":
    from services.retriever.settings import RetrieverSettings

    changes = {"data_dir": data_dir, "catalogue_url": catalogue_url}
    return RetrieverSettings().model_copy(update={name: value for name, value in changes.items() if value is not None})
