"""The OpsService over gRPC."""

from gateway.ops.api import OpsApi
from vitrine.call import Context, deadline_of
from vitrine.v1 import ops_service_pb2 as pb
from vitrine.v1 import ops_service_pb2_grpc


class OpsServicer(ops_service_pb2_grpc.OpsServiceServicer):
    """How the shop's processes do, and what its visitors do not find."""

    def __init__(self, api: OpsApi, default_timeout_s: float) -> None:
        self._api = api
        self._timeout_s = default_timeout_s

    async def GetOverview(self, request: pb.GetOverviewRequest, context: Context) -> pb.GetOverviewResponse:
        """Reads all processes."""
        return await self._api.get_overview(request, deadline_of(context, self._timeout_s))

    async def ListQueries(self, request: pb.ListQueriesRequest, context: Context) -> pb.ListQueriesResponse:
        """Lists what was searched for."""
        return await self._api.list_queries(request, deadline_of(context, self._timeout_s))

    async def ListWorstRankedClicks(
        self, request: pb.ListWorstRankedClicksRequest, context: Context
    ) -> pb.ListWorstRankedClicksResponse:
        """Lists queries by how low what was clicked had stood."""
        return await self._api.list_worst_ranked_clicks(request, deadline_of(context, self._timeout_s))
