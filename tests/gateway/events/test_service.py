"""UserEventService over real gRPC and HTTP, in front of a real store that goes away."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gateway.events.settings import EventsSettings
from gateway.events.store import EventStore
from gateway.serving import Gateway, Ports
from gateway.settings import GatewaySettings
from vitrine.deadline import Deadline
from vitrine.v1 import user_event_pb2 as pb
from vitrine.v1 import user_event_service_pb2 as service_pb
from vitrine.v1 import user_event_service_pb2_grpc

LIMIT_S = 30.0
HTTP = "/vitrine.v1.UserEventService"


def message(event_id: str = "e1", **fields: Any) -> pb.UserEvent:
    fields = {
        "event_type": pb.EVENT_TYPE_VIEW_ITEM,
        "visitor_id": "ana",
        "products": [pb.EventProduct(product_id="p1")],
        **fields,
    }
    return pb.UserEvent(event_id=event_id, **fields)


async def written(service: Any, *events: pb.UserEvent) -> service_pb.WriteUserEventsResponse:
    request = service_pb.WriteUserEventsRequest(events=events)
    answer: service_pb.WriteUserEventsResponse = await service.WriteUserEvents(request, timeout=LIMIT_S)
    return answer


async def visitor(service: Any, visitor_id: str = "ana") -> service_pb.GetVisitorResponse:
    answer: service_pb.GetVisitorResponse = await service.GetVisitor(
        service_pb.GetVisitorRequest(visitor_id=visitor_id), timeout=LIMIT_S
    )
    return answer


def violations(answer: service_pb.WriteUserEventsResponse) -> dict[int, list[str]]:
    """The fields of each item that failed."""
    found = {}
    for outcome in answer.outcomes:
        for detail in outcome.status.details:
            bad = error_details_pb2.BadRequest()
            if detail.Unpack(bad):
                found[outcome.index] = [violation.field for violation in bad.field_violations]
    return found


async def failure(call: Any) -> tuple[grpc.StatusCode, str]:
    """The code and reason that a call fails with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(cast(grpc.Call, _Failed(caught.value)))
    reasons = [info.reason for detail in status.details if detail.Unpack(info)]
    return caught.value.code(), reasons[0]


