"""The `vitrine events` commands: user events out of the store into Parquet, and other tools' exports into it."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="events", help="User events: export and import.", no_args_is_help=True)

_Target = Annotated[str, typer.Option(help="gRPC target of the gateway.")]


class Format(Enum):
    """Whose layout a file of events has."""

    VITRINE = "vitrine"
    GA4 = "ga4"
    UBI = "ubi"


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="Folder for the Parquet files, one folder in it for each day.")],
    keep_days: Annotated[
        float | None,
        typer.Option(min=0, help="Then drop from the store what was exported and came in earlier than this ago."),
    ] = None,
    target: _Target = "127.0.0.1:50051",
) -> None:
    """Write all user events, or those since the last export into the same folder, as Parquet by day.

    Visitors erased since are taken out of the folder too. Cut off, the same command goes on where it was.
    """
    from cli.events.export import export_events

    done = export_events(out, target, keep_days)
    typer.echo(f"{done.events:,} events written to {out}, {done.erased_rows:,} rows of erased visitors taken out")
    if keep_days is not None:
        typer.echo(f"{done.purged:,} exported events dropped from the store")


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="JSON lines, .gz or not; Vitrine's own also CSV and Parquet.")],
    format: Annotated[
        Format, typer.Option(help="Vitrine's own, GA4's BigQuery export, or User Behavior Insights.")
    ] = Format.VITRINE,
    target: Annotated[
        str | None, typer.Option(help="gRPC target of the gateway.", show_default="127.0.0.1:50051")
    ] = None,
) -> None:
    """Write a file's events into the store. Cut off, the same command goes on where it was."""
    from cli.events.terminal import import_file
    from cli.ingest.settings import IngestSettings

    settings = IngestSettings()
    if target is not None:
        settings = settings.model_copy(update={"target": target})
    import_file(path, format.value, settings)
