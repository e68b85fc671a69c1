"""The retriever's engine over Milvus: the catalogue stays the truth, and Milvus is searched in its place."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from services.retriever.catalogue import Catalogue
from services.retriever.catalogue_engine import CatalogueEngine, check_newest
from services.retriever.filters import FilterPlan, plan_of
from services.retriever.index_version import IndexVersion
from services.retriever.metrics import show_index
from services.retriever.milvus.connection import Milvus
from services.retriever.milvus.generations import MilvusGenerations
from services.retriever.milvus.newest import newest_rows
from services.retriever.milvus.related import related, vectors_of
from services.retriever.milvus.retrieval import retrieve
from services.retriever.milvus.search import near
from services.retriever.milvus.similar import similar
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.milvus.term_index import Counts
from services.retriever.recommender import Recommender
from services.retriever.related_query import check_vector_ids, checked_related
from services.retriever.releases.generation_views import GenerationViews, Published
from services.retriever.releases.store import Releases
from services.retriever.releases.vectors import kept_models
from services.retriever.retrieval import check_model, checked_query
from services.retriever.rule_book import RuleBook
from services.retriever.settings import RetrieverSettings
from services.retriever.similar import checked_similar
from services.retriever.suggest.search import check_suggest, suggest
from services.retriever.writer import Writer
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, Internal
from vitrine.ports import (
    BehaviourVectors,
    IndexInfo,
    ProductFilter,
    Related,
    RelatedQuery,
    Retrieval,
    RetrievalQuery,
    Similar,
    SimilarQuery,
    Suggestions,
    SuggestQuery,
)
from vitrine.product import Product

# What others wrote to a shared catalogue has reached every retriever by then.
_GRACE_S = 5.0
_SELF_TEST_S = 10.0
_KEPT_COUNTS = 50_000
# Besides text and words: a Milvus server takes four fields of vectors, if it is not told otherwise.
MAX_RECOMMENDERS = 2


class MilvusEngine(CatalogueEngine[MilvusSnapshot]):
    """Implements `vitrine.ports.Retriever` over a Milvus server; made by `open`."""

    _published: Published[MilvusSnapshot]

    def __init__(self, settings: RetrieverSettings, catalogue: Catalogue) -> None:
        super().__init__(settings, catalogue)
        folders = [folder for folder in (settings.recommender, *settings.further_recommenders) if folder]
        if len(folders) > MAX_RECOMMENDERS:
            raise FailedPrecondition(
                f"the backend milvus serves {MAX_RECOMMENDERS} recommenders and"
                f" VITRINE_RETRIEVER_FURTHER_RECOMMENDERS makes them {len(folders)}; name fewer, or choose faiss"
            )
        self._recommenders = [Recommender.open(Path(folder)) for folder in folders]
        state = catalogue.state()
        further = {kept.model_digest for kept in catalogue.read(kept_models)}
        for recommender in self._recommenders[:1]:
            if recommender.manifest.embedder_digest not in further:
                recommender.require_model(state.model_digest, state.dim)
        self._worders = ThreadPoolExecutor(self._threads, "retriever-words")
        self._rule_book = RuleBook(settings.rules)
        self._counts = Counts(_KEPT_COUNTS)
        self._version = IndexVersion()
        self._milvus = Milvus(settings)
        try:
            grace_s = _GRACE_S if settings.catalogue_url else 0.0
            self._generations = MilvusGenerations(
                catalogue, self._milvus, self._recommenders, settings.data_dir, grace_s
            )
            views = GenerationViews(catalogue, self._generations.own(), self._generations.opened())
        except BaseException:
            self._milvus.close()
            raise
        self.releases = Releases(catalogue, self._generations)
        self._writer = Writer(
            catalogue, views, self._publish, queue=settings.write_queue, poll_s=settings.catalogue_poll_s
        )
        self._writer.start()
        self._generations.start(self._writer)

    def _publish(self, published: Published[MilvusSnapshot]) -> None:
        self._published, self._snapshot = published, published.own
        self._generations.consider(published)
        self._version.published()

    def _close_searches(self) -> None:
        self._worders.shutdown()
        self._generations.close()

    async def close(self) -> None:
        """See `CatalogueEngine.close`; ends the connection to Milvus, too."""
        await super().close()
        await asyncio.to_thread(self._milvus.close)

    async def retrieve(self, query: RetrievalQuery, *, deadline: Deadline) -> Retrieval:
        """Finds candidates by words, by vector, or by both fused."""
        checked, plan = checked_query(query)

        def found() -> Retrieval:
            # First: what is read after it may be newer than it says, never older.
            version = self._version_of(self._rule_book.version_read())
            snapshot = self._generations.of(checked.model_digest)
            check_model(snapshot.model_digest, snapshot.dim, checked)
            retrieval = retrieve(
                snapshot,
                checked,
                plan,
                rules=self._rule_book.current(),
                counts=self._counts,
                products=self._products,
                settings=self._settings,
                threads=self._worders,
                deadline=deadline,
            )
            return replace(retrieval, version=version)

        return await self._search(deadline, found)

    async def retrieve_similar(self, query: SimilarQuery, *, deadline: Deadline) -> Similar:
        """Finds products near given ones, by the vectors that Milvus keeps of them."""
        plan = checked_similar(query)

        def found() -> Similar:
            snapshot = self._generations.of(query.model_digest)
            living = self._rows_of([anchor.product_id for anchor in query.anchors], snapshot)
            return similar(snapshot, query, plan, living, products=self._products, deadline=deadline)

        return await self._search(deadline, found)

    async def retrieve_related(self, query: RelatedQuery, *, deadline: Deadline) -> Related:
        """Finds products by what visitors did: near a history's vector, and related to its products."""
        checked, plan = checked_related(query)

        def found() -> Related:
            snapshot = self._published.with_recommender(checked.recommender_digest)
            return related(
                snapshot,
                self._recommenders,
                checked,
                plan,
                lambda ids: self._rows_of(ids, snapshot),
                products=self._products,
                threads=self._worders,
                deadline=deadline,
            )

        return await self._search(deadline, found)

    async def get_behaviour_vectors(
        self, ids: Sequence[str], *, deadline: Deadline, recommender_digest: str = ""
    ) -> BehaviourVectors:
        """Reads 1 to 200 products, each once, and their behaviour vectors."""
        check_vector_ids(ids)

        def read() -> BehaviourVectors:
            snapshot = self._published.with_recommender(recommender_digest)
            living = self._rows_of(ids, snapshot)
            return vectors_of(
                snapshot,
                self._recommenders,
                recommender_digest,
                ids,
                living,
                products=self._products,
                deadline=deadline,
            )

        return await self._search(deadline, read)

    async def list_newest_products(
        self, limit: int, *, deadline: Deadline, filter: ProductFilter, excluded_ids: Sequence[str] = ()
    ) -> tuple[Product, ...]:
        """Reads 1 to 1,000 products that match, those written last first."""
        plan = plan_of(filter)
        check_newest(limit, excluded_ids)

        def read() -> tuple[Product, ...]:
            snapshot = self._snapshot
            rows = newest_rows(snapshot, snapshot.seen(plan.without(excluded_ids)), limit, deadline)
            products = self._products.read(rows, False)
            return tuple(products[row] for row in rows)

        return await self._search(deadline, read)

    async def suggest(self, query: SuggestQuery, *, deadline: Deadline) -> Suggestions:
        """Completes what a shopper began to type, from titles, brands and categories."""
        check_suggest(query)

        def found() -> Suggestions:
            snapshot = self._snapshot
            words = snapshot.words
            shown = suggest(words.suggest.segments, words.living.lives, self._products, query)
            return Suggestions(shown, snapshot.revision)

        return await self._search(deadline, found)

    async def get_version(self, *, deadline: Deadline) -> str:
        """Names what searches depend on now; answers whatever the load, and with Milvus away."""
        return self._version_of(self._rule_book.version())

    def _version_of(self, rules: str) -> str:
        # Words are counted anew every now and then, and queries may be read in another way from then on.
        return self._version.named(rules, Counts.turn())

    async def get_index(self, *, deadline: Deadline) -> IndexInfo:
        """Describes the index that is served; answers whatever the load, and with Milvus away."""
        index = self._index()
        show_index(index)
        return index

    async def self_test(self) -> None:
        """Searches for a product that is there by its own vector. Raises Internal when it is not found."""
        # Shown by each replica, whether or not it is asked.
        show_index(self._index())
        if self._writer.fault is not None:
            raise Internal(self._writer.fault)
        await asyncio.to_thread(self._find_itself, self._snapshot)

    def _index(self) -> IndexInfo:
        published = self._published
        snapshot = published.own
        recommenders = [digest for one in published.all() for digest in one.recommender_digests]
        faults = (self._writer.fault, self._rule_book.fault)
        return IndexInfo(
            products=snapshot.living,
            revision=snapshot.revision,
            model_digest=snapshot.model_digest,
            dim=snapshot.dim,
            kind="exact" if self._milvus.kind == "FLAT" else self._milvus.kind.lower(),
            tombstones=len(snapshot.hidden),
            update_time_s=snapshot.update_time_s,
            alerts=(*snapshot.alerts, *filter(None, faults)),
            storage="float32",
            backend="milvus",
            recommender_digest="".join(recommenders[:1]),
            further_recommender_digests=tuple(recommenders[1:]),
            further_model_digests=tuple(published.beside),
        )

    def _find_itself(self, snapshot: MilvusSnapshot) -> None:
        # A shared database that is away is an alert: all retrievers would say that they are ill, and searches go on.
        if not self._catalogue.shared:
            self._catalogue.state()
        deadline, seen = Deadline.after(_SELF_TEST_S), snapshot.seen(FilterPlan())
        if snapshot.collection is None or not (rows := newest_rows(snapshot, seen, 1, deadline)):
            return
        cosines = near(snapshot, snapshot.collection.vectors(rows, deadline), seen, 1, deadline)[0].scores
        if not len(cosines) or not cosines[0] > 0.999:
            raise Internal(f"the newest product is not found by its own vector (cosine {cosines})")
