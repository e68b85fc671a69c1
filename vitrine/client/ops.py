"""How the suite does, for whoever runs it."""

from vitrine.client.calls import Calls, Method
from vitrine.v1 import ops_service_pb2 as pb

_OVERVIEW = Method("OpsService/GetOverview", pb.GetOverviewRequest, pb.GetOverviewResponse)
_QUERIES = Method("OpsService/ListQueries", pb.ListQueriesRequest, pb.ListQueriesResponse)
_WORST_CLICKS = Method(
    "OpsService/ListWorstRankedClicks", pb.ListWorstRankedClicksRequest, pb.ListWorstRankedClicksResponse
)


class Ops:
    """`client.ops`: calls of OpsService."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def overview(self, *, timeout_s: float | None = None) -> pb.GetOverviewResponse:
        """Rates, times and errors of all processes in about the last minute."""
        return await self._calls.answer(_OVERVIEW, pb.GetOverviewRequest(), timeout_s)

    async def queries(
        self, *, order_by: pb.QueryOrder | str | None = None, limit: int = 20, timeout_s: float | None = None
    ) -> pb.ListQueriesResponse:
        """What was searched for; most first, or by `order_by`."""
        return await self._calls.answer(_QUERIES, pb.ListQueriesRequest(order_by=order_by, limit=limit), timeout_s)

    async def worst_ranked_clicks(
        self, *, events: int = 5_000, least_clicks: int = 1, limit: int = 20, timeout_s: float | None = None
    ) -> pb.ListWorstRankedClicksResponse:
        """The queries whose clicked results stood lowest, by the latest `events`."""
        request = pb.ListWorstRankedClicksRequest(events=events, least_clicks=least_clicks, limit=limit)
        return await self._calls.answer(_WORST_CLICKS, request, timeout_s)
