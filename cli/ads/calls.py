"""Calls of AdService from the command line, and what they answer as people read it."""

from collections.abc import Iterator, Sequence

import typer
from rich.console import Console
from rich.table import Table

from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.gateway_client import open_gateway
from vitrine.v1 import ad_service_pb2, ad_service_pb2_grpc, common_pb2

_TIMEOUT_S = 10.0
_MAX_CAMPAIGNS = 100
_MAX_BYTES = 1024 * 1024


async def upsert_campaigns(campaigns: Sequence[ad_service_pb2.Campaign], target: str) -> int:
    """Writes campaigns and prints those refused; how many. Raises the errors of `vitrine.errors`."""
    refused = 0
    async with open_gateway(target) as channel:
        stub = ad_service_pb2_grpc.AdServiceStub(channel)
        for batch in _batches(campaigns):
            request = ad_service_pb2.UpsertCampaignsRequest(campaigns=batch)
            answer = await call(stub.UpsertCampaigns, request, deadline=Deadline.after(_TIMEOUT_S))
            refused += _print_refused(answer.outcomes)
    typer.echo(f"{len(campaigns) - refused:,} campaigns written, {refused:,} refused")
    return refused


async def delete_campaigns(ids: Sequence[str], target: str) -> int:
    """Deletes campaigns and prints those that were not there; how many. Raises the errors of `vitrine.errors`."""
    async with open_gateway(target) as channel:
        stub = ad_service_pb2_grpc.AdServiceStub(channel)
        request = ad_service_pb2.DeleteCampaignsRequest(ids=ids)
        answer = await call(stub.DeleteCampaigns, request, deadline=Deadline.after(_TIMEOUT_S))
    refused = _print_refused(answer.outcomes)
    typer.echo(f"{len(ids) - refused:,} campaigns deleted")
    return refused


async def print_campaigns(target: str) -> None:
    """Prints all campaigns as a table. Raises the errors of `vitrine.errors`."""
    table = Table()
    for heading in ("id", "name", "state", "products", "daily budget", "today", "in all", "seen", "clicks"):
        table.add_column(heading, justify="left" if heading in ("id", "name", "state") else "right")
    async with open_gateway(target) as channel:
        stub = ad_service_pb2_grpc.AdServiceStub(channel)
        token, is_last = "", False
        while not is_last:
            request = ad_service_pb2.ListCampaignsRequest(page_token=token)
            page = await call(stub.ListCampaigns, request, deadline=Deadline.after(_TIMEOUT_S))
            for report in page.campaigns:
                table.add_row(*_cells(report))
            token = page.next_page_token
            is_last = not token
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
    refused = [one for one in outcomes if one.HasField("status")]
    for one in refused:
        typer.echo(f"{one.id}: {one.status.message}", err=True)
    return len(refused)


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
