"""What changed in a catalogue after a revision: how views follow it, and how they are made (after revision 0)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.retriever.releases.vectors import own_vector
from services.retriever.tables import ALIVE, State, state, version

_FETCHED = 1_000


@dataclass(frozen=True, slots=True)
class Changes:
    """The way from a revision to `state`, as of one moment.

    `dead` holds (row, id) of the versions that lived then and do not now; `added` (row, id, entry, vector) of those
    that live now and did not then, in the order of their row keys, read from the database as they are taken.
    """

    state: State
    dead: Sequence[tuple[int, str]]
    added: Iterator[tuple[int, str, str, bytes]]


def state_of(connection: sa.Connection, *, locked: bool = False) -> State:
    """Where the catalogue stands; `locked`: nobody else writes until the transaction ends."""
    query = sa.select(*(state.c[name] for name in State.__slots__))
    return State(*connection.execute(query.with_for_update() if locked else query).one())


def changes_of(connection: sa.Connection, revision: int, now: State) -> Changes | None:
    """What changed after `revision`; None where versions that died since are gone, so only all anew is right.

    `connection` must see the catalogue at the state `now`, for as long as the changes are read.
    """
    if 0 < revision < now.purged_revision:
        return None
    died = sa.select(version.c.row, version.c.id).where(
        version.c.deleted_revision > revision, version.c.revision <= revision
    )
    added = (
        sa.select(version.c.row, version.c.id, version.c.entry, own_vector(now.model_digest))
        .where(version.c.revision > revision, ALIVE)
        .order_by(version.c.row)
    )
    dead = [(row, product_id) for row, product_id in connection.execute(died)]
    return Changes(now, dead, _fetched(connection, added))


def _fetched(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[tuple[int, str, str, bytes]]:
    with connection.execute(query, execution_options={"yield_per": _FETCHED}) as result:
        for row in result:
            yield row[0], row[1], row[2], row[3]


def living_count(connection: sa.Connection, revision: int) -> int:
    """How many products lived at a revision that readers still hold."""
    lived = sa.and_(version.c.revision <= revision, sa.or_(ALIVE, version.c.deleted_revision > revision))
    return int(connection.execute(sa.select(sa.func.count()).select_from(version).where(lived)).scalar_one())


def passed_rows(connection: sa.Connection, after: int, until: int) -> list[int]:
    """Row keys of versions that were added after a revision and dead again by another, where they are still kept."""
    passed = sa.and_(version.c.revision > after, version.c.deleted_revision <= until)
    return list(connection.execute(sa.select(version.c.row).where(passed)).scalars())
