"""What was written and acknowledged while parts were killed, and whether it is there in the end."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import grpc
import grpc.aio

from loadtest.faults.searches import DEADLINE_S
from vitrine.messages.product import product_to_message
from vitrine.product import Product
from vitrine.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
    user_event_pb2,
    user_event_service_pb2,
    user_event_service_pb2_grpc,
)

# A product is deleted every so many writes of it.
_DELETED_EVERY = 4
_EVENTS_OF_ONE = 40
_PAGE = 50
_CHECK_S = 30.0
_GONE = ""


@dataclass(slots=True)
class _Written:
    """What may be there of one product: its last acknowledged title ("": deleted) and those tried since."""

    states: list[str] = field(default_factory=lambda: [_GONE])
    writes: int = 0


class Ledger:
    """Writes products and events through the gateway, and remembers what was acknowledged."""

    def __init__(self, channel: grpc.aio.Channel, products: Sequence[Product], deadline_s: float = DEADLINE_S) -> None:
        """`products` are this ledger's own: nobody else writes them."""
        self._catalog = catalog_service_pb2_grpc.CatalogServiceStub(channel)
        self._search = search_service_pb2_grpc.SearchServiceStub(channel)
        self._events = user_event_service_pb2_grpc.UserEventServiceStub(channel)
        self._products = {product.id: product for product in products}
        self._written = {product.id: _Written() for product in products}
        self._kept: set[str] = set()
        self._deadline_s = deadline_s
        self.products_acknowledged = 0

    @property
    def events_acknowledged(self) -> int:
        """How many events were acknowledged."""
        return len(self._kept)

    async def write_product(self, number: int) -> tuple[str, ...]:
        """Changes or deletes the product whose turn it is. Raises RpcError, or ValueError for a refusal."""
        product_id = list(self._products)[number % len(self._products)]
        written = self._written[product_id]
        written.writes += 1
        if written.writes % _DELETED_EVERY:
            state = f"{self._products[product_id].title} {number}"
            written.states.append(state)
            await self._upsert(replace(self._products[product_id], title=state))
        else:
            written.states.append(state := _GONE)
            await self._delete(product_id)
        # What was tried before it can no longer be what is there; a delete among it neither.
        del written.states[: max(place for place, tried in enumerate(written.states) if tried == state)]
        self.products_acknowledged += 1
        return ()

    async def write_event(self, number: int) -> tuple[str, ...]:
        """Writes an event of its own. Raises RpcError, or ValueError for a refusal."""
        event = user_event_pb2.UserEvent(
            event_id=f"event-{number}",
            event_type=user_event_pb2.EVENT_TYPE_VIEW_ITEM,
            visitor_id=f"visitor-{number // _EVENTS_OF_ONE}",
            products=[user_event_pb2.EventProduct(product_id=list(self._products)[number % len(self._products)])],
        )
        request = user_event_service_pb2.WriteUserEventsRequest(events=[event])
        answer = await self._events.WriteUserEvents(request, timeout=self._deadline_s)
        if answer.outcomes[0].status.code:
            raise ValueError(f"an event is refused: {answer.outcomes[0].status.message}")
        self._kept.add(event.event_id)
        return ()

    async def lost(self) -> list[str]:
        """What is not as it was acknowledged, in words; empty: nothing."""
        missing = self._kept - await self._events_there()
        lost = [f"{len(missing)} acknowledged events are gone: {', '.join(sorted(missing)[:5])}"] if missing else []
        for product_id, written in self._written.items():
            there = await self._title(product_id)
            if there not in written.states:
                lost.append(f"{product_id} is {there or 'gone'!r}, not {' or '.join(written.states) or 'gone'!r}")
            elif there and product_id not in await self._found(there):
                lost.append(f"{product_id} is there and not found by its title {there!r}")
        return lost

    async def _upsert(self, product: Product) -> None:
        request = catalog_service_pb2.CatalogServiceUpsertProductsRequest(products=[product_to_message(product)])
        async for answer in self._catalog.UpsertProducts(iter([request]), timeout=self._deadline_s):
            if answer.outcomes[0].status.code:
                raise ValueError(f"a product is refused: {answer.outcomes[0].status.message}")

    async def _delete(self, product_id: str) -> None:
        request = catalog_service_pb2.CatalogServiceDeleteProductsRequest(ids=[product_id])
        answer = await self._catalog.DeleteProducts(request, timeout=self._deadline_s)
        if answer.outcomes[0].status.code not in (0, grpc.StatusCode.NOT_FOUND.value[0]):
            raise ValueError(f"a delete is refused: {answer.outcomes[0].status.message}")

    async def _title(self, product_id: str) -> str:
        try:
            request = catalog_service_pb2.GetProductRequest(id=product_id)
            answer = await self._catalog.GetProduct(request, timeout=_CHECK_S)
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise
            return _GONE
        return str(answer.product.title)

    async def _found(self, title: str) -> set[str]:
        request = search_service_pb2.SearchRequest(query=title, page_size=_PAGE, rank_depth=0)
        return {result.product.id for result in (await self._search.Search(request, timeout=_CHECK_S)).results}

    async def _events_there(self) -> set[str]:
        there: set[str] = set()
        token = ""
        while True:
            request = user_event_service_pb2.ListUserEventsRequest(page_size=500, page_token=token)
            answer = await self._events.ListUserEvents(request, timeout=_CHECK_S)
            if not answer.events:
                return there
            there |= {event.event_id for event in answer.events}
            token = answer.next_page_token
