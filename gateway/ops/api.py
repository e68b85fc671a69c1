"""The calls of OpsService, message in and message out, the same for gRPC and HTTP."""

import asyncio

from gateway.events.store import EventStore
from gateway.ops.clicks import worst_ranked
from gateway.ops.overview import overview
from gateway.ops.query_counts import NO_RESULTS, NO_WORDS, SEARCHES, QueryCounts
from gateway.ops.readings import Readings
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, FailedPrecondition, invalid
from vitrine.v1 import ops_service_pb2 as pb

_DEFAULT_LIMIT, _MOST = 20, 500
_DEFAULT_EVENTS, _MOST_EVENTS = 5_000, 20_000
_ORDERS = {
    pb.QUERY_ORDER_UNSPECIFIED: SEARCHES,
    pb.QUERY_ORDER_SEARCHES: SEARCHES,
    pb.QUERY_ORDER_NO_RESULTS: NO_RESULTS,
    pb.QUERY_ORDER_NO_WORDS: NO_WORDS,
}


class OpsApi:
    """OpsService; every method raises the errors of `vitrine.errors`."""

    def __init__(self, readings: Readings | None, store: EventStore | None, queries: QueryCounts | None) -> None:
        """Without `readings` it is off, and every call refused."""
        self._readings = readings
        self._store = store
        self._queries = queries

    async def get_overview(self, _request: pb.GetOverviewRequest, deadline: Deadline) -> pb.GetOverviewResponse:
        """Reads all processes."""
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                reading = await self._required_readings.read()
                # In a thread: some hundred series, each looked at for several figures.
                return await asyncio.to_thread(overview, reading)
        except TimeoutError:
            raise DeadlineExceeded("the processes did not show their metrics in time") from None

    async def list_queries(self, request: pb.ListQueriesRequest, deadline: Deadline) -> pb.ListQueriesResponse:
        """Lists what was searched for."""
        if request.order_by not in _ORDERS:
            raise invalid("order_by", f"{request.order_by} is not a QueryOrder; use one of 1 to 3")
        limit = _limit(request.limit)
        _, queries = self._required_store
        kind = _ORDERS[request.order_by]
        listed = await queries.listed(kind, limit, deadline=deadline)
        return pb.ListQueriesResponse(
            queries=[
                pb.QueryFigures(
                    query=one.query, searches=one.searches, no_results=one.no_results, no_words=one.no_words
                )
                for one in listed
            ]
        )

    async def list_worst_ranked_clicks(
        self, request: pb.ListWorstRankedClicksRequest, deadline: Deadline
    ) -> pb.ListWorstRankedClicksResponse:
        """Lists queries by how low what was clicked had stood."""
        limit = _limit(request.limit)
        count = request.events or _DEFAULT_EVENTS
        if not 1 <= count <= _MOST_EVENTS:
            raise invalid("events", f"is {count}; give 1 to {_MOST_EVENTS:,}")
        if request.least_clicks < 0:
            raise invalid("least_clicks", f"is {request.least_clicks}; give 1 or more")
        store, _ = self._required_store
        events = await store.latest_events(count, deadline=deadline)
        listed = await asyncio.to_thread(worst_ranked, events, request.least_clicks, limit)
        response = pb.ListWorstRankedClicksResponse(
            queries=[
                pb.RankedClicks(
                    query=one.query,
                    clicks=one.clicks,
                    mean_position=one.mean_position,
                    worst_position=one.worst_position,
                    worst_product_id=one.worst_product_id,
                )
                for one in listed
            ],
            events_read=len(events),
        )
        if events:
            response.since.FromDatetime(min(event.event_time for event in events if event.event_time))
        return response

    @property
    def _required_readings(self) -> Readings:
        if self._readings is None:
            raise FailedPrecondition("OpsService is off; set VITRINE_GATEWAY_OPS=true", reason="OPS_OFF")
        return self._readings

    @property
    def _required_store(self) -> tuple[EventStore, QueryCounts]:
        _ = self._required_readings
        if self._store is None or self._queries is None:
            raise FailedPrecondition("there is no event store; set VITRINE_EVENTS_REDIS_URL", reason="NO_EVENT_STORE")
        return self._store, self._queries


def _limit(limit: int) -> int:
    if not 0 <= limit <= _MOST:
        raise invalid("limit", f"is {limit}; give 1 to {_MOST}")
    return limit or _DEFAULT_LIMIT
