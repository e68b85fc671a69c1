"""`vitrine train ledger`: measures a chain of models in one run and enters it in a bundle's card."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.train.options import one_line_errors

if TYPE_CHECKING:
    from training.ledger import Entry


def ledger(
    step: Annotated[
        list[str],
        typer.Option(
            help="NAME=BUNDLE or NAME=BUNDLE:REPORT.json[:REPORT.json]: a bundle folder, or packaged:e5 for the "
            "12-layer int8 base; reports are those of `vitrine evaluate relevance --json`. Once a step, in order."
        ),
    ],
    bundle: Annotated[Path, typer.Option(help="Bundle folder whose card gets the ledger.", exists=True)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure and print; leave the card as it is.")] = False,
) -> None:
    """Size, latency in the same run and quality of models that exist, step by step, for the card of a bundle."""
    with one_line_errors():
        from training.ledger import enter, measure
        from training.ledger_chain import bundle_kind, parse_link, resolve

        kind = bundle_kind(bundle)
        with tempfile.TemporaryDirectory(prefix="vitrine-ledger-") as scratch:
            entries = measure(resolve([parse_link(text) for text in step], kind, Path(scratch)), kind)
        if not dry_run:
            enter(bundle, kind, entries)
    Console().print(ledger_table(entries))


def ledger_table(entries: "Sequence[Entry]") -> Table:
    """Steps as columns; size, latency and each figure as rows."""
    table = Table("", *(entry.step for entry in entries))
    table.add_row("size, MB", *(f"{entry.size_mb:.1f}" for entry in entries))
    table.add_row("latency, ms", *(f"{entry.latency_ms:.2f}" for entry in entries))
    table.add_row("ratio to step before", *(f"{entry.ratio_to_previous:.2f}" for entry in entries))
    table.add_row("times as fast as first", *(f"{1 / entry.ratio_to_first:.2f}" for entry in entries))
    for name in dict.fromkeys(name for entry in entries for name in entry.figures):
        table.add_row(name, *(f"{entry.figures[name]:.3f}" if name in entry.figures else "–" for entry in entries))
    return table
