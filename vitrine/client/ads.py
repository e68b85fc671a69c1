"""Campaigns that sponsor products."""

from collections.abc import AsyncIterator, Sequence

from vitrine.client.calls import Calls, Method
from vitrine.v1 import ad_service_pb2 as pb

_UPSERT = Method("AdService/UpsertCampaigns", pb.UpsertCampaignsRequest, pb.UpsertCampaignsResponse)
_DELETE = Method("AdService/DeleteCampaigns", pb.DeleteCampaignsRequest, pb.DeleteCampaignsResponse)
_LIST = Method("AdService/ListCampaigns", pb.ListCampaignsRequest, pb.ListCampaignsResponse)


class Ads:
    """`client.ads`: calls of AdService."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def upsert(
        self, campaigns: Sequence[pb.Campaign], *, timeout_s: float | None = None
    ) -> pb.UpsertCampaignsResponse:
        """Writes 1 to 100 campaigns; an outcome for each."""
        return await self._calls.answer(_UPSERT, pb.UpsertCampaignsRequest(campaigns=campaigns), timeout_s)

    async def delete(self, ids: Sequence[str], *, timeout_s: float | None = None) -> pb.DeleteCampaignsResponse:
        """Deletes 1 to 100 campaigns; NOT_FOUND in the outcome of an id that there is not."""
        return await self._calls.answer(_DELETE, pb.DeleteCampaignsRequest(ids=ids), timeout_s)

    async def campaigns(
        self, *, page_size: int = 100, timeout_s: float | None = None
    ) -> AsyncIterator[pb.CampaignReport]:
        """All campaigns with what they spent, by id; `timeout_s` is a page's."""
        token, is_last = "", False
        while not is_last:
            page = await self._calls.answer(
                _LIST, pb.ListCampaignsRequest(page_size=page_size, page_token=token), timeout_s
            )
            for report in page.campaigns:
                yield report
            token = page.next_page_token
            is_last = not token
