"""Generations whose indexes are in memory: each with a keeper of its own, saved in folders of `data_dir`."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from services.retriever.catalogue import Catalogue
from services.retriever.dense_index import Effort
from services.retriever.index_keeper import GRAPH, Change, IndexKeeper
from services.retriever.index_plan import IndexPlan
from services.retriever.recommender import Recommender
from services.retriever.releases.generation_views import Beside, GenerationViews, Published
from services.retriever.releases.generations import DEPTH, SAMPLES, Generations, home_name, short_name
from services.retriever.releases.model_catalogue import ModelCatalogue
from services.retriever.releases.vectors import Kept, kept_models, listed_models
from services.retriever.saved_views import SavedViews
from services.retriever.snapshot import Snapshot
from services.retriever.views import Views
from services.retriever.writer import Writer
from vitrine.errors import FailedPrecondition

FOLDER = "generations"


class IndexedGenerations(Generations[Views, Snapshot]):
    """Those of FAISS and tantivy. `own` keeps the index of the catalogue's own model, whichever that is."""

    def __init__(
        self,
        catalogue: Catalogue,
        own: IndexKeeper,
        data_dir: Path,
        plan: IndexPlan,
        recommenders: Sequence[Recommender],
        effort: Callable[[], Effort],
        threads: int,
        is_loading: Callable[[], bool],
    ) -> None:
        """`is_loading`: see `IndexKeeper`."""
        super().__init__(catalogue)
        self.own = own
        self._folder = data_dir / FOLDER
        self._plan = plan
        self._recommenders = recommenders
        self._effort = effort
        self._threads = threads
        self._is_loading = is_loading
        self._keepers: dict[str, IndexKeeper] = {}

    def opened(self) -> dict[str, Beside[Views]]:
        """See `Generations.opened`."""
        for one in self._catalogue.read(kept_models):
            if one.searchable:
                self._bring(one)
        if own_folder(self._catalogue, data_dir := self._folder.parent) != data_dir:
            # Of a model that is kept no more.
            shutil.rmtree(data_dir / "views", ignore_errors=True)
            (data_dir / GRAPH).unlink(missing_ok=True)
        self._clear()
        return super().opened()

    def start(self, writer: Writer[GenerationViews[Views]]) -> None:
        """Begins to keep the indexes of what was opened."""
        super().start(writer)
        for keeper in (self.own, *self._keepers.values()):
            keeper.start()

    def consider(self, published: Published[Snapshot]) -> None:
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

    def close(self) -> None:
        """Leaves what is being built, and saves the rest; the writer must still run."""
        for keeper in (*self._keepers.values(), self.own):
            # What is being built waits for its keeper.
            keeper.hurry()
        super().close()
        for keeper in (*self._keepers.values(), self.own):
            keeper.close()

    def _made(self, kept: Kept, *, read_saved: bool) -> Beside[Views]:
        """The views of a model, and a keeper of their index that is not started."""
        folder, digest = self._home(kept), kept.model_digest
        if (before := self._keepers.pop(digest, None)) is not None:
            before.close()
        folder.mkdir(parents=True, exist_ok=True)
        catalogue, saved = ModelCatalogue(self._catalogue, digest, kept.dim), SavedViews(folder / "views")
        views = Views(catalogue, self._plan, saved, self._recommenders, self._effort, read_saved=read_saved)
        if read_saved:
            catalogue.look_for_lacking()
        beside = Beside(catalogue, views, kept.fills)

        def hand_over(change: Change) -> "Future[None]":
            return self._writer.change(lambda views: views.change(lambda one: one.saved is saved, change))

        def is_loading() -> bool:
            # One that is being made has its cells before it is searchable: its recall is measured then.
            return digest not in self._building and self._is_loading()

        keeper = IndexKeeper(
            folder,
            catalogue=self._catalogue,
            plan=self._plan,
            saved=saved,
            threads=self._threads,
            hand_over=hand_over,
            is_loading=is_loading,
        )
        if self._plan.kind == "hnsw" and read_saved:
            keeper.load_graph(views)
        self._keepers[digest] = keeper
        return beside

    def _taken(self, kept: Kept) -> None:
        keeper = self._keepers[kept.model_digest]
        keeper.start()
        keeper.settle(with_words=False)
        for folder in self._folder.glob(f"{short_name(kept.model_digest)}-*"):
            if folder != self._home(kept):
                shutil.rmtree(folder)

    def _drop(self, model_digest: str) -> None:
        super()._drop(model_digest)
        if (keeper := self._keepers.pop(model_digest, None)) is not None:
            keeper.close()
        for folder in self._folder.glob(f"{short_name(model_digest)}-*"):
            shutil.rmtree(folder)

    def _recall(self, kept: Kept, snapshot: Snapshot) -> float:
        return recall_of(snapshot)

    def _clear(self) -> None:
        """Removes what a crash left of models, or vectors of one, that are kept no more."""
        kept = {home_name(one) for one in self._catalogue.read(listed_models)}
        own = short_name(self._catalogue.state().model_digest)
        for folder in self._folder.glob("*"):
            # Its own may be in use by now, whatever another retriever has made of its vectors since.
            if folder.is_dir() and folder.name not in kept and folder.name.rpartition("-")[0] != own:
                shutil.rmtree(folder)

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
        return self._folder / home_name(kept)


def own_folder(catalogue: Catalogue, data_dir: Path) -> Path:
    """Where the views of the catalogue's own model are saved: if it was a further one before, where they were then."""
    own = catalogue.state().model_digest
    for one in catalogue.read(listed_models):
        if one.model_digest == own and (home := data_dir / FOLDER / home_name(one)).exists():
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
