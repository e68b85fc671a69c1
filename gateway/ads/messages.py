"""Campaigns and their spending on the wire."""

from gateway.ads.campaign import Campaign, SponsoredProduct
from gateway.ads.ledger import Spend
from gateway.ads.service import CampaignPage
from vitrine.errors import InvalidArgument
from vitrine.messages.user_event import time_from_message
from vitrine.ports import ItemOutcome
from vitrine.v1 import ad_service_pb2 as pb


def campaign_from_message(message: pb.Campaign) -> Campaign:
    """A campaign. Raises InvalidArgument for a time that is none."""
    return Campaign(
        id=message.id,
        name=message.name,
        currency_code=message.currency_code,
        daily_budget=message.daily_budget,
        products=tuple(SponsoredProduct(one.product_id, one.bid) for one in message.products),
        daily_impressions_per_visitor=message.daily_impressions_per_visitor,
        start_time=time_from_message(message.start_time, "start_time") if message.HasField("start_time") else None,
        end_time=time_from_message(message.end_time, "end_time") if message.HasField("end_time") else None,
        paused=message.paused,
    )


def item_from_message(index: int, message: pb.Campaign) -> Campaign | ItemOutcome:
    """The campaign at a place of a request, or the outcome that it failed with."""
    try:
        return campaign_from_message(message)
    except InvalidArgument as error:
        return ItemOutcome(message.id, error.within(f"campaigns[{index}]"))


def campaign_to_message(campaign: Campaign) -> pb.Campaign:
    """A campaign, field by field."""
    message = pb.Campaign(
        id=campaign.id,
        name=campaign.name,
        currency_code=campaign.currency_code,
        daily_budget=campaign.daily_budget,
        products=[pb.SponsoredProduct(product_id=one.product_id, bid=one.bid) for one in campaign.products],
        daily_impressions_per_visitor=campaign.daily_impressions_per_visitor,
        paused=campaign.paused,
    )
    if campaign.start_time is not None:
        message.start_time.FromDatetime(campaign.start_time)
    if campaign.end_time is not None:
        message.end_time.FromDatetime(campaign.end_time)
    return message


def page_to_message(page: CampaignPage) -> pb.ListCampaignsResponse:
    """One page of campaigns with what they spent."""
    return pb.ListCampaignsResponse(
        campaigns=[
            pb.CampaignReport(campaign=campaign_to_message(campaign), spend=_spend_to_message(spend))
            for campaign, spend in page.campaigns
        ],
        next_page_token=page.next_page_token,
    )


def _spend_to_message(spend: Spend) -> pb.CampaignSpend:
    return pb.CampaignSpend(
        spent_today=spend.spent_today,
        spent=spend.spent,
        impressions_today=spend.impressions_today,
        clicks_today=spend.clicks_today,
        impressions=spend.impressions,
        clicks=spend.clicks,
    )
