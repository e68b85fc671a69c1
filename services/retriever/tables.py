"""The catalogue's tables, and what one row of each is."""

import uuid
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

FORMAT = 2

metadata = sa.MetaData()
# Ids are ordered by code point in every database.
_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
version = sa.Table(
    "version",
    metadata,
    sa.Column("row", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", _ID, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
    sa.Column("deleted_revision", sa.BigInteger),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
)
ALIVE = version.c.deleted_revision.is_(None)
DEAD = version.c.deleted_revision.is_not(None)
# The database itself refuses two living versions of one id.
sa.Index("one_living_version", version.c.id, unique=True, sqlite_where=ALIVE, postgresql_where=ALIVE)
sa.Index("version_id", version.c.id)
sa.Index("dead_versions", version.c.deleted_revision, sqlite_where=DEAD, postgresql_where=DEAD)
# One row. Who writes locks it first, so writes of several processes come one after the other.
state = sa.Table(
    "state",
    metadata,
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("catalogue_id", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("purged_revision", sa.BigInteger, nullable=False),
    sa.Column("next_row", sa.BigInteger, nullable=False),
    sa.Column("model_digest", sa.Text, nullable=False),
    sa.Column("dim", sa.Integer, nullable=False),
    sa.Column("update_time_s", sa.Float),
)
# Who follows the catalogue, the oldest revision that each still reads or has saved, and when it last said so.
reader = sa.Table(
    "reader",
    metadata,
    sa.Column("reader_id", sa.Text, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("seen_s", sa.Float, nullable=False),
)


@dataclass(frozen=True, slots=True)
class State:
    """Where the catalogue stands; digest "" and dim 0 while it is empty.

    Versions that died at `purged_revision` or before may be gone.
    """

    catalogue_id: str
    revision: int
    purged_revision: int
    next_row: int
    model_digest: str
    dim: int
    update_time_s: float | None


class Version(NamedTuple):
    """One version of a product as stored; `entry` is for the indexes, `vector` is dim float32, little-endian.

    `digest` is that of `vitrine.product_digest`.
    """

    row: int
    id: str
    revision: int
    document: str
    description: str
    entry: str
    vector: bytes
    digest: bytes


def first_state() -> dict[str, object]:
    """The state of a new catalogue."""
    return {
        "format": FORMAT,
        "catalogue_id": uuid.uuid4().hex,
        "revision": 0,
        "purged_revision": 0,
        "next_row": 1,
        "model_digest": "",
        "dim": 0,
        "update_time_s": None,
    }
