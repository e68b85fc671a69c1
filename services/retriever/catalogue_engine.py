"""What the engine of every backend does alike: admission of calls, writes, and reads by id, over the catalogue."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from services.retriever.catalogue import Catalogue
from services.retriever.filters import FilterPlan, plan_of
from services.retriever.metrics import WAIT_SECONDS
from services.retriever.places import Places
from services.retriever.prepared import Prepared, prepared_of
from services.retriever.preparers import Preparers
from services.retriever.product_digests import checked_page, page_of
from services.retriever.products import Products
from services.retriever.releases.store import Releases
from services.retriever.settings import RetrieverSettings
from services.retriever.similar import MAX_EXCLUDED
from services.retriever.staging import Write, Written
from services.retriever.texts import Texts
from services.retriever.writer import Writer
from vitrine.compute import thread_quota
from vitrine.deadline import Deadline
from vitrine.errors import (
    DeadlineExceeded,
    ResourceExhausted,
    Unavailable,
    VitrineError,
    invalid,
)
from vitrine.offer import Offer
from vitrine.ports import (
    KEEP_VECTOR,
    DigestPage,
    ItemOutcome,
    ProductFilter,
    ProductsFound,
    WriteResult,
    check_vector_index,
)
from vitrine.product import Product
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
    _writer: Writer[Any]

    def __init__(self, settings: RetrieverSettings, catalogue: Catalogue) -> None:
        self._settings = settings
        self._threads = settings.threads or thread_quota()
        self._catalogue = catalogue
        self._products = Products(self._catalogue, settings.product_cache)
        self.releases = Releases(self._catalogue)
        self._places = Places(self._threads + settings.queue)
        # OpenMP counts threads for each calling thread, numpy's BLAS for the process: one for each search, so that
        # searches do not fight. Threads of BLAS that wait for a small product spin, and took most of a call's time.
        threadpool_limits(1, user_api="blas")
        self._searchers = ThreadPoolExecutor(self._threads, "retriever-search", faiss.omp_set_num_threads, (1,))
        self._preparers = Preparers(settings.preparing_processes)
        self._preparing = 0
        self._closed = False

    @classmethod
    async def open(cls, settings: RetrieverSettings) -> Self:
        """Opens the catalogue and its indexes. Raises FailedPrecondition when one of them is in use or unreadable."""
        return await asyncio.to_thread(cls._opened, settings)

    @classmethod
    def _opened(cls, settings: RetrieverSettings) -> Self:
        catalogue = Catalogue(settings.data_dir, settings.catalogue_url)
        try:
            return cls(settings, catalogue)
        except BaseException:
            catalogue.close()
            raise

    async def upsert_products(
        self,
        products: Sequence[Product],
        vectors: FloatArray,
        *,
        model_digest: str,
        deadline: Deadline,
        vector_index: Sequence[int] | None = None,
        further: Mapping[str, FloatArray] | None = None,
    ) -> WriteResult:
        """Writes 1 to 500 products with their (n, dim) vectors; of an id given twice the last one stays.

        `vector_index` names the row of each product's vector; unset: in order. With KEEP_VECTOR the product keeps the
        vector of the version that lives: FailedPrecondition TEXT_CHANGED in its outcome where that is of other words.
        """
        check_product_count(len(products))
        index = range(len(products)) if vector_index is None else vector_index
        if vectors.ndim != 2 or (vector_index is None and len(vectors) != len(products)):
            raise invalid("vectors", f"has shape {vectors.shape}; send one vector for each of {len(products)} products")
        check_vector_index(index, len(products), len(vectors))
        if not model_digest:
            raise invalid("model_digest", "is empty; name the model that made the vectors")
        self._refuse_closed()
        items = await self._prepared(products, _Vectors.of(vectors, further or {}), index, deadline)
        ready = [item for item in items if isinstance(item, Prepared)]
        written = Written(self._snapshot.revision)
        if ready:
            written = await self._written(Write(deadline, products=ready, model_digest=model_digest))
        outcomes = (
            ItemOutcome(product.id, item if isinstance(item, VitrineError) else written.errors.get(product.id))
            for product, item in zip(products, items, strict=True)
        )
        return WriteResult(tuple(outcomes), written.revision)

    async def delete_products(self, ids: Sequence[str], *, deadline: Deadline) -> WriteResult:
        """Deletes 1 to 1,000 products; NotFound in the outcome of an unknown id."""
        _check_ids(ids)
        written = await self._written(Write(deadline, deleted_ids=ids))
        return WriteResult(tuple(ItemOutcome(i, written.errors.get(i)) for i in ids), written.revision)

    async def update_offers(self, offers: Sequence[Offer], *, deadline: Deadline) -> WriteResult:
        """Changes the offers of 1 to 1,000 products; of an id given twice the last one stays.

        In the outcomes NotFound for an unknown id, and InvalidArgument for an offer that the product cannot have.
        """
        check_offer_count(len(offers))
        written = await self._written(Write(deadline, offers=offers))
        return WriteResult(tuple(ItemOutcome(o.id, written.errors.get(o.id)) for o in offers), written.revision)

    async def list_product_digests(self, page_token: str, page_size: int, *, deadline: Deadline) -> DigestPage:
        """Lists 1 to 10,000 products by id with the digests of their content."""
        after = checked_page(page_token, page_size)
        return await self._search(deadline, lambda: page_of(self._catalogue, after, page_size))

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

    async def get_version(self, *, deadline: Deadline) -> str:
        """See `vitrine.ports.Retriever.get_version`; of a backend that does not say more, it is not known."""
        return ""

    async def close(self) -> None:
        """Finishes what waits, ends the threads and gives the catalogue back; a second time it does nothing."""
        closed, self._closed = self._closed, True
        if closed:
            return

        def close() -> None:
            self._searchers.shutdown()
            self._close_searches()
            self._writer.close()
            self._catalogue.close()

        await self._preparers.close()
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
        if not self._places.take():
            raise ResourceExhausted(f"{self._settings.queue} searches wait already", retry_after_s=0.5)
        # With the caller's context, in which spans of what is searched hang.
        future = self._searchers.submit(copy_context().run, _unless_late, deadline, work, time.perf_counter())
        # Also called for one that was cancelled before it began.
        future.add_done_callback(lambda _: self._places.leave())
        return await _answer(future, deadline, "the search")

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Unavailable("the retriever is shutting down")

    async def _prepared(
        self, products: Sequence[Product], vectors: "_Vectors", index: Sequence[int], deadline: Deadline
    ) -> list[Prepared | VitrineError]:
        if self._preparing >= self._settings.write_queue:
            raise ResourceExhausted(f"{self._preparing} writes wait already; send fewer at once", retry_after_s=1.0)
        self._preparing += 1
        try:
            parts = await _in_time(self._preparers.prepare(products, deadline), deadline, "the write")
            return await asyncio.to_thread(_with_vectors, parts, vectors, index)
        finally:
            self._preparing -= 1

    async def _written(self, write: Write) -> Written:
        return await _answer(self._writer.submit(write), write.deadline, "the write")


@dataclass(frozen=True, slots=True)
class _Vectors:
    """The vectors of a write, (m, dim) each: those of the catalogue's own model, and by further models' digests."""

    own: FloatArray
    further: Mapping[str, FloatArray]

    @classmethod
    def of(cls, own: FloatArray, further: Mapping[str, FloatArray]) -> "_Vectors":
        """Raises InvalidArgument where models have not as many vectors."""
        for digest, vectors in further.items():
            if vectors.ndim != 2 or len(vectors) != len(own):
                raise invalid("further", f"has vectors of shape {vectors.shape} of {digest}; send {len(own)} of them")
        return cls(own, further)


def check_product_count(count: int) -> None:
    """Raises InvalidArgument for more or fewer products than one write may hold."""
    if not 1 <= count <= MAX_PRODUCTS:
        raise invalid("products", f"has {count} entries; send 1 to {MAX_PRODUCTS}")


def check_offer_count(count: int) -> None:
    """Raises InvalidArgument for more or fewer offers than one write may hold."""
    if not 1 <= count <= MAX_IDS:
        raise invalid("offers", f"has {count} entries; send 1 to {MAX_IDS}")


def _unless_late(deadline: Deadline, work: Callable[[], T], submitted_s: float) -> T:
    WAIT_SECONDS.observe(time.perf_counter() - submitted_s)
    deadline.check("the search")
    return work()


async def _answer(future: "Future[T]", deadline: Deadline, what: str) -> T:
    return await _in_time(asyncio.wrap_future(future), deadline, what)


async def _in_time(answer: Awaitable[T], deadline: Deadline, what: str) -> T:
    try:
        async with asyncio.timeout(max(0.0, deadline.remaining_s())):
            return await answer
    except TimeoutError:
        raise DeadlineExceeded(f"no time left for {what}") from None


def _with_vectors(parts: Sequence[Texts], vectors: "_Vectors", index: Sequence[int]) -> list[Prepared | VitrineError]:
    """The products with their vectors, and what is wrong with the others, in their order."""
    normalized = l2_normalized(vectors.own)
    further = {digest: l2_normalized(one) for digest, one in vectors.further.items()}
    both = (vectors.own, *further.values())
    right = np.logical_and.reduce([np.isfinite(one).all(axis=1) & one.any(axis=1) for one in both])
    rows = iter(index)
    items: list[Prepared | VitrineError] = []
    for item in (item for texts in parts for item in prepared_of(texts)):
        row = next(rows)
        if isinstance(item, Prepared) and row != KEEP_VECTOR:
            if not right[row]:
                items.append(invalid("vector", "is all zeros or not finite; embed the product again"))
                continue
            item.vector, item.further = normalized[row], {digest: one[row] for digest, one in further.items()}
        items.append(item)
    return items


def _check_ids(ids: Sequence[str]) -> None:
    if not 1 <= len(ids) <= MAX_IDS:
        raise invalid("ids", f"has {len(ids)} entries; send 1 to {MAX_IDS}")
    for index, product_id in enumerate(ids):
        if not product_id:
            raise invalid(f"ids[{index}]", "is empty")


def check_newest(limit: int, excluded_ids: Sequence[str]) -> None:
    """Raises InvalidArgument for a list of the newest that is too short, too long, or leaves out too many."""
    if not 1 <= limit <= MAX_IDS:
        raise invalid("limit", f"is {limit}; ask for 1 to {MAX_IDS}")
    if len(excluded_ids) > MAX_EXCLUDED:
        raise invalid("excluded_ids", f"has {len(excluded_ids)} entries; at most {MAX_EXCLUDED} are allowed")
