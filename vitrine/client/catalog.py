"""The shop's products: read, written, deleted."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from vitrine.client.batches import ProductBatch, batched
from vitrine.client.calls import Calls, Method
from vitrine.client.delivery import Batch, Delivery, Patience, Settled
from vitrine.errors import VitrineError, invalid
from vitrine.v1 import catalog_service_pb2 as pb
from vitrine.v1.product_pb2 import Product
from vitrine.v1.retriever_service_pb2 import Offer, ProductDigest

_GET = Method("CatalogService/GetProduct", pb.GetProductRequest, pb.GetProductResponse)
_DELETE = Method(
    "CatalogService/DeleteProducts", pb.CatalogServiceDeleteProductsRequest, pb.CatalogServiceDeleteProductsResponse
)
_UPDATE_OFFERS = Method("CatalogService/UpdateOffers", pb.UpdateOffersRequest, pb.UpdateOffersResponse)
_LIST_DIGESTS = Method("CatalogService/ListProductDigests", pb.ListProductDigestsRequest, pb.ListProductDigestsResponse)

Sent = TypeVar("Sent", bound=Batch)


@dataclass(frozen=True, slots=True)
class Upserted:
    """What became of a product: durable and searchable where `error` is None, else not written, and why.

    `index` is its place in the source, from 0; `revision` the catalogue's after the write.
    """

    index: int
    id: str
    error: VitrineError | None
    revision: int


class Catalog:
    """`client.catalog`: calls of CatalogService."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def get(self, product_id: str, *, timeout_s: float | None = None) -> Product:
        """One product with its description. Raises NotFound."""
        return (await self._calls.answer(_GET, pb.GetProductRequest(id=product_id), timeout_s)).product

    async def upsert(
        self,
        products: AsyncIterable[Product] | Iterable[Product],
        *,
        batch_products: int = 128,
        window: int = 4,
        patience: Patience | None = None,
    ) -> AsyncGenerator[Upserted, None]:
        """Writes products as they come, over one stream; an entry for each, in order, once it is settled.

        `window` batches of `batch_products` (at most 500) are under way at most, and no more is read from `products`
        while whoever iterates is behind. A stream that breaks is begun anew with what was not acknowledged: every
        product is settled once. A batch that is not full goes when the source pauses.

        Raises what no attempt mends, the last error when patience is over, or what `products` raises; all that was
        yielded by then is written, so that `index + 1` of the last entry says where to go on.
        """
        index = 0
        async with (
            aclosing(batched(products, batch_products)) as batches,
            aclosing(self.deliver(batches, window=window, patience=patience)) as delivered,
        ):
            async for settled in delivered:
                for product_id, error in _outcomes(settled):
                    yield Upserted(index, product_id, error, settled.revision)
                    index += 1

    def deliver(
        self, batches: AsyncIterator[Sent], *, window: int = 4, patience: Patience | None = None
    ) -> AsyncGenerator[Settled[Sent], None]:
        """As `upsert`, of requests that the caller makes: each batch once, in order, when it is settled.

        Raises InvalidArgument when there is no room for a batch.
        """
        if window < 1:
            raise invalid("window", f"is {window}; give 1 or more")
        return Delivery[Sent](self._calls, window=window, patience=patience or Patience()).run(batches)

    async def delete(
        self, ids: Sequence[str], *, timeout_s: float | None = None
    ) -> pb.CatalogServiceDeleteProductsResponse:
        """Deletes 1 to 1,000 products; NOT_FOUND in the outcome of an id that there is not."""
        return await self._calls.answer(_DELETE, pb.CatalogServiceDeleteProductsRequest(ids=ids), timeout_s)

    async def update_offers(
        self, offers: Sequence[Offer], *, timeout_s: float | None = None
    ) -> pb.UpdateOffersResponse:
        """Changes prices and availability of 1 to 1,000 products; NOT_FOUND in the outcome where there is none."""
        return await self._calls.answer(_UPDATE_OFFERS, pb.UpdateOffersRequest(offers=offers), timeout_s)

    async def digests(self, *, page_size: int = 10_000, timeout_s: float | None = None) -> AsyncIterator[ProductDigest]:
        """Every product's id with a digest of its content, by id; `timeout_s` is a page's."""
        token, is_last = "", False
        while not is_last:
            request = pb.ListProductDigestsRequest(page_token=token, page_size=page_size)
            page = await self._calls.answer(_LIST_DIGESTS, request, timeout_s)
            for digest in page.digests:
                yield digest
            token = page.next_page_token
            is_last = not token


def _outcomes(settled: Settled[ProductBatch]) -> Iterable[tuple[str, VitrineError | None]]:
    if settled.batch.refusal is not None:
        return [settled.batch.refusal]
    return zip((product.id for product in settled.batch.request.products), settled.errors, strict=True)
