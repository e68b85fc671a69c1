"""Calls of AdService from the command line, and what they answer as people read it."""

from collections.abc import Iterator, Sequence

import typer
from rich.console import Console
from rich.table import Table

from vitrine.client import Client, refused
from vitrine.v1 import ad_service_pb2, common_pb2

_MAX_CAMPAIGNS = 100
_MAX_BYTES = 1024 * 1024


async def upsert_campaigns(campaigns: Sequence[ad_service_pb2.Campaign], target: str) -> int:
    """Writes campaigns and prints those refused; how many. Raises the errors of `vitrine.errors`."""
    failed = 0
    async with Client(target) as client:
        for batch in _batches(campaigns):
            failed += _print_refused((await client.ads.upsert(batch)).outcomes)
    typer.echo(f"{len(campaigns) - failed:,} campaigns written, {failed:,} refused")
    return failed


async def delete_campaigns(ids: Sequence[str], target: str) -> int:
    """Deletes campaigns and prints those that were not there; how many. Raises the errors of `vitrine.errors`."""
    async with Client(target) as client:
        failed = _print_refused((await client.ads.delete(ids)).outcomes)
    typer.echo(f"{len(ids) - failed:,} campaigns deleted")
    return failed


async def print_campaigns(target: str) -> None:
    """Prints all campaigns as a table. Raises the errors of `vitrine.errors`."""
    table = Table()
    for heading in ("id", "name", "state", "products", "daily budget", "today", "in all", "seen", "clicks"):
        table.add_column(heading, justify="left" if heading in ("id", "name", "state") else "right")
    async with Client(target) as client:
        async for report in client.ads.campaigns():
            table.add_row(*_cells(report))
    Console().print(table)


def _cells(report: ad_service_pb2.CampaignReport) -> Iterator[str]:
    campaign, spend = report.campaign, report.spend
    code = campaign.currency_code
    yield campaign.id
    yield campaign.name
    if campaign.paused:
        yield "paused"
    else:
        yield "spent" if spend.spent_today >= campaign.daily_budget else "open"
    yield f"{len(campaign.products):,}"
    yield f"{campaign.daily_budget:,.2f} {code}"
    yield f"{spend.spent_today:,.2f}"
    yield f"{spend.spent:,.2f}"
    yield f"{spend.impressions:,}"
    yield f"{spend.clicks:,}"


def _print_refused(outcomes: Sequence[common_pb2.ItemOutcome]) -> int:
    failed = refused(outcomes)
    for one in failed:
        typer.echo(f"{one.id}: {one.error.message}", err=True)
    return len(failed)


def _batches(campaigns: Sequence[ad_service_pb2.Campaign]) -> Iterator[list[ad_service_pb2.Campaign]]:
    batch: list[ad_service_pb2.Campaign] = []
    size = 0
    for campaign in campaigns:
        if batch and (len(batch) == _MAX_CAMPAIGNS or size + campaign.ByteSize() > _MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(campaign)
        size += campaign.ByteSize()
    if batch:
        yield batch