class _Failed:
    """What grpc_status wants of a call that failed."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self._error = error

    def code(self) -> Any:
        return self._error.code()

    def details(self) -> Any:
        return self._error.details()

    def trailing_metadata(self) -> Any:
        return self._error.trailing_metadata()


async def test_the_next_request_sees_the_event(service: Any) -> None:
    for number in range(5):
        event = message(f"e{number}", products=[pb.EventProduct(product_id=f"p{number}")])
        assert (await written(service, event)).outcomes[0].status.code == 0
        seen = await visitor(service)
        assert seen.history[0].product_id == f"p{number}"
        assert seen.event_count == number + 1


async def test_one_bad_event_fails_alone_by_index_and_field(service: Any) -> None:
    far = datetime.now(UTC) + timedelta(hours=1)
    ahead = message("ahead")
    ahead.event_time.FromDatetime(far)
    answer = await written(
        service,
        message("good"),
        message("", visitor_id="with space"),
        message("type", event_type=99),
        message("no-type", event_type=0),
        ahead,
        message("search", event_type=pb.EVENT_TYPE_SEARCH),
        message("empty", products=[]),
        message("product", products=[pb.EventProduct(product_id="p", price=-1, quantity=-2, position=-3)]),
        message("codes", currency_code="cny", country_code="China"),
        message("long", query="q" * 513, session_id="s" * 129),
        message("last"),
    )
    assert [outcome.index for outcome in answer.outcomes if outcome.status.code == 0] == [0, 10]
    assert [outcome.id for outcome in answer.outcomes][-1] == "last"
    assert violations(answer) == {
        1: ["events[1].event_id", "events[1].visitor_id"],
        2: ["events[2].event_type"],
        3: ["events[3].event_type"],
        4: ["events[4].event_time"],
        5: ["events[5].query"],
        6: ["events[6].products"],
        7: ["events[7].products[0].quantity", "events[7].products[0].position", "events[7].products[0].price"],
        8: ["events[8].currency_code", "events[8].country_code"],
        9: ["events[9].session_id", "events[9].query"],
    }
    assert (await visitor(service)).event_count == 2


async def test_a_repeated_call_is_acknowledged_and_writes_nothing(service: Any) -> None:
    events = [message(f"e{number}") for number in range(10)]
    assert (await written(service, *events)).duplicates == 0
    again = await written(service, *events)
    assert again.duplicates == 10
    assert all(outcome.status.code == 0 for outcome in again.outcomes)
    assert (await visitor(service)).event_count == 10


@pytest.mark.parametrize("count", [0, 501])
async def test_a_batch_of_another_size_is_refused_whole(service: Any, count: int) -> None:
    code, _ = await failure(written(service, *[message()] * count))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_erased_visitor_is_gone_and_named_by_digest(service: Any) -> None:
    await written(service, message("e1"), message("e2"))
    request = service_pb.DeleteVisitorRequest(visitor_id="ana")
    assert (await service.DeleteVisitor(request, timeout=LIMIT_S)).events_erased == 2
    assert (await visitor(service)).event_count == 0
    old = message("e3")
    old.event_time.FromDatetime(datetime.now(UTC) - timedelta(days=1))
    (outcome,) = (await written(service, old)).outcomes
    assert outcome.status.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    erased = await service.ListErasedVisitors(service_pb.ListErasedVisitorsRequest(), timeout=LIMIT_S)
    assert [len(one.visitor_digest) for one in erased.visitors] == [16]
    later = service_pb.ListErasedVisitorsRequest(since=old.event_time)
    later.since.FromDatetime(datetime.now(UTC) + timedelta(seconds=5))
    assert not (await service.ListErasedVisitors(later, timeout=LIMIT_S)).visitors
    code, _ = await failure(service.DeleteVisitor(service_pb.DeleteVisitorRequest(), timeout=LIMIT_S))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_events_are_listed_page_by_page(service: Any) -> None:
    await written(service, *(message(f"e{number}") for number in range(25)))
    ids, token = [], ""
    while True:
        request = service_pb.ListUserEventsRequest(page_size=10, page_token=token)
        page = await service.ListUserEvents(request, timeout=LIMIT_S)
        ids += [event.event_id for event in page.events]
        if page.next_page_token == token:
            break
        token = page.next_page_token
    assert ids == [f"e{number}" for number in range(25)]
    for wrong in ({"page_size": 1_001}, {"page_token": "x"}):
        code, _ = await failure(service.ListUserEvents(service_pb.ListUserEventsRequest(**wrong), timeout=LIMIT_S))
        assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_large_events_make_pages_that_fit_a_message(service: Any) -> None:
    products = [pb.EventProduct(product_id=f"p{n}", category="c" * 100) for n in range(200)]
    kind = pb.EVENT_TYPE_VIEW_ITEM_LIST
    for start in range(0, 200, 50):
        await written(service, *(message(f"e{start + n}", event_type=kind, products=products) for n in range(50)))
    count, token = 0, ""
    while True:
        request = service_pb.ListUserEventsRequest(page_size=1_000, page_token=token)
        page = await service.ListUserEvents(request, timeout=LIMIT_S)
        count += len(page.events)
        if page.next_page_token == token:
            break
        token = page.next_page_token
    assert count == 200


async def test_more_writes_than_allowed_are_refused_at_once(events_settings: EventsSettings, store: EventStore) -> None:
    nothing = cast(Any, None)
    settings = events_settings.model_copy(update={"max_writes": 1})
    gateway = Gateway(GatewaySettings(redis_url=""), Ports(nothing, nothing, nothing), settings)
    results = await asyncio.gather(
        *(gateway.api.write_user_events(_request(f"e{n}"), Deadline.after(LIMIT_S)) for n in range(5)),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, Exception)]
    assert [getattr(error, "reason", None) for error in refused] == ["TOO_MANY_IN_FLIGHT"] * 4
    assert (await store.get_visitor("ana", deadline=Deadline.after(LIMIT_S))).event_count == 1
    await gateway.close()


def _request(event_id: str) -> service_pb.WriteUserEventsRequest:
    return service_pb.WriteUserEventsRequest(events=[message(event_id)])


async def test_without_a_store_calls_say_so() -> None:
    nothing = cast(Any, None)
    settings = GatewaySettings(redis_url="", http_port=0)
    gateway = Gateway(settings, Ports(nothing, nothing, nothing), EventsSettings(redis_url=""))
    async with gateway.http() as port, httpx.AsyncClient(trust_env=False) as client:
        reply = await client.post(f"http://127.0.0.1:{port}{HTTP}/GetVisitor", json={"visitorId": "ana"})
    assert reply.json()["code"] == "failed_precondition"
    assert "VITRINE_EVENTS_REDIS_URL" in reply.json()["message"]


@pytest.fixture
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        gateway.http() as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT_S, trust_env=False) as client,
    ):
        yield client


async def test_events_over_http(http: httpx.AsyncClient) -> None:
    event = {
        "eventId": "e1",
        "eventType": "EVENT_TYPE_ADD_TO_CART",
        "visitorId": "ana",
        "eventTime": "2026-01-02T03:04:05Z",
        "products": [{"productId": "p1", "quantity": 2}],
    }
    reply = await http.post(f"{HTTP}/WriteUserEvents", json={"events": [event, {**event, "visitorId": ""}]})
    assert reply.status_code == 200
    first, second = reply.json()["outcomes"]
    assert first == {"id": "e1"}
    assert "events[1].visitor_id" in second["status"]["message"]
    seen = (await http.post(f"{HTTP}/GetVisitor", json={"visitorId": "ana"})).json()
    assert seen["history"] == [
        {"eventType": "EVENT_TYPE_ADD_TO_CART", "productId": "p1", "eventTime": "2026-01-02T03:04:05Z"}
    ]
    listed = (await http.post(f"{HTTP}/ListUserEvents", json={})).json()
    assert listed["events"] == [event]
    assert (await http.post(f"{HTTP}/DeleteVisitor", json={"visitorId": "ana"})).json() == {"eventsErased": "1"}
    assert len((await http.post(f"{HTTP}/ListErasedVisitors", json={})).json()["visitors"]) == 1


async def test_a_store_that_is_away_acknowledges_nothing_and_leaves_search_alone(
    open_shop: Any,
) -> None:
    with_store = EventsSettings(redis_url="redis://127.0.0.1:1/0", command_timeout_s=1)
    shop = await open_shop(events=with_store)
    request = _request("e1")
    for call in (
        shop.gateway.api.write_user_events(request, Deadline.after(LIMIT_S)),
        shop.gateway.api.delete_visitor(service_pb.DeleteVisitorRequest(visitor_id="ana"), Deadline.after(LIMIT_S)),
    ):
        with pytest.raises(Exception, match="the event store is away") as caught:
            await call
        assert getattr(caught.value, "reason", None) == "EVENT_STORE_AWAY"
    await shop.gateway.self_test()
    assert shop.gateway.ready
    answer = await shop.search("smart watch")
    assert answer.hits
    assert not answer.degradations


async def test_a_store_that_is_away_is_unavailable_over_grpc(start_server: Any, channel_to: Any) -> None:
    nothing = cast(Any, None)
    away = EventsSettings(redis_url="redis://127.0.0.1:1/0", command_timeout_s=1)
    gateway = Gateway(GatewaySettings(redis_url=""), Ports(nothing, nothing, nothing), away)
    server = await start_server(gateway.add_to)
    stub = user_event_service_pb2_grpc.UserEventServiceStub(channel_to(server.port))
    assert await failure(written(stub, message())) == (grpc.StatusCode.UNAVAILABLE, "EVENT_STORE_AWAY")
    await gateway.close()
