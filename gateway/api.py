"""The public calls, message in and message out, the same for gRPC and HTTP."""

from gateway.catalog import Catalog
from gateway.messages import answer_to_message, search_from_message
from gateway.pipeline import SearchPipeline
from vitrine.deadline import Deadline
from vitrine.errors import InvalidArgument
from vitrine.messages.common import outcome_to_message
from vitrine.messages.product import product_from_message, product_to_message
from vitrine.ports import ItemOutcome, WriteResult
from vitrine.product import Product
from vitrine.v1 import catalog_service_pb2, common_pb2, product_pb2, search_service_pb2


class Api:
    """SearchService and CatalogService over the engine; every method raises the errors of `vitrine.errors`."""

    def __init__(self, pipeline: SearchPipeline, catalog: Catalog) -> None:
        self.pipeline = pipeline
        self.catalog = catalog

    async def search(
        self, request: search_service_pb2.SearchRequest, deadline: Deadline
    ) -> search_service_pb2.SearchResponse:
        """Finds products for a query."""
        answer = await self.pipeline.search(search_from_message(request), deadline=deadline)
        return answer_to_message(answer, with_description=request.with_description)

    async def upsert_products(
        self, request: catalog_service_pb2.CatalogServiceUpsertProductsRequest, deadline: Deadline
    ) -> catalog_service_pb2.CatalogServiceUpsertProductsResponse:
        """Writes the products of one request; on return they are durable and searchable."""
        items = [_item(index, message) for index, message in enumerate(request.products)]
        written = await self.catalog.upsert_products(items, deadline=deadline)
        return catalog_service_pb2.CatalogServiceUpsertProductsResponse(
            outcomes=_outcomes(written), revision=written.revision
        )

    async def delete_products(
        self, request: catalog_service_pb2.CatalogServiceDeleteProductsRequest, deadline: Deadline
    ) -> catalog_service_pb2.CatalogServiceDeleteProductsResponse:
        """Deletes products by id."""
        written = await self.catalog.delete_products(list(request.ids), deadline=deadline)
        return catalog_service_pb2.CatalogServiceDeleteProductsResponse(
            outcomes=_outcomes(written), revision=written.revision
        )

    async def get_product(
        self, request: catalog_service_pb2.GetProductRequest, deadline: Deadline
    ) -> catalog_service_pb2.GetProductResponse:
        """Reads one product."""
        product = await self.catalog.get_product(request.id, deadline=deadline)
        return catalog_service_pb2.GetProductResponse(product=product_to_message(product))


def _item(index: int, message: product_pb2.Product) -> Product | ItemOutcome:
    try:
        return product_from_message(message)
    except InvalidArgument as error:
        return ItemOutcome(message.id, error.within(f"products[{index}]"))


def _outcomes(written: WriteResult) -> list[common_pb2.ItemOutcome]:
    return [outcome_to_message(index, outcome) for index, outcome in enumerate(written.outcomes)]
