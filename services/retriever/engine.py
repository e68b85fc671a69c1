"""The retriever's engine: catalogue, indexes and searches behind the Retriever port."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from services.retriever.catalogue import Catalogue
from services.retriever.filters import FilterPlan, plan_of
from services.retriever.graph_keeper import GraphKeeper
from services.retriever.lexical_memo import LexicalMemo
from services.retriever.products import Products
from services.retriever.recommender import Recommender
from services.retriever.related import related, vectors_of
from services.retriever.related_query import check_vector_ids, checked_related
from services.retriever.retrieval import checked_query, retrieve
from services.retriever.settings import RetrieverSettings
from services.retriever.similar import MAX_EXCLUDED, checked_similar, rows_of, similar, without
from services.retriever.snapshot import Snapshot
from services.retriever.views import Prepared, Views, prepared
from services.retriever.writer import Write, Writer, Written
from vitrine.compute import openmp_runtimes, thread_quota
from vitrine.deadline import Deadline
from vitrine.errors import (
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
    VitrineError,
    invalid,
)
from vitrine.ports import (
    BehaviourVectors,
    IndexInfo,
    ItemOutcome,
    ProductFilter,
    ProductsFound,
    Related,
    RelatedQuery,
    Retrieval,
    RetrievalQuery,
    Similar,
    SimilarQuery,
    WriteResult,
)
from vitrine.product import Product, checked_product
from vitrine.vectors import FloatArray, l2_normalized

MAX_PRODUCTS = 500
MAX_IDS = 1_000

T = TypeVar("T")


class RetrieverEngine:
    """Implements `vitrine.ports.Retriever`; made by `open`.

    A catalogue takes the model of its first write; every later vector has to come from the same one. Once its last
    product is deleted it is free again for another.
    """

    def __init__(self, settings: RetrieverSettings, catalogue: Catalogue) -> None:
        self._settings = settings
        threads = settings.threads or thread_quota()
        self._catalogue = catalogue
        self._products = Products(self._catalogue, settings.product_cache)
        self._memo = LexicalMemo(settings.lexical_memo)
        self._places = threading.BoundedSemaphore(threads + settings.queue)
        # OpenMP counts threads for each calling thread, numpy's BLAS for the process: one for each search, so that
        # searches do not fight. Threads of BLAS that wait for a small product spin, and took most of a call's time.
        threadpool_limits(1, user_api="blas")
        self._searchers = ThreadPoolExecutor(threads, "retriever-search", faiss.omp_set_num_threads, (1,))
        self._relations = ThreadPoolExecutor(threads, "retriever-relation", faiss.omp_set_num_threads, (1,))
        self._preparer = ThreadPoolExecutor(1, "retriever-prepare", faiss.omp_set_num_threads, (1,))
        self._snapshot: Snapshot
        self._preparing = 0
        self._closed = False
        state = self._catalogue.state()
        self._graphs = GraphKeeper(
            settings.data_dir,
            catalogue_id=state.catalogue_id,
            exact_rows=settings.exact_rows,
            threads=max(1, threads // 2),
            hand_over=lambda graph, alert: self._writer.adopt(graph, alert),
        )
        self._recommender = Recommender.open(Path(settings.recommender)) if settings.recommender else None
        if self._recommender is not None:
            self._recommender.require_model(state.model_digest, state.dim)
        views = Views(self._catalogue, settings.exact_rows, self._recommender)
        graph, alert = self._graphs.load(state.model_digest) if state.model_digest else (None, None)
        if graph is not None:
            views.adopt(graph)
        if alert:
            views.alerts["graph"] = alert
        if len(runtimes := openmp_runtimes()) > 1:
            views.alerts["openmp"] = f"several OpenMP runtimes are loaded, which fight for processors: {runtimes}"
        self._writer = Writer(self._catalogue, views, self._publish, queue=settings.write_queue)
        self._writer.start()

    @classmethod
    async def open(cls, settings: RetrieverSettings) -> "RetrieverEngine":
        """Opens the catalogue and makes its indexes.

        Raises FailedPrecondition when it is in use or unreadable, or the recommender is, or is of another model.
        """

        def opened() -> RetrieverEngine:
            catalogue = Catalogue(settings.data_dir)
            try:
                return cls(settings, catalogue)
            except BaseException:
                catalogue.close()
                raise

        return await asyncio.to_thread(opened)

    def _publish(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._graphs.consider(snapshot)

    async def retrieve(self, query: RetrievalQuery, *, deadline: Deadline) -> Retrieval:
        """Finds candidates by words, by vector, or by both fused."""
        checked, plan = checked_query(query)
        return await self._search(
            deadline,
            lambda: retrieve(
                self._snapshot,
                checked,
                plan,
                memo=self._memo,
                products=self._products,
                settings=self._settings,
                deadline=deadline,
            ),
        )

    async def retrieve_similar(self, query: SimilarQuery, *, deadline: Deadline) -> Similar:
        """Finds products near given ones, by the vectors that the catalogue keeps of them."""
        plan = checked_similar(query)
        named = [*(anchor.product_id for anchor in query.anchors), *query.excluded_ids]

        def found() -> Similar:
            snapshot = self._snapshot
            living = self._rows_of(named, snapshot)
            return similar(snapshot, query, plan, living, products=self._products, deadline=deadline)

        return await self._search(deadline, found)

    async def retrieve_related(self, query: RelatedQuery, *, deadline: Deadline) -> Related:
        """Finds products by what visitors did: near a history's vector, and related to its products."""
        checked, plan = checked_related(query)
        named = [*(anchor.product_id for anchor in query.anchors), *query.scored_ids, *query.excluded_ids]

        def found() -> Related:
            snapshot = self._snapshot
            living = self._rows_of(named, snapshot)
            return related(
                snapshot,
                self._recommender,
                checked,
                plan,
                living,
                products=self._products,
                threads=self._relations,
                deadline=deadline,
            )

        return await self._search(deadline, found)

    async def get_behaviour_vectors(self, ids: Sequence[str], *, deadline: Deadline) -> BehaviourVectors:
        """Reads the behaviour vectors of 1 to 200 products, each once."""
        check_vector_ids(ids)

        def read() -> BehaviourVectors:
            snapshot = self._snapshot
            return vectors_of(snapshot, self._recommender, ids, self._rows_of(ids, snapshot))

        return await self._search(deadline, read)

    async def list_newest_products(
        self, limit: int, *, deadline: Deadline, filter: ProductFilter, excluded_ids: Sequence[str] = ()
    ) -> tuple[Product, ...]:
        """Reads 1 to 1,000 products that match, those written last first."""
        plan = plan_of(filter)
        if not 1 <= limit <= MAX_IDS:
            raise invalid("limit", f"is {limit}; ask for 1 to {MAX_IDS}")
        if len(excluded_ids) > MAX_EXCLUDED:
            raise invalid("excluded_ids", f"has {len(excluded_ids)} entries; at most {MAX_EXCLUDED} are allowed")

        def read() -> tuple[Product, ...]:
            snapshot = self._snapshot
            columns = snapshot.columns
            excluded = columns.positions_of(rows_of(excluded_ids, self._rows_of(excluded_ids, snapshot)))
            # Row keys grow with each write, and columns are in their order.
            newest = np.flatnonzero(without(columns.allowed(plan), excluded))[: -limit - 1 : -1]
            rows = columns.rows[newest].tolist()
            products = self._products.read(rows, False)
            return tuple(products[row] for row in rows)

        return await self._search(deadline, read)

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

    async def get_index(self, *, deadline: Deadline) -> IndexInfo:
        """Describes the index that is served; answers whatever the load."""
        snapshot = self._snapshot
        alerts = snapshot.alerts if self._writer.fault is None else (*snapshot.alerts, self._writer.fault)
        return IndexInfo(
            products=snapshot.columns.living,
            revision=snapshot.revision,
            model_digest=snapshot.model_digest,
            dim=snapshot.dim,
            kind=snapshot.dense.kind,
            tombstones=len(snapshot.columns.rows) - snapshot.columns.living,
            update_time_s=snapshot.update_time_s,
            alerts=alerts,
            recommender_digest=snapshot.recommender_digest,
        )

    async def self_test(self) -> None:
        """Searches for a product that is there by its own vector. Raises Internal when it is not found."""
        if self._writer.fault is not None:
            raise Internal(self._writer.fault)
        await asyncio.to_thread(self._find_itself, self._snapshot)

    def _find_itself(self, snapshot: Snapshot) -> None:
        self._catalogue.state()
        living = np.flatnonzero(snapshot.columns.alive)
        if not len(living):
            return
        vector = snapshot.columns.vectors[living[-1]]
        _, cosines = snapshot.dense.search(vector, snapshot.columns.alive, 1)
        if not len(cosines) or not cosines[0] > 0.999:
            raise Internal(f"the newest product is not found by its own vector (cosine {cosines})")

    async def close(self) -> None:
        """Finishes what waits, ends the threads and gives the catalogue back; a second time it does nothing."""
        closed, self._closed = self._closed, True
        if closed:
            return

        def close() -> None:
            self._searchers.shutdown()
            self._relations.shutdown()
            self._preparer.shutdown()
            self._graphs.close()
            self._writer.close()
            self._catalogue.close()

        await asyncio.to_thread(close)

    def _rows_of(self, ids: Sequence[str], snapshot: Snapshot) -> dict[str, int]:
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
