"""A small shop to search in while parts fail."""

import asyncio
from collections.abc import Sequence
from itertools import count

import grpc.aio

from cli.sample.products import Shop
from vitrine.messages.product import product_to_message
from vitrine.product import Product
from vitrine.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
)

_AT_ONCE = 50
_AT_A_TIME = 12
_SHOWN_S = 120.0


def shop(count: int) -> list[Product]:
    """Products of the sample shop, in both languages."""
    made = Shop(products=count, seed=1)
    return [made.product(number) for number in range(count)]


async def fill(channel: grpc.aio.Channel, products: Sequence[Product]) -> None:
    """Writes them, and waits until every retriever shows them.

    Raises ValueError when one is refused, and TimeoutError when the last one is not shown within two minutes.
    """
    stub = catalog_service_pb2_grpc.CatalogServiceStub(channel)
    requests = (
        catalog_service_pb2.CatalogServiceUpsertProductsRequest(
            products=map(product_to_message, products[first : first + _AT_ONCE])
        )
        for first in range(0, len(products), _AT_ONCE)
    )
    async for answer in stub.UpsertProducts(iter(requests), timeout=120):
        for outcome in answer.outcomes:
            if outcome.status.code:
                raise ValueError(f"the sample shop is refused: {outcome.status.message}")
    await _shown(channel, products[-1])


async def _shown(channel: grpc.aio.Channel, product: Product) -> None:
    """Waits until some searches at once all find a product: they go round gateways and retrievers, and those that did
    not write it follow a moment later. One by one each gateway would ask the same retriever for candidates: it asks
    twice a search, first by the words alone."""
    stub = search_service_pb2_grpc.SearchServiceStub(channel)
    numbers = count()

    async def finds(number: int) -> bool:
        request = search_service_pb2.SearchRequest(query=f"{product.title} new {number}", page_size=50, rank_depth=0)
        answer = await stub.Search(request, timeout=60)
        return product.id in {result.product.id for result in answer.results}

    found = 0
    try:
        async with asyncio.timeout(_SHOWN_S):
            while found < _AT_A_TIME:
                found = sum(await asyncio.gather(*(finds(next(numbers)) for _ in range(_AT_A_TIME))))
    except TimeoutError:
        raise TimeoutError(
            f"{product.id} was written, and within {_SHOWN_S:g} s {found} of {_AT_A_TIME} searches at once find it; "
            "the retrievers' logs say why"
        ) from None
