"""What the engine of every backend does alike: admission of calls, writes, and reads by id, over the catalogue."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Protocol, Self, TypeVar

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from services.retriever.catalogue import Catalogue
from services.retriever.filters import FilterPlan, plan_of
from services.retriever.products import Products
from services.retriever.settings import RetrieverSettings
from services.retriever.views import Prepared, prepared
from services.retriever.writer import Write, Writer, Written
from vitrine.compute import thread_quota
from vitrine.deadline import Deadline
from vitrine.errors import (
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
    VitrineError,
    invalid,
)
from vitrine.ports import ItemOutcome, ProductFilter, ProductsFound, WriteResult
from vitrine.product import Product, checked_product
from vitrine.vectors import FloatArray, l2_normalized

MAX_PRODUCTS = 500
MAX_IDS = 1_000

T = TypeVar("T")


class SeenRevision(Protocol):
    """What readers see of the catalogue: its state at one revision."""

    @property
    def revision(self) -> int:
        """The revision that is seen."""
        ...

    def rows_of(self, ids: Sequence[str]) -> dict[str, int]:
        """Row keys of those ids that are known without asking the catalogue."""
        ...


Seen = TypeVar("Seen", bound=SeenRevision)


class CatalogueEngine(Generic[Seen]):
    """Keeps the catalogue; a backend adds how it is searched.

    A catalogue takes the model of its first write; every later vector has to come from the same one. Once its last
    product is deleted it is free again for another. `_snapshot` is what readers see, replaced by the writer.
    """

    _snapshot: Seen
    _writer: Writer

    def __init__(self, settings: RetrieverSettings, catalogue: Catalogue) -> None:
        self._settings = settings
        self._threads = settings.threads or thread_quota()
        self._catalogue = catalogue
        self._products = Products(self._catalogue, settings.product_cache)
        self._places = threading.BoundedSemaphore(self._threads + settings.queue)
        # OpenMP counts threads for each calling thread, numpy's BLAS for the process: one for each search, so that
        # searches do not fight. Threads of BLAS that wait for a small product spin, and took most of a call's time.
        threadpool_limits(1, user_api="blas")
        self._searchers = ThreadPoolExecutor(self._threads, "retriever-search", faiss.omp_set_num_threads, (1,))
        self._preparer = ThreadPoolExecutor(1, "retriever-prepare", faiss.omp_set_num_threads, (1,))
        self._preparing = 0
        self._closed = False

    @classmethod
    async def open(cls, settings: RetrieverSettings) -> Self:
        """Opens the catalogue and its indexes. Raises FailedPrecondition when one of them is in use or unreadable."""
        return await asyncio.to_thread(cls._opened, settings)

    @classmethod
    def _opened(cls, settings: RetrieverSettings) -> Self:
        catalogue = Catalogue(settings.data_dir)
        try:
            return cls(settings, catalogue)
        except BaseException:
            catalogue.close()
            raise

    async def upsert_products(
        self, products: Sequence[Product], vectors: FloatArray, *, model_digest: str, deadline: Deadline
    ) -> WriteResult:
        """Writes 1 to 500 products with their (n, dim) vectors; of an id given twice the last one stays."""
        check_product_count(len(products))
        if vectors.ndim != 2 or len(vectors) != len(products) or not vectors.shape[1]:
            raise invalid("vectors", f"has shape {vectors.shape}; send one vector for each of {len(products)} products")
        if not model_digest:
            raise invalid("model_digest", "is empty; name the model that made the vectors")
        self._refuse_closed()
        items = await self._prepared(products, vectors, deadline)
        ready = [item for item in items if isinstance(item, Prepared)]
        revision = self._snapshot.revision
        if ready:
            written = await self._written(Write(deadline, products=ready, model_digest=model_digest))
            revision = written.revision
        outcomes = (
            ItemOutcome(product.id, item if isinstance(item, VitrineError) else None)
            for product, item in zip(products, items, strict=True)
        )
        return WriteResult(tuple(outcomes), revision)

    async def delete_products(self, ids: Sequence[str], *, deadline: Deadline) -> WriteResult:
        """Deletes 1 to 1,000 products; NotFound in the outcome of an unknown id."""
        _check_ids(ids)
        written = await self._written(Write(deadline, deleted_ids=ids))
        unknown = {product_id: NotFound(f"there is no product {product_id!r}") for product_id in written.unknown_ids}
        outcomes = tuple(ItemOutcome(product_id, unknown.get(product_id)) for product_id in ids)
        return WriteResult(outcomes, written.revision)

    async def get_products(
        self,
        ids: Sequence[str],
        *,
        deadline: Deadline,
        with_description: bool = False,
        filter: ProductFilter | None = None,
    ) -> ProductsFound:
        """Reads 1 to 1,000 products by id; one named twice is there twice."""
        _check_ids(ids)
        plan = FilterPlan() if filter is None else plan_of(filter)

        def read() -> ProductsFound:
            snapshot = self._snapshot
            rows = self._rows_of(ids, snapshot)
            products = self._products.read(list(rows.values()), with_description)
            found = {product_id: products[row] for product_id, row in rows.items() if plan.matches(products[row])}
            return ProductsFound(
                products=tuple(found[product_id] for product_id in ids if product_id in found),
                missing_ids=tuple(product_id for product_id in dict.fromkeys(ids) if product_id not in found),
                revision=snapshot.revision,
            )

        return await self._search(deadline, read)

    async def close(self) -> None:
        """Finishes what waits, ends the threads and gives the catalogue back; a second time it does nothing."""
        closed, self._closed = self._closed, True
        if closed:
            return

        def close() -> None:
            self._searchers.shutdown()
            self._preparer.shutdown()
            self._close_searches()
            self._writer.close()
            self._catalogue.close()

        await asyncio.to_thread(close)

    def _close_searches(self) -> None:
        """Ends what searches besides the threads; before the writer ends."""

    def _rows_of(self, ids: Sequence[str], snapshot: Seen) -> dict[str, int]:
        """Row keys of the ids that lived at the snapshot's revision."""
        rows = snapshot.rows_of(ids)
        others = [product_id for product_id in dict.fromkeys(ids) if product_id not in rows]
        return rows | dict(self._catalogue.rows_at(others, snapshot.revision)) if others else rows

    async def _search(self, deadline: Deadline, work: Callable[[], T]) -> T:
        self._refuse_closed()
        if not self._places.acquire(blocking=False):
            raise ResourceExhausted(f"{self._settings.queue} searches wait already", retry_after_s=0.5)
        future = self._searchers.submit(_unless_late, deadline, work)
        # Also called for one that was cancelled before it began.
        future.add_done_callback(lambda _: self._places.release())
        return await _answer(future, deadline, "the search")

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Unavailable("the retriever is shutting down")

    async def _prepared(
        self, products: Sequence[Product], vectors: FloatArray, deadline: Deadline
    ) -> list[Prepared | VitrineError]:
        if self._preparing >= self._settings.write_queue:
            raise ResourceExhausted(f"{self._preparing} writes wait already; send fewer at once", retry_after_s=1.0)
        self._preparing += 1
        try:
            return await _answer(self._preparer.submit(_prepare, products, vectors, deadline), deadline, "the write")
        finally:
            self._preparing -= 1

    async def _written(self, write: Write) -> Written:
        return await _answer(self._writer.submit(write), write.deadline, "the write")


