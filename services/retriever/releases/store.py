"""The store of releases over the catalogue's database: each write is one transaction."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import sqlalchemy as sa

from services.retriever.catalogue import Catalogue
from services.retriever.changes import state_of
from services.retriever.product_document import product_of, with_description
from services.retriever.releases.tables import pointer, release, release_of, row_of
from services.retriever.releases.vectors import (
    drop_model,
    exchange,
    fill,
    keep_model,
    kept_model,
    kept_models,
    missing_count,
    missing_rows,
)
from services.retriever.tables import state
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, NotFound, invalid
from vitrine.ports.release import Generation, Release, ReleaseRecord, generation_fault
from vitrine.product import Product
from vitrine.vectors import FloatArray, l2_normalized

if TYPE_CHECKING:  # other backends have none
    from services.retriever.releases.generations import Generations

MAX_ROWS = 500

T = TypeVar("T")


class Releases:
    """Implements the port `ReleaseStore`."""

    def __init__(self, catalogue: Catalogue, generations: "Generations[Any, Any] | None" = None) -> None:
        """Without `generations` only releases of the catalogue's own embedder are kept."""
        self._catalogue = catalogue
        self._generations = generations
        # By model, the row key below which all had a vector: to look at them again takes longer than to embed the rest.
        self._embedded_below: dict[str, int] = {}

    async def get_releases(self, *, deadline: Deadline) -> ReleaseRecord:
        """What there is now."""
        generations = self._generations

        def read() -> ReleaseRecord:
            record = self._catalogue.read(record_of)
            return record if generations is None else replace(record, generations=generations.states())

        return await self._within(read, deadline)

    async def write_release(self, release: Release, *, deadline: Deadline) -> None:
        """Writes a release, and keeps vectors of its embedder from now on; see the port."""

        def written(connection: sa.Connection) -> None:
            own = state_of(connection).model_digest
            if own and release.embedder_digest not in ("", own):
                self._require_generations()
                keep_model(connection, release.embedder_digest)
            _write(connection, release)

        await self._run(written, deadline)

    async def remove_release(self, name: str, *, force: bool = False, deadline: Deadline) -> None:
        """Deletes a release, and vectors that no other needs. Raises NotFound and FailedPrecondition; see the port."""

        def removed() -> None:
            with self._catalogue.begin() as connection:
                gone = _remove(connection, name, force)
                for model in gone:
                    drop_model(connection, model)
            for model in gone if self._generations is not None else ():
                # The release is gone by now, and its caller told so in time.
                self._require_generations().drop(model, deadline.remaining_s() / 2)

        await self._within(removed, deadline)

    async def adopt_generation(self, model_digest: str, *, before: Release, deadline: Deadline) -> None:
        """Makes the model whose release serves the catalogue's own; see the port."""
        generations = self._require_generations()

        def adopted() -> None:
            listed = generations.states()
            with self._catalogue.begin() as connection:
                _adopt(connection, model_digest, before, listed)
            generations.follow()

        await self._within(adopted, deadline)

    async def serve_release(self, name: str, *, expected_serving: str, deadline: Deadline) -> None:
        """Makes a release the one that serves; see the port."""

        def served() -> None:
            generations = self._generations.states() if self._generations is not None else ()
            with self._catalogue.begin() as connection:
                _serve(connection, name, expected_serving, generations)

        await self._within(served, deadline)

    async def list_unembedded(
        self, model_digest: str, limit: int, *, deadline: Deadline
    ) -> tuple[tuple[int, Product], ...]:
        """Products that lack a vector of a model; see the port."""
        if not 1 <= limit <= MAX_ROWS:
            raise invalid("limit", f"is {limit}; ask for 1 to {MAX_ROWS}")

        def read() -> tuple[tuple[int, Product], ...]:
            self._catalogue.read(lambda connection: kept_model(connection, model_digest))
            rows = self._missing_rows(model_digest, limit)
            described = dict(self._catalogue.descriptions(rows))
            documents = {row: (i, text, revision) for row, i, text, revision in self._catalogue.documents(rows)}
            # A version that was purged since is embedded no more.
            return tuple(
                (row, with_description(product_of(*documents[row]), described[row]))
                for row in rows
                if row in documents and row in described
            )

        return await self._within(read, deadline)

    async def write_vectors(
        self, model_digest: str, rows: Sequence[int], vectors: FloatArray, *, deadline: Deadline
    ) -> None:
        """Writes vectors of older versions; see the port."""
        if vectors.ndim != 2 or not 1 <= len(rows) <= MAX_ROWS or len(vectors) != len(rows):
            raise invalid(
                "vectors", f"has shape {vectors.shape}; send one for each of {len(rows)} rows, 1 to {MAX_ROWS}"
            )
        if not (np.isfinite(vectors).all() and vectors.any(axis=1).all()):
            raise invalid("vectors.data", "holds a vector of zeros or one that is not finite; embed again")
        given = dict(zip(rows, l2_normalized(vectors), strict=True))
        await self._run(lambda connection: fill(connection, model_digest, given), deadline)

    async def build_generation(self, model_digest: str, *, deadline: Deadline) -> tuple[Generation, float | None]:
        """Makes a generation searchable; see the port."""
        generations = self._require_generations()
        return await self._within(lambda: generations.build(model_digest), deadline)

    def _missing_rows(self, model_digest: str, limit: int) -> list[int]:
        # Row keys grow: what is written lies above. Where none is left, the model may have been dropped and begun anew.
        for start in sorted({self._embedded_below.get(model_digest, 0), 0}, reverse=True):
            if rows := self._catalogue.read(partial(missing_rows, model_digest=model_digest, limit=limit, start=start)):
                self._embedded_below[model_digest] = rows[0]
                return rows
        return []

    def _require_generations(self) -> "Generations[Any, Any]":
        if self._generations is None:
            raise FailedPrecondition("this retriever keeps the vectors of one embedder; its backend has no generations")
        return self._generations

    async def _run(self, work: Callable[[sa.Connection], T], deadline: Deadline) -> T:
        def within() -> T:
            with self._catalogue.begin() as connection:
                return work(connection)

        return await self._within(within, deadline)

    async def _within(self, work: Callable[[], T], deadline: Deadline) -> T:
        def checked() -> T:
            deadline.check("the store of releases")
            return work()

        return await asyncio.to_thread(checked)


