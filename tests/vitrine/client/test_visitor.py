"""A visitor's acts: each event carries the visitor, and the token and position of what led there."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc.aio
import pytest

from vitrine.client import Client, EventProduct, InvalidArgument, RecommendResponse, SearchResponse, UserEvent
from vitrine.errors import Unavailable, invalid
from vitrine.status import status_of
from vitrine.v1 import user_event_service_pb2_grpc
from vitrine.v1.user_event_service_pb2 import WriteUserEventsResponse

ANSWER = SearchResponse(
    results=[{"product": {"id": "a"}, "position": 11}, {"product": {"id": "b"}, "position": 12}],
    attribution_token="of-the-search",
)
SHELF = RecommendResponse(
    results=[
        {"product": {"id": "a"}, "position": 1, "ad": {"ad_token": "of-ad-a"}},
        {"product": {"id": "b"}, "position": 2},
        {"product": {"id": "c"}, "position": 3, "ad": {"ad_token": "of-ad-c"}},
    ],
    attribution_token="of-the-shelf",
)


class Store(user_event_service_pb2_grpc.UserEventServiceServicer):
    """Keeps what comes; loses the first answer, and refuses events of "nobody"."""

    def __init__(self) -> None:
        self.calls: list[list[UserEvent]] = []

    async def WriteUserEvents(self, request: Any, context: Any) -> WriteUserEventsResponse:
        self.calls.append(list(request.events))
        if len(self.calls) == 1:
            raise Unavailable("the answer is lost")
        fault = status_of(invalid("visitor_id", "is nobody"))
        outcomes = [
            {"index": index, "id": event.event_id, "status": fault if event.visitor_id == "nobody" else None}
            for index, event in enumerate(request.events)
        ]
        return WriteUserEventsResponse(outcomes=outcomes)


@pytest.fixture
async def store_and_client(start_server: Any, client_of: Callable[..., Awaitable[Client]]) -> tuple[Store, Client]:
    store = Store()

    def add(server: grpc.aio.Server) -> Sequence[str]:
        user_event_service_pb2_grpc.add_UserEventServiceServicer_to_server(store, server)
        return ["vitrine.v1.UserEventService"]

    server = await start_server(add)
    return store, await client_of(f"127.0.0.1:{server.port}")


async def test_what_led_there_goes_with_what_was_done(store_and_client: tuple[Store, Client]) -> None:
    store, client = store_and_client
    visitor = client.visitor("ana", session_id="s", country_code="CN")
    product = EventProduct(product_id="b")
    await visitor.did("select_item", product, after=ANSWER, query="watch", placement="search")
    # It stays the caller's: after another answer it stands elsewhere.
    assert product == EventProduct(product_id="b")
    await visitor.did("purchase", EventProduct(product_id="b", quantity=2), after="kept", currency_code="EUR")
    await visitor.did("ad_click", "c", after=SHELF)
    await visitor.saw(SHELF, placement="home")
    await visitor.saw(SearchResponse())
    lost, click, purchase, ad, shown = store.calls
    # The attempt whose answer was lost had the same id and time: the store knows it by them.
    assert lost == click
    assert click[0].event_id
    assert click[0].HasField("event_time")
    assert {(one.visitor_id, one.session_id, one.country_code) for call in store.calls for one in call} == {
        ("ana", "s", "CN")
    }
    assert [(one.product_id, one.position) for one in click[0].products] == [("b", 12)]
    assert (click[0].attribution_token, click[0].query, click[0].placement) == ("of-the-search", "watch", "search")
    assert (purchase[0].attribution_token, purchase[0].currency_code) == ("kept", "EUR")
    assert purchase[0].products[0].quantity == 2
    assert (ad[0].attribution_token, ad[0].products[0].product_id) == ("of-ad-c", "c")
    assert [(one.event_type, one.attribution_token, len(one.products)) for one in shown] == [
        (2, "of-the-shelf", 3),
        (14, "of-ad-a", 1),
        (14, "of-ad-c", 1),
    ]
    assert len({one.event_id for call in store.calls for one in call}) == 6


@pytest.mark.parametrize("products", [["b"], ["a", "c"], ["elsewhere"], []])
async def test_an_ads_event_names_one_ad_of_the_answer(
    store_and_client: tuple[Store, Client], products: list[str]
) -> None:
    store, client = store_and_client
    with pytest.raises(InvalidArgument, match="names one product, which the answer shows as an ad"):
        await client.visitor("ana").did("ad_click", *products, after=SHELF)
    assert not store.calls


async def test_an_event_that_is_refused_raises(store_and_client: tuple[Store, Client]) -> None:
    _, client = store_and_client
    with pytest.raises(InvalidArgument, match="is nobody"):
        await client.visitor("nobody").did("view_item", "a")