def check_product_count(count: int) -> None:
    """Raises InvalidArgument for more or fewer products than one write may hold."""
    if not 1 <= count <= MAX_PRODUCTS:
        raise invalid("products", f"has {count} entries; send 1 to {MAX_PRODUCTS}")


def _unless_late(deadline: Deadline, work: Callable[[], T]) -> T:
    deadline.check("the search")
    return work()


async def _answer(future: "Future[T]", deadline: Deadline, what: str) -> T:
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), max(0.0, deadline.remaining_s()))
    except TimeoutError:
        raise DeadlineExceeded(f"no time left for {what}") from None


def _prepare(products: Sequence[Product], vectors: FloatArray, deadline: Deadline) -> list[Prepared | VitrineError]:
    deadline.check("the write")
    normalized = l2_normalized(vectors)
    items: list[Prepared | VitrineError] = []
    for index, product in enumerate(products):
        try:
            if not np.isfinite(vectors[index]).all() or not vectors[index].any():
                raise invalid("vector", "is all zeros or not finite; embed the product again")
            items.append(prepared(checked_product(product), normalized[index]))
        except InvalidArgument as error:
            items.append(error)
    return items


def _check_ids(ids: Sequence[str]) -> None:
    if not 1 <= len(ids) <= MAX_IDS:
        raise invalid("ids", f"has {len(ids)} entries; send 1 to {MAX_IDS}")
    for index, product_id in enumerate(ids):
        if not product_id:
            raise invalid(f"ids[{index}]", "is empty")
