"""The `vitrine rules` commands: what a merchant's rules say, and what they do to a query."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="rules", help="A merchant's synonyms, pins and blocks.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="TOML file of rules.")],
    query: Annotated[list[str] | None, typer.Option(help="Say what holds for this query now; may be repeated.")] = None,
) -> None:
    """Say what a file of rules holds, or what is wrong with it."""
    from services.retriever.rules import read_rules

    rules = read_rules(file)
    count = sum(map(len, (*rules.whole.values(), *rules.part.values())))
    typer.echo(f"{len(rules.synonyms.by_phrase)} phrases with synonyms, {count} rules for queries")
    for text in query or ():
        ruling = rules.ruling(text, datetime.now(UTC))
        parts = [f"pins {', '.join(ruling.pins)}"] if ruling.pins else []
        parts += [f"blocks {', '.join(sorted(ruling.blocks))}"] if ruling.blocks else []
        parts += [f"{len(ruling.conditions)} conditions block"] if ruling.conditions else []
        parts += [f"also {', '.join(others)}"] if (others := rules.synonyms.of(text)) else []
        typer.echo(f"{text}: {'; '.join(parts) or 'no rule'}")
