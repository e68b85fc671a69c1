"""Vectors of further models in the catalogue's database: which are kept, which are missing, how they are written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.retriever.releases.tables import generation, generation_vector, vector_column
from services.retriever.tables import ALIVE, state, version
from vitrine.errors import FailedPrecondition, NotFound
from vitrine.vectors import FloatArray

_CHUNK = 900


@dataclass(frozen=True, slots=True)
class Kept:
    """A further model of which vectors are kept; see the table `generation`."""

    model_digest: str
    dim: int
    fills: int
    searchable: bool


def kept_models(connection: sa.Connection) -> tuple[Kept, ...]:
    """The further models, by digest."""
    own = connection.execute(sa.select(state.c.model_digest)).scalar_one()
    return tuple(one for one in listed_models(connection) if one.model_digest != own)


def listed_models(connection: sa.Connection) -> tuple[Kept, ...]:
    """The further models by digest, and the catalogue's own where it was one of them before."""
    return tuple(Kept(*row) for row in connection.execute(sa.select(generation).order_by(generation.c.model_digest)))


def kept_model(connection: sa.Connection, model_digest: str) -> Kept:
    """One of them. Raises NotFound."""
    found = next((one for one in kept_models(connection) if one.model_digest == model_digest), None)
    if found is None:
        raise NotFound(f"no vectors of model {model_digest} are kept; write a release of this embedder first")
    return found


def keep_model(connection: sa.Connection, model_digest: str) -> None:
    """Keeps vectors of this model from now on."""
    if all(one.model_digest != model_digest for one in listed_models(connection)):
        column = connection.execute(sa.select(vector_column)).first()
        # There may be some of a time when it was the catalogue's own.
        dim = column.dim if column is not None and column.model_digest == model_digest else 0
        begun = {"model_digest": model_digest, "dim": dim, "fills": 0, "searchable": False}
        connection.execute(sa.insert(generation).values(begun))


def column_model(connection: sa.Connection) -> str:
    """The model whose vectors are written to `version.vector`; "": the catalogue's own, whichever it is."""
    return connection.execute(sa.select(vector_column.c.model_digest)).scalar() or ""


def exchange(connection: sa.Connection, own_digest: str, dim: int) -> None:
    """Lists the catalogue's own model among the further ones, about to become one; its vectors stay where they are."""
    if not column_model(connection):
        connection.execute(sa.insert(vector_column).values(one=1, model_digest=own_digest, dim=dim))
    keep_model(connection, own_digest)
    changed = {"dim": dim, "searchable": True}
    connection.execute(sa.update(generation).where(generation.c.model_digest == own_digest).values(changed))


def own_vector(model_digest: str) -> sa.ColumnElement[bytes]:
    """A version's vector by the catalogue's own model."""
    return sa.func.coalesce(_beside(model_digest), version.c.vector)


def drop_model(connection: sa.Connection, model_digest: str) -> None:
    """Keeps no vectors of this model any more."""
    for table in (generation_vector, generation):
        connection.execute(sa.delete(table).where(table.c.model_digest == model_digest))


def set_searchable(connection: sa.Connection, model_digest: str) -> None:
    """From now on the model's vectors are searched, after a restart too."""
    connection.execute(sa.update(generation).where(generation.c.model_digest == model_digest).values(searchable=True))


def missing_rows(connection: sa.Connection, model_digest: str, limit: int, start: int = 0) -> list[int]:
    """Row keys, from `start` on, of the first `limit` living versions that have no vector of the model."""
    query = _missing(model_digest, version.c.row).where(version.c.row >= start)
    return list(connection.execute(query.order_by(version.c.row).limit(limit)).scalars())


def missing_count(connection: sa.Connection, model_digest: str) -> int:
    """How many living versions have no vector of the model."""
    return int(connection.execute(_missing(model_digest, sa.func.count())).scalar_one())


def vectors_of(connection: sa.Connection, model_digest: str, rows: Sequence[int]) -> dict[int, bytes]:
    """The model's vectors by row key, of those versions that have one."""
    found: dict[int, bytes] = {}
    for start in range(0, len(rows), _CHUNK):
        in_column = sa.case((_is_in_column(model_digest), version.c.vector))
        query = sa.select(version.c.row, sa.func.coalesce(_beside(model_digest), in_column))
        for row, data in connection.execute(query.where(version.c.row.in_(rows[start : start + _CHUNK]))):
            if data is not None:
                found[row] = data
    return found


