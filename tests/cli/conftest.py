"""A catalogue behind real gRPC that tests can look into, hold up and break."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
import pytest

from vitrine.errors import InvalidArgument, NotFound
from vitrine.messages.common import outcome_to_message
from vitrine.messages.product import offer_from_message, product_from_message, product_to_message
from vitrine.offer import with_offer
from vitrine.ports import ItemOutcome
from vitrine.product import Product, checked_product
from vitrine.product_digest import content_digest
from vitrine.v1 import catalog_service_pb2, catalog_service_pb2_grpc, retriever_service_pb2


@dataclass
class Shelf(catalog_service_pb2_grpc.CatalogServiceServicer):
    """Keeps what is written, by id, with the rules of the real catalogue.

    `requests` holds the ids of each request that came in; `fault` is called with its number, from 1, before it is
    written and may raise; `refuse` gives an item's error; while `gate` is clear nothing is answered.
    """

    products: dict[str, Product] = field(default_factory=dict)
    requests: list[list[str]] = field(default_factory=list)
    deletes: list[list[str]] = field(default_factory=list)
    delete_faults: list[Exception] = field(default_factory=list)
    offers: list[list[str]] = field(default_factory=list)
    written: int = 0
    most_unanswered: int = 0
    fault: Callable[[int], None] = lambda number: None
    refuse: Callable[[str], Exception | None] = lambda product_id: None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    came_in: asyncio.Condition = field(default_factory=asyncio.Condition)
    target: str = ""

    async def UpsertProducts(
        self, request_iterator: AsyncIterator[Any], context: object
    ) -> AsyncIterator[catalog_service_pb2.CatalogServiceUpsertProductsResponse]:
        waiting: asyncio.Queue[Any] = asyncio.Queue()
        unanswered = 0

        async def receive() -> None:
            nonlocal unanswered
            async for request in request_iterator:
                unanswered += 1
                self.most_unanswered = max(self.most_unanswered, unanswered)
                async with self.came_in:
                    self.requests.append([message.id for message in request.products])
                    self.came_in.notify_all()
                waiting.put_nowait((len(self.requests), request))
            waiting.put_nowait(None)

        receiving = asyncio.create_task(receive())
        try:
            while (received := await waiting.get()) is not None:
                number, request = received
                await self.gate.wait()
                self.fault(number)
                outcomes = [self._written(message) for message in request.products]
                unanswered -= 1
                yield catalog_service_pb2.CatalogServiceUpsertProductsResponse(
                    outcomes=[outcome_to_message(index, outcome) for index, outcome in enumerate(outcomes)]
                )
        finally:
            receiving.cancel()

    async def DeleteProducts(
        self, request: Any, context: object
    ) -> catalog_service_pb2.CatalogServiceDeleteProductsResponse:
        if self.delete_faults:
            raise self.delete_faults.pop()
        self.deletes.append(list(request.ids))
        outcomes = [
            ItemOutcome(key, None if self.products.pop(key, None) else NotFound(f"there is no product {key!r}"))
            for key in request.ids
        ]
        return catalog_service_pb2.CatalogServiceDeleteProductsResponse(
            outcomes=[outcome_to_message(index, outcome) for index, outcome in enumerate(outcomes)]
        )

    async def UpdateOffers(self, request: Any, context: object) -> catalog_service_pb2.UpdateOffersResponse:
        self.fault(len(self.offers) + 1)
        self.offers.append([message.id for message in request.offers])
        outcomes = []
        for message in request.offers:
            error: Any = NotFound(f"there is no product {message.id!r}")
            if message.id in self.products:
                self.products[message.id] = with_offer(self.products[message.id], offer_from_message(message))
                error = None
            outcomes.append(ItemOutcome(message.id, error))
        return catalog_service_pb2.UpdateOffersResponse(
            outcomes=[outcome_to_message(index, outcome) for index, outcome in enumerate(outcomes)]
        )

    async def ListProductDigests(self, request: Any, context: object) -> catalog_service_pb2.ListProductDigestsResponse:
        """Pages of seven, so that there are several."""
        left = sorted(key for key in self.products if key > request.page_token)
        return catalog_service_pb2.ListProductDigestsResponse(
            digests=[
                retriever_service_pb2.ProductDigest(id=key, digest=content_digest(self.products[key]))
                for key in left[:7]
            ],
            next_page_token=left[6] if len(left) > 7 else "",
        )

    async def GetProduct(self, request: Any, context: object) -> catalog_service_pb2.GetProductResponse:
        if request.id not in self.products:
            raise NotFound(f"there is no product {request.id!r}")
        return catalog_service_pb2.GetProductResponse(product=product_to_message(self.products[request.id]))

    def _written(self, message: Any) -> ItemOutcome:
        error: Any = self.refuse(message.id)
        if error is None:
            try:
                self.products[message.id] = checked_product(product_from_message(message))
                self.written += 1
            except InvalidArgument as wrong:
                error = wrong
        return ItemOutcome(message.id, error)

    async def has_received(self, requests: int) -> None:
        """Waits for that many requests."""
        async with self.came_in:
            await self.came_in.wait_for(lambda: len(self.requests) >= requests)


@pytest.fixture
async def shelf(start_server: Any) -> Shelf:
    """A catalogue on a free port, its gate open."""
    kept = Shelf()
    kept.gate.set()

    def add(server: grpc.aio.Server) -> Sequence[str]:
        catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(kept, server)
        return ["vitrine.v1.CatalogService"]

    kept.target = f"127.0.0.1:{(await start_server(add)).port}"
    return kept
