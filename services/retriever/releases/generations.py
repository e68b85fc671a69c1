"""Generations: the vectors of further models, made searchable in the background and searched beside the first ones."""

import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import structlog

from services.retriever.catalogue import Catalogue
from services.retriever.index_keeper import GRAPH, Change, IndexKeeper
from services.retriever.index_plan import IndexPlan
from services.retriever.recommender import Recommender
from services.retriever.releases.generation_views import Beside, GenerationViews, Published
from services.retriever.releases.model_catalogue import ModelCatalogue
from services.retriever.releases.vectors import (
    Kept,
    kept_model,
    kept_models,
    listed_models,
    missing_count,
    set_searchable,
)
from services.retriever.saved_views import SavedViews
from services.retriever.snapshot import Snapshot
from services.retriever.views import Views
from services.retriever.writer import Writer
from vitrine.errors import FailedPrecondition, Unavailable
from vitrine.ports.release import Generation

FOLDER = "generations"
# What recall is measured by: so many products' own vectors, and so many first results of each.
SAMPLES = 64
DEPTH = 10

_log = structlog.get_logger(__name__)


class Generations:
    """Keeps the views of further models, each with an index keeper of its own, in folders of `data_dir`.

    `own` keeps those of the catalogue's own model, whichever that is.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        own: IndexKeeper,
        data_dir: Path,
        plan: IndexPlan,
        recommenders: Sequence[Recommender],
        examined: Callable[[], float],
        threads: int,
    ) -> None:
        self._catalogue = catalogue
        self.own = own
        self._folder = data_dir / FOLDER
        self._plan = plan
        self._recommenders = recommenders
        self._examined = examined
        self._threads = threads
        self._writer: Writer[GenerationViews]
        self._published: Published | None = None
        self._keepers: dict[str, IndexKeeper] = {}
        self._lock = threading.Lock()
        self._building: set[str] = set()
        self._failed: dict[Kept, str] = {}
        self._builder = ThreadPoolExecutor(1, "retriever-generation", faiss.omp_set_num_threads, (1,))

    def opened(self) -> dict[str, Beside]:
        """The generations that were searchable when the process ended, read again; before the writer starts."""
        kept = [one for one in self._catalogue.read(kept_models) if one.searchable]
        for one in kept:
            self._bring(one)
        if own_folder(self._catalogue, data_dir := self._folder.parent) != data_dir:
            # Of a model that is kept no more.
            shutil.rmtree(data_dir / "views", ignore_errors=True)
            (data_dir / GRAPH).unlink(missing_ok=True)
        return {one.model_digest: self._made(one, read_saved=True) for one in kept}

    def start(self, writer: Writer[GenerationViews]) -> None:
        """Begins to keep the indexes of what was opened."""
        self._writer = writer
        for keeper in (self.own, *self._keepers.values()):
            keeper.start()

    def follow(self) -> None:
        """Has what is searched here follow what was changed of the models."""
        self._writer.follow()

    def consider(self, published: Published) -> None:
        """Takes note of what readers see now."""
        before = "" if self._published is None else self._published.own.model_digest
        self._published, own = published, published.own.model_digest
        if own != before and own in self._keepers and own not in self._building:
            taken = self._keepers.pop(own)
            if before in published.beside:
                self._keepers[before], self.own = self.own, taken
            else:
                # Not here, in the writer's thread: a keeper that ends has the writer do something.
                self._builder.submit(taken.close)
        self.own.consider(published.own)
        for digest, snapshot in published.beside.items():
            # One that is made anew has none for a moment.
            if (keeper := self._keepers.get(digest)) is not None:
                keeper.consider(snapshot)

    def state(self, kept: Kept, missing: int) -> Generation:
        """A generation with how many products lack a vector of it in the catalogue, or in its views."""
        published = self._published
        assert published is not None
        lacking = max(missing, published.lacking.get(kept.model_digest, 0))
        return Generation(
            kept.model_digest,
            kept.dim,
            published.own.columns.living - lacking,
            lacking,
            self._is_whole(kept) and not lacking,
        )

    def _is_whole(self, kept: Kept) -> bool:
        """Whether what is searched here holds all of the model's vectors that there are."""
        published = self._published
        return published is not None and published.fills.get(kept.model_digest) == kept.fills

    def states(self) -> tuple[Generation, ...]:
        """All generations, the catalogue's own first; none while it is empty."""
        published = self._published
        assert published is not None
        own = published.own
        if not own.model_digest:
            return ()
        kept = self._catalogue.read(kept_models)
        # One that is searchable here knows what it lacks.
        missing = [0 if one.searchable and self._is_whole(one) else self._missing(one.model_digest) for one in kept]
        for one, lacking in zip(kept, missing, strict=True):
            # Another retriever of the same catalogue made it, or made it whole again.
            if one.searchable and not lacking and not self._is_whole(one) and self._failed.get(one) is None:
                self._begin(one)
        first = Generation(own.model_digest, own.dim, own.columns.living, 0, True)
        return (first, *map(self.state, kept, missing))

    def build(self, model_digest: str) -> tuple[Generation, float | None]:
        """Begins to make a generation searchable where all products have its vectors; with its recall once it is.

        Raises NotFound.
        """
        kept = self._catalogue.read(lambda connection: kept_model(connection, model_digest))
        missing = self._missing(model_digest)
        generation = self.state(kept, missing)
        published = self._published
        with self._lock:
            if model_digest in self._building:
                return generation, None
            if generation.searchable and published is not None:
                return generation, recall_of(published.beside[model_digest])
        if not missing and kept.dim:
            self._begin(kept)
        return generation, None

    def of(self, model_digest: str) -> Snapshot:
        """The snapshot of a model. Raises Unavailable while it is being made here: another retriever may have it."""
        published = self._published
        assert published is not None
        if model_digest in ("", published.own.model_digest) or model_digest in published.beside:
            return published.of(model_digest)
        kept = [one for one in self._catalogue.read(kept_models) if one.model_digest == model_digest]
        if kept and kept[0].searchable and self._failed.get(kept[0]) is None:
            self._begin(kept[0])
            raise Unavailable(f"the vectors of {model_digest} are not searchable here yet")
        return published.own

    def _missing(self, model_digest: str) -> int:
        return self._catalogue.read(lambda connection: missing_count(connection, model_digest))

    def _begin(self, kept: Kept) -> None:
        with self._lock:
            if kept.model_digest not in self._building:
                self._building.add(kept.model_digest)
                self._builder.submit(self._build, kept)

    def drop(self, model_digest: str) -> None:
        """Searches by this model no more, and frees what it took."""
        self._writer.change(lambda views: views.drop(model_digest)).result()
        if (keeper := self._keepers.pop(model_digest, None)) is not None:
            keeper.close()
        for folder in self._folder.glob(f"{_name(model_digest)}-*"):
            shutil.rmtree(folder)

    def close(self) -> None:
        """Leaves what is being built, and saves the rest; the writer must still run."""
        self._builder.shutdown(cancel_futures=True)
        for keeper in (*self._keepers.values(), self.own):
            keeper.close()

    def _build(self, kept: Kept) -> None:
        digest = kept.model_digest
        try:
            # What dies from now on stays until the views have followed it.
            self._writer.change(lambda views: views.hold()).result()
            before = self._keepers.pop(digest, None)
            if before is not None:
                before.close()
            beside = self._made(kept, read_saved=False)
            keeper = self._keepers[digest]
            self._writer.change(lambda views: views.take(digest, beside)).result()
            keeper.start()
            keeper.settle()
            with self._catalogue.begin() as connection:
                set_searchable(connection, digest)
            for folder in self._folder.glob(f"{_name(digest)}-*"):
                if folder != self._home(kept):
                    shutil.rmtree(folder)
            _log.info("generation searchable", model_digest=digest, lacking=len(beside.catalogue.lacking))
        except Exception as error:
            _log.exception("generation not built")
            alert = f"the generation of {digest} could not be built: {error!r}"
            # Tried again when somebody asks for it: by itself it would fail again, for ever.
            self._failed[kept] = alert
            self._writer.change(lambda views: views.alerts.update({"generation": alert}))
        finally:
            with self._lock:
                self._building.discard(digest)

    def _made(self, kept: Kept, *, read_saved: bool) -> Beside:
        """The views of a model, and a keeper of their index that is not started."""
        folder, digest = self._home(kept), kept.model_digest
        folder.mkdir(parents=True, exist_ok=True)
        catalogue, saved = ModelCatalogue(self._catalogue, digest, kept.dim), SavedViews(folder / "views")
        views = Views(catalogue, self._plan, saved, self._recommenders, self._examined, read_saved=read_saved)
        if read_saved:
            catalogue.look_for_lacking()
        beside = Beside(catalogue, views, kept.fills)

        def hand_over(change: Change) -> "Future[None]":
            return self._writer.change(lambda views: views.change(saved, change))

        keeper = IndexKeeper(folder, plan=self._plan, saved=saved, threads=self._threads, hand_over=hand_over)
        if self._plan.kind == "hnsw" and read_saved:
            keeper.load_graph(views)
        self._keepers[digest] = keeper
        return beside

    def _bring(self, kept: Kept) -> None:
        """Moves what was saved of a model while it was the catalogue's own to where it is read from now."""
        home, before = self._home(kept), self._folder.parent
        if home.exists():
            return
        try:
            manifest = SavedViews(before / "views").manifest(self._catalogue.state().catalogue_id)
        except FailedPrecondition:
            return  # made anew
        if manifest is not None and manifest.state.model_digest == kept.model_digest:
            home.mkdir(parents=True)
            (before / "views").rename(home / "views")
            if (graph := before / GRAPH).exists():
                graph.rename(home / GRAPH)

    def _home(self, kept: Kept) -> Path:
        return self._folder / _home_name(kept)


def own_folder(catalogue: Catalogue, data_dir: Path) -> Path:
    """Where the views of the catalogue's own model are saved: if it was a further one before, where they were then."""
    own = catalogue.state().model_digest
    for one in catalogue.read(listed_models):
        if one.model_digest == own and (home := data_dir / FOLDER / _home_name(one)).exists():
            return home
    return data_dir


def recall_of(snapshot: Snapshot) -> float:
    """Recall@10 of a snapshot's index against exact search, by the vectors of sampled products."""
    columns = snapshot.columns
    living = np.flatnonzero(columns.alive)
    if not len(living):
        return 1.0
    sampled = np.random.default_rng(0).choice(living, min(SAMPLES, len(living)), replace=False)
    shares = []
    for vector in columns.vectors[sampled]:
        found, _ = snapshot.dense.search(vector, columns.alive, DEPTH)
        exact, _ = snapshot.dense.search_exactly(vector, columns.alive, DEPTH)
        shares.append(np.isin(exact, found).mean())
    return float(np.mean(shares))


def _home_name(kept: Kept) -> str:
    return f"{_name(kept.model_digest)}-{kept.fills}"


def _name(model_digest: str) -> str:
    return model_digest.removeprefix("sha256:")[:16]