def record_of(connection: sa.Connection) -> ReleaseRecord:
    """The releases and the pointer."""
    found = connection.execute(sa.select(release).order_by(release.c.name)).all()
    points = connection.execute(sa.select(pointer)).first()
    releases = tuple(map(release_of, found))
    return ReleaseRecord(releases) if points is None else ReleaseRecord(releases, points.serving, points.previous)


def _write(connection: sa.Connection, given: Release) -> None:
    record = record_of(connection)
    there = record.named(given.name)
    if there is None:
        connection.execute(sa.insert(release).values(row_of(given)))
        return
    if given.name in (record.serving, record.previous) and given.models != there.models:
        raise FailedPrecondition(f"{_standing(record, given.name)}; give the new one another name")
    kept = replace(given, create_time=there.create_time)
    connection.execute(sa.update(release).where(release.c.name == given.name).values(row_of(kept)))


def _remove(connection: sa.Connection, name: str, force: bool) -> list[str]:
    """Deletes a release; the models of which vectors are kept for no other."""
    record = record_of(connection)
    if not name or record.named(name) is None:
        raise _unknown(record, name)
    if name == record.serving or (name == record.previous and not force):
        raise FailedPrecondition(f"{_standing(record, name)}; flip to others first")
    if name == record.previous:
        connection.execute(sa.update(pointer).values(previous=None))
    connection.execute(sa.delete(release).where(release.c.name == name))
    needed = {one.embedder_digest for one in record.releases if one.name != name}
    return [one.model_digest for one in kept_models(connection) if one.model_digest not in needed]


def _serve(connection: sa.Connection, name: str, expected_serving: str, generations: Sequence[Generation]) -> None:
    record = record_of(connection)
    if (found := record.named(name)) is None:
        raise _unknown(record, name)
    if fault := generation_fault(found.embedder_digest, generations):
        raise FailedPrecondition(f"release {name} cannot serve: {fault}")
    if record.serving != expected_serving:
        raise FailedPrecondition(
            f"{record.serving or 'no release'} serves by now, and not {expected_serving or 'none'}: another flip came"
            " first; look at the list and decide again",
            reason="ANOTHER_FLIP",
        )
    points = {"serving": name, "previous": record.serving}
    if name == record.serving:
        return
    if not connection.execute(sa.update(pointer).values(points)).rowcount:
        connection.execute(sa.insert(pointer).values(one=1, **points))


def _adopt(connection: sa.Connection, model_digest: str, before: Release, generations: Sequence[Generation]) -> None:
    now, record = state_of(connection, locked=True), record_of(connection)
    if model_digest == now.model_digest:
        return
    serving = record.named(record.serving)
    if serving is None or serving.embedder_digest != model_digest:
        raise FailedPrecondition(f"no release of {model_digest} serves; flip to one first")
    if fault := generation_fault(model_digest, generations):
        raise FailedPrecondition(f"it cannot be the catalogue's own: {fault}")
    kept = kept_model(connection, model_digest)
    if missing_count(connection, model_digest):
        raise FailedPrecondition(
            f"products without a vector of {model_digest} were written just now; build the release"
        )
    if record.previous == "" or all(one.embedder_digest != now.model_digest for one in record.releases):
        # By its name the way back is kept until it is deleted.
        _write(connection, before)
        connection.execute(sa.update(pointer).where(pointer.c.previous == "").values(previous=before.name))
    exchange(connection, now.model_digest, now.dim)
    after = {"model_digest": model_digest, "dim": kept.dim, "revision": now.revision + 1, "update_time_s": time.time()}
    connection.execute(sa.update(state).values(after))


def _standing(record: ReleaseRecord, name: str) -> str:
    return f"release {name} {'serves' if name == record.serving else 'is kept for rollback'}"


def _unknown(record: ReleaseRecord, name: str) -> NotFound:
    known = ", ".join(one.name for one in record.releases) or "none"
    return NotFound(f"there is no release {name!r}; there are: {known}")
