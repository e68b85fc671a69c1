"""Generations over Milvus: a collection for each model, and the words of its views in a folder of `data_dir`."""

import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import islice
from pathlib import Path

import numpy as np

from services.retriever.catalogue import Catalogue
from services.retriever.changes import state_of
from services.retriever.filters import FilterPlan
from services.retriever.milvus.collection import VECTOR
from services.retriever.milvus.connection import Milvus
from services.retriever.milvus.search import near
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.milvus.views import MilvusViews, collections_of
from services.retriever.recommender import Recommender
from services.retriever.releases.generation_views import Beside, GenerationViews
from services.retriever.releases.generations import DEPTH, SAMPLES, Generations, short_name
from services.retriever.releases.model_catalogue import ModelCatalogue
from services.retriever.releases.vectors import Kept, kept_models, listed_models
from vitrine.deadline import Deadline

FOLDER = "generations"
_RECALL_S = 3_600.0
# Vectors that are compared at a time.
_STEP = 4_096


class MilvusGenerations(Generations[MilvusViews, MilvusSnapshot]):
    """Those of one connection to Milvus."""

    def __init__(
        self, catalogue: Catalogue, milvus: Milvus, recommenders: Sequence[Recommender], data_dir: Path, grace_s: float
    ) -> None:
        super().__init__(catalogue)
        self._milvus = milvus
        self._recommenders = recommenders
        self._data_dir = data_dir
        self._grace_s = grace_s
        self._recalls: dict[tuple[str, int], Future[float]] = {}

    def own(self) -> MilvusViews:
        """The views of the catalogue's own model."""
        digest = self._catalogue.state().model_digest
        fills = {one.model_digest: one.fills for one in self._catalogue.read(listed_models)}
        words = self._data_dir / "words.npz"
        return MilvusViews(
            self._catalogue, self._milvus, self._recommenders, words, fills=fills.get(digest, 0), grace_s=self._grace_s
        )

    def opened(self) -> dict[str, Beside[MilvusViews]]:
        """See `Generations.opened`."""
        self._clear()
        return super().opened()

    def _clear(self) -> None:
        """Removes what a crash left of models that are kept no more: of a build, or of their removal."""
        # Listed first: a collection that is made meanwhile is of a model that is kept by then.
        there = self._milvus.models(collections_of(self._catalogue.state()))
        kept = self._catalogue.read(
            lambda connection: {
                state_of(connection).model_digest,
                *(one.model_digest for one in kept_models(connection)),
            }
        )
        if "" in kept:
            # An emptied catalogue's model may come again.
            return
        for name, model_digest in there.items():
            if model_digest and model_digest not in kept:
                self._milvus.drop(name)
        words = {self._words_file(one) for one in kept}
        for path in set((self._data_dir / FOLDER).glob("*.npz")) - words:
            path.unlink(missing_ok=True)

    def _made(self, kept: Kept, *, read_saved: bool) -> Beside[MilvusViews]:
        # What was saved is in Milvus, and always brought up to date.
        words = self._words_file(kept.model_digest)
        words.parent.mkdir(parents=True, exist_ok=True)
        catalogue = ModelCatalogue(self._catalogue, kept.model_digest, kept.dim)
        read = [] if self._published is None else [weakref.ref(one) for one in self._published.all()]
        views = MilvusViews(
            catalogue,
            self._milvus,
            self._recommenders,
            words,
            fills=kept.fills,
            grace_s=self._grace_s,
            held=read,
        )
        catalogue.look_for_lacking()
        return Beside(catalogue, views, kept.fills)

    def _taken(self, kept: Kept) -> None:
        # What was measured was of those before: a model that was dropped and comes again counts its fills anew.
        with self._lock:
            self._recalls = {key: one for key, one in self._recalls.items() if key[0] != kept.model_digest}

    def _drop(self, model_digest: str) -> None:
        gone: list[MilvusViews] = []

        def dropped(views: GenerationViews[MilvusViews]) -> None:
            if (beside := views.beside.get(model_digest)) is not None:
                gone.append(beside.views)
            views.drop(model_digest)

        self._writer.change(dropped).result()
        for views in gone:
            views.remove()
        self._words_file(model_digest).unlink(missing_ok=True)

    def _recall(self, kept: Kept, snapshot: MilvusSnapshot) -> float | None:
        # It reads every vector: longer than a call may take.
        key = (kept.model_digest, kept.fills)
        with self._lock:
            if (measured := self._recalls.get(key)) is None:
                measured = self._recalls[key] = self._builder.submit(recall_of, snapshot)
        if not measured.done():
            return None
        if measured.exception() is not None:
            # The next call measures again.
            self._recalls.pop(key, None)
        return measured.result()

    def _words_file(self, model_digest: str) -> Path:
        return self._data_dir / FOLDER / f"{short_name(model_digest)}.npz"


def recall_of(snapshot: MilvusSnapshot) -> float:
    """Recall@10 of Milvus' index against exact search, by the vectors of sampled products."""
    collection, seen, deadline = snapshot.collection, snapshot.seen(FilterPlan()), Deadline.after(_RECALL_S)
    if collection is None or not (rows := [one["row"] for one in collection.each(seen, ["row"], deadline)]):
        return 1.0
    sampled = np.random.default_rng(0).choice(rows, min(SAMPLES, len(rows)), replace=False)
    queries = collection.vectors(sampled.tolist(), deadline)
    found = near(snapshot, queries, seen, DEPTH, deadline)
    best, cosines = np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
    entities = collection.each(seen, [VECTOR], deadline)
    while step := list(islice(entities, _STEP)):
        vectors = np.array([one[VECTOR] for one in step], np.float32)
        keys = np.broadcast_to([one["row"] for one in step], (len(queries), len(step)))
        best, cosines = np.hstack([best, keys]), np.hstack([cosines, queries @ vectors.T])
        first = np.argsort(-cosines, axis=1)[:, :DEPTH]
        best, cosines = np.take_along_axis(best, first, 1), np.take_along_axis(cosines, first, 1)
    return float(np.mean([np.isin(exact, one.rows).mean() for exact, one in zip(best, found, strict=True)]))
