"""Generations: the vectors of further models, made searchable in the background and searched beside the first ones."""

import threading
from abc import ABC, abstractmethod
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Generic

import faiss
import structlog

from services.retriever.catalogue import Catalogue
from services.retriever.releases.generation_views import Beside, GenerationViews, Published, S, V
from services.retriever.releases.vectors import (
    Kept,
    kept_model,
    kept_models,
    listed_models,
    missing_count,
    set_searchable,
)
from services.retriever.writer import Writer
from vitrine.errors import Unavailable
from vitrine.ports.release import Generation

# What recall is measured by: so many products' own vectors, and so many first results of each.
SAMPLES = 64
DEPTH = 10

_log = structlog.get_logger(__name__)


class Generations(ABC, Generic[V, S]):
    """Keeps the views of further models; a backend adds how they are made and what else is kept of each."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._writer: Writer[GenerationViews[V]]
        self._published: Published[S] | None = None
        self._lock = threading.Lock()
        self._building: set[str] = set()
        # Replaced as a whole, by the thread that builds.
        self._failed: frozenset[Kept] = frozenset()
        self._builder = ThreadPoolExecutor(1, "retriever-generation", faiss.omp_set_num_threads, (1,))

    def opened(self) -> dict[str, Beside[V]]:
        """The generations that were searchable when the process ended, read again; before the writer starts."""
        kept = [one for one in self._catalogue.read(kept_models) if one.searchable]
        return {one.model_digest: self._made(one, read_saved=True) for one in kept}

    def start(self, writer: Writer[GenerationViews[V]]) -> None:
        """Begins to keep what was opened."""
        self._writer = writer

    def follow(self) -> None:
        """Has what is searched here follow what was changed of the models."""
        self._writer.follow()

    def consider(self, published: Published[S]) -> None:
        """Takes note of what readers see now."""
        self._published = published

    def state(self, kept: Kept, missing: int) -> Generation:
        """A generation with how many products lack a vector of it in the catalogue, or in its views."""
        published = self._published
        assert published is not None
        lacking = max(missing, published.lacking.get(kept.model_digest, 0))
        return Generation(
            kept.model_digest,
            kept.dim,
            published.own.living - lacking,
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
            if one.searchable and not lacking and not self._is_whole(one) and one not in self._failed:
                self._begin(one)
        self._leave_dropped(published)
        first = Generation(own.model_digest, own.dim, own.living, 0, True)
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
            return generation, self._recall(kept, published.beside[model_digest])
        if not missing and kept.dim:
            self._begin(kept)
        return generation, None

    def of(self, model_digest: str) -> S:
        """The snapshot of a model. Raises Unavailable while it is being made here: another retriever may have it."""
        published = self._published
        assert published is not None
        if model_digest in ("", published.own.model_digest) or model_digest in published.beside:
            return published.of(model_digest)
        kept = [one for one in self._catalogue.read(kept_models) if one.model_digest == model_digest]
        if kept and kept[0].searchable and kept[0] not in self._failed:
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

    def _leave_dropped(self, published: Published[S]) -> None:
        """Has those go that another retriever of the same catalogue was asked to drop, built here or not."""
        here = published.beside.keys() | {one.model_digest for one in self._failed}
        # Read after what is here: a model that is here by then was listed before, or is the catalogue's own.
        listed = {one.model_digest for one in self._catalogue.read(listed_models)}
        for digest in here - listed - {self._catalogue.state().model_digest}:
            self._begin_drop(digest)

    def drop(self, model_digest: str, patience_s: float) -> None:
        """Searches by this model no more, and frees what it took.

        What is being built, which may be this one, is let finish: nobody waits longer than `patience_s` for that.
        """
        with suppress(TimeoutError, CancelledError):
            self._begin_drop(model_digest).result(patience_s)

    def close(self) -> None:
        """Leaves what is being built; the writer must still run."""
        self._builder.shutdown(cancel_futures=True)

    def _build(self, kept: Kept) -> None:
        digest = kept.model_digest
        try:
            # What dies from now on stays until the views have followed it.
            self._writer.change(lambda views: views.hold()).result()
            beside = self._made(kept, read_saved=False)
            self._writer.change(lambda views: views.take(digest, beside)).result()
            self._taken(kept)
            with self._catalogue.begin() as connection:
                set_searchable(connection, digest)
            _log.info("generation searchable", model_digest=digest, lacking=len(beside.catalogue.lacking))
        except Exception as error:
            _log.exception("generation not built")
            alert = f"the generation of {digest} could not be built: {error!r}"
            # Tried again when somebody asks for it: by itself it would fail again, for ever.
            self._failed |= {kept}
            self._writer.change(lambda views: views.give_up(digest, alert))
        finally:
            with self._lock:
                self._building.discard(digest)

    def _begin_drop(self, model_digest: str) -> Future[None]:
        dropped = self._builder.submit(self._leave, model_digest)
        dropped.add_done_callback(_log_failure)
        return dropped

    def _leave(self, model_digest: str) -> None:
        """Drops a model, and that it could not be built, in the thread that builds."""
        self._failed = frozenset(one for one in self._failed if one.model_digest != model_digest)
        self._drop(model_digest)

    def _drop(self, model_digest: str) -> None:
        """Drops a model's views, and what is kept for them."""
        self._writer.change(lambda views: views.drop(model_digest)).result()

    @abstractmethod
    def _made(self, kept: Kept, *, read_saved: bool) -> Beside[V]:
        """The views of a model: those that were saved, brought up to date, or made anew."""

    @abstractmethod
    def _taken(self, kept: Kept) -> None:
        """Begins to keep what was made, which is searched by now."""

    @abstractmethod
    def _recall(self, kept: Kept, snapshot: S) -> float | None:
        """Recall@10 of a snapshot's index against exact search; None while it is being measured."""


def _log_failure(dropped: Future[None]) -> None:
    if not dropped.cancelled() and (error := dropped.exception()) is not None:
        _log.error("generation not dropped", error=repr(error))


def home_name(kept: Kept) -> str:
    """The name under which what was made of a model's vectors is saved."""
    return f"{short_name(kept.model_digest)}-{kept.fills}"


def short_name(model_digest: str) -> str:
    """A model's name in names of files."""
    return model_digest.removeprefix("sha256:")[:16]
