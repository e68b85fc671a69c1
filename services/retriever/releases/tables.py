"""The tables of releases, in the catalogue's database."""

import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from services.retriever.tables import metadata
from vitrine.ports.release import Release, ReleaseGates

release = sa.Table(
    "release",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("embedder_digest", sa.Text, nullable=False),
    sa.Column("ranker_digest", sa.Text, nullable=False),
    sa.Column("recommender_digest", sa.Text, nullable=False),
    sa.Column("create_time_s", sa.Float, nullable=False),
    sa.Column("gates", sa.Text, nullable=False),  # JSON, empty where they were not asked
)
# One row once there was a flip.
pointer = sa.Table(
    "release_pointer",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("serving", sa.Text, nullable=False),
    sa.Column("previous", sa.Text),
)
# Further models whose vectors are kept beside those of the catalogue's own. `fills` counts the writes that gave older
# versions a vector: what was read before one is incomplete.
generation = sa.Table(
    "generation",
    metadata,
    sa.Column("model_digest", sa.Text, primary_key=True),
    sa.Column("dim", sa.Integer, nullable=False),  # 0 until the first vector
    sa.Column("fills", sa.Integer, nullable=False),
    sa.Column("searchable", sa.Boolean, nullable=False),
)
generation_vector = sa.Table(
    "generation_vector",
    metadata,
    sa.Column("model_digest", sa.Text, primary_key=True),
    sa.Column("row", sa.BigInteger, primary_key=True, autoincrement=False, index=True),
    sa.Column("data", sa.LargeBinary, nullable=False),  # dim float32, little-endian
)
# The model whose vectors lie in `version.vector` once the catalogue took another one for its own; without a row it is
# the catalogue's own. All others' lie in `generation_vector`.
vector_column = sa.Table(
    "vector_column",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("model_digest", sa.Text, nullable=False),
    sa.Column("dim", sa.Integer, nullable=False),
)


def row_of(value: Release) -> dict[str, object]:
    """What is stored of a release."""
    gates = value.gates
    stored = "" if gates is None else json.dumps({**_plain(gates), "time": gates.time.timestamp()})
    return {
        "name": value.name,
        "embedder_digest": value.embedder_digest,
        "ranker_digest": value.ranker_digest,
        "recommender_digest": value.recommender_digest,
        "create_time_s": (value.create_time or datetime.now(UTC)).timestamp(),
        "gates": stored,
    }


def release_of(row: Any) -> Release:
    """The release of a stored row."""
    gates: ReleaseGates | None = None
    if row.gates:
        read = json.loads(row.gates)
        time, faults = datetime.fromtimestamp(read["time"], UTC), tuple(read["faults"])
        gates = ReleaseGates(**{**read, "time": time, "faults": faults})
    create_time = datetime.fromtimestamp(row.create_time_s, UTC)
    return Release(row.name, row.embedder_digest, row.ranker_digest, row.recommender_digest, create_time, gates)


def _plain(gates: ReleaseGates) -> dict[str, Any]:
    return {name: getattr(gates, name) for name in ReleaseGates.__slots__}
