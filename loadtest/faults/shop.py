"""A small shop to search in while parts fail."""

from collections.abc import Sequence

import grpc.aio

from cli.sample.products import Shop
from vitrine.messages.product import product_to_message
from vitrine.product import Product
from vitrine.v1 import catalog_service_pb2, catalog_service_pb2_grpc

_AT_ONCE = 50


def shop(count: int) -> list[Product]:
    """Products of the sample shop, in both languages."""
    made = Shop(products=count, seed=1)
    return [made.product(number) for number in range(count)]


async def fill(channel: grpc.aio.Channel, products: Sequence[Product]) -> None:
    """Writes them. Raises ValueError when one is refused."""
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
