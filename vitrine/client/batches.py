"""Products of a source as requests: full ones while it gives, what there is when it pauses."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field

from vitrine.errors import VitrineError, invalid
from vitrine.server_settings import MAX_MESSAGE_BYTES
from vitrine.v1.catalog_service_pb2 import CatalogServiceUpsertProductsRequest
from vitrine.v1.product_pb2 import Product

_BATCH_BYTES = 1024 * 1024
# Room for the frame around a product in a request.
_MAX_PRODUCT_BYTES = MAX_MESSAGE_BYTES - 1024
_PAUSE_S = 0.05


@dataclass(slots=True)
class ProductBatch:
    """A request, or the refusal of one product that cannot travel."""

    request: CatalogServiceUpsertProductsRequest = field(default_factory=CatalogServiceUpsertProductsRequest)
    refusal: tuple[str, VitrineError] | None = None
    size: int = 0

    def takes(self, product: Product, most: int) -> bool:
        """Whether the product fits: an id goes into a batch once, so that the later one wins."""
        held = self.request.products
        return (
            len(held) < most
            and self.size + product.ByteSize() <= _BATCH_BYTES
            and all(other.id != product.id for other in held)
        )

    def add(self, product: Product) -> None:
        """Takes the product in."""
        self.request.products.append(product)
        self.size += product.ByteSize()


async def batched(
    products: AsyncIterable[Product] | Iterable[Product], batch_products: int
) -> AsyncGenerator[ProductBatch, None]:
    """The products in order. Raises InvalidArgument for a wrong `batch_products`, and what `products` raises, after
    what came before it.
    """
    if not 1 <= batch_products <= 500:
        raise invalid("batch_products", f"is {batch_products}; give 1 to 500")
    batch = ProductBatch()
    fault: Exception | None = None
    async with aclosing(_pauses(products) if isinstance(products, AsyncIterable) else _at_once(products)) as source:
        while True:
            try:
                product = await anext(source)
            except StopAsyncIteration:
                break
            except Exception as raised:
                fault = raised
                break
            if batch.request.products and (product is None or not batch.takes(product, batch_products)):
                yield batch
                batch = ProductBatch()
            if product is None:
                continue
            if (size := product.ByteSize()) <= _MAX_PRODUCT_BYTES:
                batch.add(product)
            else:
                error = invalid("product", f"has {size} bytes as a message; {_MAX_PRODUCT_BYTES} travel at most")
                yield ProductBatch(refusal=(product.id, error))
    if batch.request.products:
        yield batch
    if fault is not None:
        raise fault


async def _at_once(products: Iterable[Product]) -> AsyncGenerator[Product | None, None]:
    for product in products:
        yield product


async def _pauses(products: AsyncIterable[Product]) -> AsyncGenerator[Product | None, None]:
    """The products, and None where the next one is some time in coming."""
    iterator = aiter(products)
    coming: asyncio.Future[Product] | None = None
    try:
        while True:
            coming = asyncio.ensure_future(anext(iterator))
            done, _ = await asyncio.wait({coming}, timeout=_PAUSE_S)
            if not done:
                yield None
            try:
                yield await coming
            except StopAsyncIteration:
                return
    finally:
        if coming is not None:
            # Waited for, so that whoever gave the products may close them at once.
            coming.cancel()
            await asyncio.wait({coming})
            if not coming.cancelled():
                coming.exception()  # it has been raised above, or nobody waits for it
