"""The store of releases over the catalogue's database: each write is one transaction."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import sqlalchemy as sa

from services.retriever.catalogue import Catalogue
from services.retriever.releases.tables import pointer, release, release_of, row_of
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition, NotFound
from vitrine.ports.release import Release, ReleaseRecord

T = TypeVar("T")


class Releases:
    """Implements the port `ReleaseStore`."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def get_releases(self, *, deadline: Deadline) -> ReleaseRecord:
        """What there is now."""
        return await self._run(record_of, deadline)

    async def write_release(self, release: Release, *, deadline: Deadline) -> None:
        """Writes a release; of one that serves, or is kept for rollback, the gates alone may change."""
        await self._run(lambda connection: _write(connection, release), deadline)

    async def remove_release(self, name: str, *, deadline: Deadline) -> None:
        """Deletes a release. Raises NotFound, and FailedPrecondition while it serves or is kept for rollback."""
        await self._run(lambda connection: _remove(connection, name), deadline)

    async def serve_release(self, name: str, *, expected_serving: str, deadline: Deadline) -> None:
        """Makes a release the one that serves; see the port."""
        await self._run(lambda connection: _serve(connection, name, expected_serving), deadline)

    async def _run(self, work: Callable[[sa.Connection], T], deadline: Deadline) -> T:
        def within() -> T:
            deadline.check("the store of releases")
            with self._catalogue.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(within)


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


def _remove(connection: sa.Connection, name: str) -> None:
    record = record_of(connection)
    if not name or record.named(name) is None:
        raise _unknown(record, name)
    if name in (record.serving, record.previous):
        raise FailedPrecondition(f"{_standing(record, name)}; flip to others first")
    connection.execute(sa.delete(release).where(release.c.name == name))


def _serve(connection: sa.Connection, name: str, expected_serving: str) -> None:
    record = record_of(connection)
    if record.named(name) is None:
        raise _unknown(record, name)
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


def _standing(record: ReleaseRecord, name: str) -> str:
    return f"release {name} {'serves' if name == record.serving else 'is kept for rollback'}"


def _unknown(record: ReleaseRecord, name: str) -> NotFound:
    known = ", ".join(one.name for one in record.releases) or "none"
    return NotFound(f"there is no release {name!r}; there are: {known}")
