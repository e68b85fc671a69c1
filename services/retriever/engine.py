"""The retriever's engine: indexes in memory, made from the catalogue, and the searches in them."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from services.retriever.catalogue import Catalogue
from services.retriever.catalogue_engine import CatalogueEngine, check_newest
from services.retriever.filters import plan_of
from services.retriever.index_keeper import IndexKeeper
from services.retriever.index_plan import IndexPlan
from services.retriever.index_version import IndexVersion
from services.retriever.lexical_memo import LexicalMemo
from services.retriever.metrics import show_index
from services.retriever.preparers import BULK_PRODUCTS
from services.retriever.recall_probe import RecallProbe
from services.retriever.recommender import Recommender
from services.retriever.related import behaviour_of, newest_positions, related, vectors_of
from services.retriever.related_query import check_vector_ids, checked_related
from services.retriever.releases.generation_views import GenerationViews, Published
from services.retriever.releases.indexed_generations import IndexedGenerations, own_folder
from services.retriever.releases.store import Releases
from services.retriever.releases.vectors import kept_models
from services.retriever.retrieval import checked_query, retrieve
from services.retriever.rule_book import RuleBook
from services.retriever.saved_views import SavedViews
from services.retriever.settings import RetrieverSettings
from services.retriever.similar import checked_similar, rows_of, similar, without
from services.retriever.snapshot import Snapshot
from services.retriever.suggest.search import check_suggest, suggest
from services.retriever.views import Views
from services.retriever.writer import Writer
from vitrine.compute import openmp_runtimes
from vitrine.deadline import Deadline
from vitrine.errors import Internal
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

# How long a thread may keep the interpreter while others want it.
_SWITCH_S = 0.0005


class RetrieverEngine(CatalogueEngine[Snapshot]):
    """Implements `vitrine.ports.Retriever` over FAISS and tantivy in memory; made by `open`."""

    _published: Published[Snapshot]

    def __init__(self, settings: RetrieverSettings, catalogue: Catalogue) -> None:
        super().__init__(settings, catalogue)
        # A search gives the interpreter up some dozens of times; behind a busy writer it had to wait 5 ms each time.
        sys.setswitchinterval(_SWITCH_S)
        self._memo = LexicalMemo(settings.lexical_memo)
        self._rule_book = RuleBook(settings.rules)
        self._version = IndexVersion()
        state = self._catalogue.state()
        self._plan = index_plan = IndexPlan.of(settings)
        folder = own_folder(catalogue, settings.data_dir)
        saved = SavedViews(folder / "views")
        self._probe = RecallProbe(
            examined=settings.examined_share,
            target=settings.recall_target,
            floor=settings.recall_floor,
            every_s=settings.recall_every_s,
            # Searches look at more from the next snapshot on.
            raised=lambda: self._writer.change(lambda _: None),
        )
        keeper = IndexKeeper(
            folder,
            catalogue=catalogue,
            plan=index_plan,
            saved=saved,
            threads=max(1, self._threads // 2),
            hand_over=lambda change: self._writer.change(
                lambda views: views.change(lambda one: one.saved is saved, change)
            ),
            is_loading=self._is_loading,
        )
        folders = [folder for folder in (settings.recommender, *settings.further_recommenders) if folder]
        self._recommenders = [Recommender.open(Path(folder)) for folder in folders]
        further = {kept.model_digest for kept in catalogue.read(kept_models)}
        for recommender in self._recommenders[:1]:
            if recommender.manifest.embedder_digest not in further:
                recommender.require_model(state.model_digest, state.dim)
        views = Views(self._catalogue, index_plan, saved, self._recommenders, lambda: self._probe.effort)
        if index_plan.kind == "hnsw":
            keeper.load_graph(views)
        if len(runtimes := openmp_runtimes()) > 1:
            views.alerts["openmp"] = f"several OpenMP runtimes are loaded, which fight for processors: {runtimes}"
        self._generations = IndexedGenerations(
            self._catalogue,
            keeper,
            settings.data_dir,
            index_plan,
            self._recommenders,
            lambda: self._probe.effort,
            threads=max(1, self._threads // 2),
            is_loading=self._is_loading,
        )
        self.releases = Releases(self._catalogue, self._generations)
        self._writer = Writer(
            self._catalogue,
            GenerationViews(catalogue, views, self._generations.opened()),
            self._publish,
            queue=settings.write_queue,
            poll_s=settings.catalogue_poll_s,
            is_searched=lambda: self._places.taken > 0,
            is_coming=lambda: self._preparers.many > 0,
        )
        self._writer.start()
        self._generations.start(self._writer)

    def _publish(self, published: Published[Snapshot]) -> None:
        self._published, self._snapshot = published, published.own
        self._generations.consider(published)
        self._version.published()

    def _close_searches(self) -> None:
        self._probe.close()
        self._generations.close()

    def _is_loading(self) -> bool:
        """Whether many products come while nobody searches."""
        come = self._preparers.many > 0 or self._writer.waiting >= BULK_PRODUCTS
        return come and not self._places.taken

    @property
    def _keeper(self) -> IndexKeeper:
        return self._generations.own

    async def retrieve(self, query: RetrievalQuery, *, deadline: Deadline) -> Retrieval:
        """Finds candidates by words, by vector, or by both fused."""
        checked, plan = checked_query(query)

        def found() -> Retrieval:
            # First: what is read after it may be newer than it says, never older.
            version = self._version.named(self._rule_book.version_read())
            retrieval = retrieve(
                self._generations.of(checked.model_digest),
                checked,
                plan,
                rules=self._rule_book.current(),
                memo=self._memo,
                products=self._products,
                settings=self._settings,
                probe=self._probe,
                threads=self._searchers,
                deadline=deadline,
            )
            return replace(retrieval, version=version)

        return await self._search(deadline, found)

    async def suggest(self, query: SuggestQuery, *, deadline: Deadline) -> Suggestions:
        """Completes what a shopper began to type, from titles, brands and categories."""
        check_suggest(query)

        def found() -> Suggestions:
            snapshot = self._snapshot
            lives = snapshot.columns.lives
            return Suggestions(suggest(snapshot.suggest.segments, lives, self._products, query), snapshot.revision)

        return await self._search(deadline, found)

    async def retrieve_similar(self, query: SimilarQuery, *, deadline: Deadline) -> Similar:
        """Finds products near given ones, by the vectors that the catalogue keeps of them."""
        plan = checked_similar(query)
        named = [*(anchor.product_id for anchor in query.anchors), *query.excluded_ids]

        def found() -> Similar:
            snapshot = self._generations.of(query.model_digest)
            living = self._rows_of(named, snapshot)
            return similar(snapshot, query, plan, living, products=self._products, deadline=deadline)

        return await self._search(deadline, found)

    async def retrieve_related(self, query: RelatedQuery, *, deadline: Deadline) -> Related:
        """Finds products by what visitors did: near a history's vector, and related to its products."""
        checked, plan = checked_related(query)
        named = [*(anchor.product_id for anchor in query.anchors), *query.scored_ids, *query.excluded_ids]

        def found() -> Related:
            snapshot = self._published.with_recommender(checked.recommender_digest)
            living = self._rows_of(named, snapshot)
            return related(
                snapshot,
                self._recommenders,
                checked,
                plan,
                living,
                products=self._products,
                threads=self._searchers,
                deadline=deadline,
            )

        return await self._search(deadline, found)

    async def get_behaviour_vectors(
        self, ids: Sequence[str], *, deadline: Deadline, recommender_digest: str = ""
    ) -> BehaviourVectors:
        """Reads 1 to 200 products, each once, and their behaviour vectors."""
        check_vector_ids(ids)
        self._refuse_closed()
        deadline.check("the read")
        snapshot = self._published.with_recommender(recommender_digest)
        behaviour = behaviour_of(snapshot, self._recommenders, recommender_digest)

        def read() -> BehaviourVectors:
            living = self._rows_of(ids, snapshot)
            rows = [living[product_id] for product_id in ids if product_id in living]
            read = self._products.read(rows, described=False)
            return vectors_of(behaviour, snapshot.columns, {row: read[row] for row in rows})

        rows = list(snapshot.rows_of(ids).values())
        # A visitor's history: what is all in memory, a thread takes longer to be told of than to read.
        if len(rows) == len(ids) and (found := self._products.at_hand(rows)) is not None:
            return vectors_of(behaviour, snapshot.columns, found)
        return await self._search(deadline, read)

    async def list_newest_products(
        self, limit: int, *, deadline: Deadline, filter: ProductFilter, excluded_ids: Sequence[str] = ()
    ) -> tuple[Product, ...]:
        """Reads 1 to 1,000 products that match, those written last first."""
        plan = plan_of(filter)
        check_newest(limit, excluded_ids)

        def read() -> tuple[Product, ...]:
            snapshot = self._snapshot
            columns = snapshot.columns
            excluded = columns.positions_of(rows_of(excluded_ids, self._rows_of(excluded_ids, snapshot)))
            newest = newest_positions(without(columns.allowed(plan), excluded), limit)
            rows = columns.rows[newest].tolist()
            products = self._products.read(rows, False)
            return tuple(products[row] for row in rows)

        return await self._search(deadline, read)

    async def get_version(self, *, deadline: Deadline) -> str:
        """Names what searches depend on now: what was published, and the rules; answers whatever the load."""
        return self._version.named(self._rule_book.version())

    async def get_index(self, *, deadline: Deadline) -> IndexInfo:
        """Describes the index that is served; answers whatever the load."""
        index = self._index()
        show_index(index)
        return index

    async def self_test(self) -> None:
        """Searches for a product that is there by its own vector. Raises Internal when it is not found."""
        # Shown by each replica, whether or not it is asked.
        show_index(self._index())
        if self._writer.fault is not None:
            raise Internal(self._writer.fault)
        self._probe.check()
        await asyncio.to_thread(self._find_itself, self._snapshot)

    def _index(self) -> IndexInfo:
        published = self._published
        snapshot = published.own
        recommenders = [digest for one in published.all() for digest in one.recommender_digests]
        dense, vectors = snapshot.dense, snapshot.columns.vectors
        too_large = self._plan.fault(vectors.storage, snapshot.columns.living, snapshot.dim)
        faults = (self._writer.fault, self._probe.alert, self._rule_book.fault, too_large)
        return IndexInfo(
            products=snapshot.columns.living,
            revision=snapshot.revision,
            model_digest=snapshot.model_digest,
            dim=snapshot.dim,
            kind=dense.kind,
            tombstones=len(snapshot.columns.rows) - snapshot.columns.living,
            update_time_s=snapshot.update_time_s,
            alerts=(*snapshot.alerts, *filter(None, faults)),
            storage=vectors.storage,
            memory_bytes=snapshot.nbytes + sum(one.nbytes for one in self._published.beside.values()),
            recall=self._probe.recall,
            recall_floor=self._settings.recall_floor,
            backend="faiss",
            examined_share=dense.examined if dense.kind == "ivf" else 0.0,
            rescored=0 if vectors.exact is None else dense.rescored,
            cells=dense.cells,
            graph_breadth=dense.breadth if dense.kind == "hnsw" else 0.0,
            recommender_digest="".join(recommenders[:1]),
            further_recommender_digests=tuple(recommenders[1:]),
            further_model_digests=tuple(published.beside),
        )

    def _find_itself(self, snapshot: Snapshot) -> None:
        # A shared database that is away is an alert: all retrievers would say that they are ill, and searches go on.
        if not self._catalogue.shared:
            self._catalogue.state()
        living = np.flatnonzero(snapshot.columns.alive)
        if not len(living):
            return
        vector = snapshot.columns.vectors[living[-1]]
        _, cosines = snapshot.dense.search(vector, snapshot.columns.alive, 1)
        if not len(cosines) or not cosines[0] > 0.999:
            raise Internal(f"the newest product is not found by its own vector (cosine {cosines})")