def fill(connection: sa.Connection, model_digest: str, vectors: Mapping[int, FloatArray]) -> None:
    """Gives older versions their vector; those that are gone, or have one by now, are left out.

    Raises NotFound, and FailedPrecondition for vectors of another width.
    """
    kept = kept_model(connection, model_digest)
    dims = {len(vector) for vector in vectors.values()} | ({kept.dim} if kept.dim else set())
    if len(dims) > 1:
        raise FailedPrecondition(f"vectors of model {model_digest} have {kept.dim} numbers, not {sorted(dims)}")
    there = vectors_of(connection, model_digest, list(vectors))
    rows = [row for row in vectors if row not in there]
    living: list[int] = []
    for start in range(0, len(rows), _CHUNK):
        query = sa.select(version.c.row).where(ALIVE, version.c.row.in_(rows[start : start + _CHUNK]))
        living += connection.execute(query).scalars()
    add(connection, ((model_digest, row, vectors[row].astype("<f4").tobytes()) for row in living))
    changed = {"dim": dims.pop() if dims else kept.dim, "fills": kept.fills + bool(living)}
    connection.execute(sa.update(generation).where(generation.c.model_digest == model_digest).values(changed))


def add(connection: sa.Connection, vectors: Iterable[tuple[str, int, bytes]]) -> None:
    """Adds vectors: (model digest, row key, dim float32, little-endian)."""
    rows = [{"model_digest": digest, "row": row, "data": data} for digest, row, data in vectors]
    if rows:
        connection.execute(sa.insert(generation_vector), rows)


def add_further(connection: sa.Connection, further: Mapping[int, Mapping[str, FloatArray]]) -> None:
    """New versions' vectors by row key and model; those of models of which none are kept are left out.

    Raises FailedPrecondition for vectors of another width.
    """
    for kept in kept_models(connection) if any(further.values()) else ():
        given = {row: models[kept.model_digest] for row, models in further.items() if kept.model_digest in models}
        dims = {len(vector) for vector in given.values()}
        if len(dims) > 1 or (dims and kept.dim not in (0, *dims)):
            raise FailedPrecondition(
                f"vectors of model {kept.model_digest} have {kept.dim} numbers, not {sorted(dims)}",
                reason="MODEL_MISMATCH",
            )
        stored = ((row, vector.astype("<f4").tobytes()) for row, vector in given.items())
        add(connection, ((kept.model_digest, row, data) for row, data in stored))
        if given and not kept.dim:
            of_model = generation.c.model_digest == kept.model_digest
            connection.execute(sa.update(generation).where(of_model).values(dim=dims.pop()))


def copy(connection: sa.Connection, rows: Mapping[int, int]) -> None:
    """Versions whose words stayed (new row key by old) keep the vectors of all further models."""
    for model in kept_models(connection) if rows else ():
        old = vectors_of(connection, model.model_digest, list(rows))
        copied = [{"model_digest": model.model_digest, "row": rows[row], "data": data} for row, data in old.items()]
        if copied:
            connection.execute(sa.insert(generation_vector), copied)


def purge(connection: sa.Connection, gone: sa.ColumnElement[bool]) -> None:
    """Removes the vectors of versions that are about to go."""
    rows = sa.select(version.c.row).where(gone)
    connection.execute(sa.delete(generation_vector).where(generation_vector.c.row.in_(rows)))


def _missing(model_digest: str, chosen: sa.ColumnElement[int]) -> sa.Select[Any]:
    has = sa.exists().where(generation_vector.c.model_digest == model_digest, generation_vector.c.row == version.c.row)
    return sa.select(chosen).select_from(version).where(ALIVE, ~has, ~_is_in_column(model_digest))


def _beside(model_digest: str) -> sa.ScalarSelect[bytes]:
    of_version = sa.and_(generation_vector.c.model_digest == model_digest, generation_vector.c.row == version.c.row)
    return sa.select(generation_vector.c.data).where(of_version).scalar_subquery()


def _is_in_column(model_digest: str) -> sa.ColumnElement[bool]:
    """Whether `version.vector` holds a vector of this further model."""
    column = sa.func.coalesce(sa.select(vector_column.c.model_digest).scalar_subquery(), "")
    return sa.and_(column == model_digest, sa.func.length(version.c.vector) > 0)
