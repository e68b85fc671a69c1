"""Ingest as people see it: a progress bar, and in the end what was written, refused and left out."""

from pathlib import Path

import typer

from cli.ingest.run import Ingest, Summary
from cli.ingest.settings import IngestSettings
from cli.ingest.shown_run import shown_run

_SHOWN_COLUMNS = 10


def ingest_file(path: Path, mapping: Path | None, settings: IngestSettings) -> None:
    """Ingests one file. Raises what `Ingest` raises, and typer.Exit(1) when not one product was accepted."""
    ingest = Ingest(path, mapping, settings)
    summary = shown_run(path, ingest.file.size, ingest.run)
    _print(summary)
    if summary.refused and not summary.accepted:
        raise typer.Exit(1)


def _print(summary: Summary) -> None:
    if summary.resumed_rows:
        typer.echo(f"went on after row {summary.resumed_rows:,}, where a run before had come")
    rate = (summary.rows - summary.resumed_rows) / max(summary.took_s, 1e-9)
    typer.echo(
        f"{summary.accepted:,} products accepted, {summary.refused:,} rows refused, "
        f"in {summary.took_s:.1f} s ({rate:,.0f} rows/s)"
    )
    if summary.report_path is not None:
        typer.echo(f"refused rows with their reasons: {summary.report_path}")
    if summary.dropped_attributes:
        typer.echo(f"{summary.dropped_attributes:,} attributes beyond the catalogue's limits were left out")
    if columns := summary.unused_columns:
        more = f" and {len(columns) - _SHOWN_COLUMNS:,} more" if len(columns) > _SHOWN_COLUMNS else ""
        typer.echo(f"columns not used: {', '.join(columns[:_SHOWN_COLUMNS])}{more}")
