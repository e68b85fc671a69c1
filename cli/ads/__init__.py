"""The `vitrine ads` commands: campaigns of sponsored products written, listed with what they spent, and deleted."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="ads", help="Sponsored products: campaigns.", no_args_is_help=True)

_Target = Annotated[str, typer.Option(help="gRPC target of the gateway.")]
_TARGET = "127.0.0.1:50051"


@app.command()
def upsert(
    path: Annotated[
        Path, typer.Argument(help="JSON lines, a campaign each; or CSV, TSV or Parquet, a sponsored product each.")
    ],
    target: _Target = _TARGET,
) -> None:
    """Write a file's campaigns, new ones and new versions; what was spent stays."""
    from cli.ads.calls import upsert_campaigns
    from cli.ads.files import campaigns_of

    refused = asyncio.run(upsert_campaigns(campaigns_of(path), target))
    if refused:
        raise typer.Exit(1)


@app.command("list")
def list_(target: _Target = _TARGET) -> None:
    """Print all campaigns with what they did today (UTC) and in all."""
    from cli.ads.calls import print_campaigns

    asyncio.run(print_campaigns(target))


@app.command()
def delete(
    ids: Annotated[list[str], typer.Argument(help="Campaign ids, at most 100.")],
    target: _Target = _TARGET,
) -> None:
    """Delete campaigns, and what they spent with them; clicks on the way are not charged."""
    from cli.ads.calls import delete_campaigns

    if asyncio.run(delete_campaigns(ids, target)):
        raise typer.Exit(1)
