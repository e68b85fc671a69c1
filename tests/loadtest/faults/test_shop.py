"""The shop that is searched while parts fail: what is never shown ends the waiting, by name."""

from typing import Any

import grpc.aio
import pytest

from loadtest.faults import shop as shop_module
from loadtest.faults.shop import fill, shop
from vitrine.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
)


class _Forgetful(catalog_service_pb2_grpc.CatalogServiceServicer, search_service_pb2_grpc.SearchServiceServicer):
    """Takes every product and finds none."""

    async def UpsertProducts(self, requests: Any, context: Any) -> Any:
        async for _ in requests:
            yield catalog_service_pb2.CatalogServiceUpsertProductsResponse()

    async def Search(self, request: Any, context: Any) -> Any:
        return search_service_pb2.SearchResponse()


async def test_a_product_that_is_never_shown_ends_the_waiting(
    start_server: Any, channel_to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop_module, "_SHOWN_S", 0.2)

    def add(server: grpc.aio.Server) -> list[str]:
        catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(_Forgetful(), server)
        search_service_pb2_grpc.add_SearchServiceServicer_to_server(_Forgetful(), server)
        return ["vitrine.v1.CatalogService", "vitrine.v1.SearchService"]

    products = shop(2)
    server = await start_server(add)
    with pytest.raises(TimeoutError, match=rf"{products[-1].id} was written, and within 0\.2 s 0 of 12 searches"):
        await fill(channel_to(server.port), products)
