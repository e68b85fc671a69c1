"""An import as people see it: a progress bar, and in the end what was written, refused and left out."""

from pathlib import Path

import typer

from cli.events.importing import EventImport, Summary
from cli.ingest.settings import IngestSettings
from cli.ingest.shown_run import shown_run


def import_file(path: Path, format: str, settings: IngestSettings) -> None:
    """Imports one file. Raises what `EventImport` raises, and typer.Exit(1) when not one event was accepted."""
    importing = EventImport(path, format, settings)
    summary = shown_run(path, importing.file.size, importing.run)
    _print(summary)
    if not summary.accepted:
        typer.echo("error: the file holds no event of this --format", err=True)
        raise typer.Exit(1)


def _print(summary: Summary) -> None:
    if summary.resumed_rows:
        typer.echo(f"went on after row {summary.resumed_rows:,}, where a run before had come")
    rate = (summary.rows - summary.resumed_rows) / max(summary.took_s, 1e-9)
    typer.echo(
        f"{summary.accepted:,} events accepted ({summary.duplicates:,} of them there already), "
        f"{summary.refused:,} rows refused, in {summary.took_s:.1f} s ({rate:,.0f} rows/s)"
    )
    for what, count in summary.unused.most_common():
        typer.echo(f"{count:,} {what} left out")
    if summary.report_path is not None:
        typer.echo(f"refused rows with their reasons: {summary.report_path}")
