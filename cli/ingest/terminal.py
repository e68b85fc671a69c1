"""Ingest as people see it: a progress bar, and in the end what was written, refused, mended and left out."""

from pathlib import Path

import typer

from cli.ingest.offers import OfferIngest
from cli.ingest.run import Ingest, Summary
from cli.ingest.settings import IngestSettings
from cli.ingest.shown_run import shown_run

_SHOWN_COLUMNS = 10


def ingest_file(
    path: Path, mapping: Path | None, settings: IngestSettings, *, sync: bool, force: bool, feed_name: str
) -> None:
    """Ingests one file.

    Raises what `Ingest` raises, and typer.Exit(1) when not one product was accepted, or so many products are gone
    that they were kept.
    """
    ingest = Ingest(path, mapping, settings, sync=sync, force=force, feed_name=feed_name)
    typer.echo(f"{path.name}: {ingest.feed.kind}")
    summary = shown_run(path, ingest.feed.source.size, ingest.run)
    _print(summary)
    if summary.gone.kept or (summary.refused and not summary.accepted and not summary.unchanged):
        raise typer.Exit(1)


def update_offers(path: Path, mapping: Path | None, settings: IngestSettings) -> None:
    """Changes prices and availability by one file. Raises typer.Exit(1) when not one was accepted."""
    ingest = OfferIngest(path, mapping, settings)
    typer.echo(f"{path.name}: {ingest.feed.kind}, of which offers")
    summary = shown_run(path, ingest.feed.source.size, ingest.run)
    rate = summary.rows / max(summary.took_s, 1e-9)
    typer.echo(
        f"{summary.accepted:,} offers accepted, {summary.refused:,} rows refused, "
        f"in {summary.took_s:.1f} s ({rate:,.0f} rows/s)"
    )
    if summary.report_path is not None:
        typer.echo(f"refused rows with their reasons: {summary.report_path}")
    if summary.refused and not summary.accepted:
        raise typer.Exit(1)


def _print(summary: Summary) -> None:
    if summary.resumed_rows:
        typer.echo(f"went on after row {summary.resumed_rows:,}, where a run before had come")
    rate = (summary.rows - summary.resumed_rows) / max(summary.took_s, 1e-9)
    counts = [f"{summary.accepted:,} products accepted", f"{summary.refused:,} rows refused"]
    if summary.unchanged:
        counts.append(f"{summary.unchanged:,} unchanged and not sent")
    if summary.gone.deleted:
        counts.append(f"{summary.gone.deleted:,} gone from the feed and deleted")
    typer.echo(f"{', '.join(counts)}, in {summary.took_s:.1f} s ({rate:,.0f} rows/s)")
    if summary.report_path is not None:
        typer.echo(f"refused rows with their reasons: {summary.report_path}")
    for what, count in sorted(summary.mended.items()):
        typer.echo(f"{count:,} × {what}")
    if summary.repeated:
        shown = ", ".join(summary.repeated_ids)
        typer.echo(f"{summary.repeated:,} rows took the place of earlier rows with their id, such as {shown}")
    if summary.dropped_attributes:
        typer.echo(f"{summary.dropped_attributes:,} attributes beyond the catalogue's limits were left out")
    if columns := summary.unused_columns:
        more = f" and {len(columns) - _SHOWN_COLUMNS:,} more" if len(columns) > _SHOWN_COLUMNS else ""
        typer.echo(f"columns not used: {', '.join(columns[:_SHOWN_COLUMNS])}{more}")
    if summary.gone.kept:
        typer.echo(
            f"{summary.gone.kept:,} products are gone from this feed, more than may go at once, and were kept: "
            "if the feed is whole, run the same again with --force",
            err=True,
        )
