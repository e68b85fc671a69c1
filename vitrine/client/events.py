"""What visitors do: written, read, erased."""

import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from vitrine.client.calls import Calls, Method
from vitrine.v1 import user_event_service_pb2 as pb
from vitrine.v1.user_event_pb2 import UserEvent

_WRITE = Method("UserEventService/WriteUserEvents", pb.WriteUserEventsRequest, pb.WriteUserEventsResponse)
_GET_VISITOR = Method("UserEventService/GetVisitor", pb.GetVisitorRequest, pb.GetVisitorResponse)
_DELETE_VISITOR = Method("UserEventService/DeleteVisitor", pb.DeleteVisitorRequest, pb.DeleteVisitorResponse)
_LIST = Method("UserEventService/ListUserEvents", pb.ListUserEventsRequest, pb.ListUserEventsResponse)
_PURGE = Method("UserEventService/PurgeUserEvents", pb.PurgeUserEventsRequest, pb.PurgeUserEventsResponse)
_LIST_ERASED = Method(
    "UserEventService/ListErasedVisitors", pb.ListErasedVisitorsRequest, pb.ListErasedVisitorsResponse
)


class Events:
    """`client.events`: calls of UserEventService."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def write(self, events: Sequence[UserEvent], *, timeout_s: float | None = None) -> pb.WriteUserEventsResponse:
        """Writes 1 to 500 events; an outcome for each.

        An event without event_id or event_time is given them, in place, so that it counts once and as of now however
        often it is sent.
        """
        now = datetime.now(UTC)
        for event in events:
            event.event_id = event.event_id or str(uuid.uuid4())
            if not event.HasField("event_time"):
                event.event_time.FromDatetime(now)
        return await self._calls.answer(_WRITE, pb.WriteUserEventsRequest(events=events), timeout_s)

    async def visitor(self, visitor_id: str, *, timeout_s: float | None = None) -> pb.GetVisitorResponse:
        """What is kept of a visitor."""
        return await self._calls.answer(_GET_VISITOR, pb.GetVisitorRequest(visitor_id=visitor_id), timeout_s)

    async def delete_visitor(self, visitor_id: str, *, timeout_s: float | None = None) -> int:
        """Erases all that is kept of a visitor; how many events."""
        request = pb.DeleteVisitorRequest(visitor_id=visitor_id)
        return (await self._calls.answer(_DELETE_VISITOR, request, timeout_s)).events_erased

    async def pages(
        self, page_token: str = "", *, page_size: int = 500, timeout_s: float | None = None
    ) -> AsyncIterator[pb.ListUserEventsResponse]:
        """All events up to now in the order of arrival; the next_page_token of a page is where to go on later."""
        while True:
            request = pb.ListUserEventsRequest(page_size=page_size, page_token=page_token)
            page = await self._calls.answer(_LIST, request, timeout_s)
            if page.next_page_token == page_token:
                return
            yield page
            page_token = page.next_page_token

    async def purge(self, page_token: str, *, before: datetime | None = None, timeout_s: float | None = None) -> int:
        """Drops events up to a page's next_page_token that arrived before `before`; how many of them, 10,000 at most:
        call it until it is 0.
        """
        request = pb.PurgeUserEventsRequest(page_token=page_token)
        if before is not None:
            request.before.FromDatetime(before)
        return (await self._calls.answer(_PURGE, request, timeout_s)).events_purged

    async def erased_visitors(
        self, since: datetime | None = None, *, timeout_s: float | None = None
    ) -> Sequence[pb.ErasedVisitor]:
        """Visitors erased at or after `since`, 10,000 at most, by time."""
        request = pb.ListErasedVisitorsRequest()
        if since is not None:
            request.since.FromDatetime(since)
        return (await self._calls.answer(_LIST_ERASED, request, timeout_s)).visitors
