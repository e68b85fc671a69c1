"""Creating a snapshot: one moment of the catalogue, read beside the retriever that writes on."""

import hashlib
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet
import sqlalchemy as sa

from services.retriever.changes import state_of
from services.retriever.snapshots.manifest import NAME, Manifest, SnapshotFile
from services.retriever.snapshots.place import Place
from services.retriever.tables import ALIVE, FORMAT, metadata, reader, state, version

# Of products with vectors about 40 MB before compression.
ROWS_OF_A_FILE = 10_000
_ARROW_TYPES: dict[type[object], pa.DataType] = {
    sa.BigInteger: pa.int64(),
    sa.Integer: pa.int64(),
    sa.Float: pa.float64(),
    sa.Boolean: pa.bool_(),
    sa.Text: pa.large_string(),
    sa.LargeBinary: pa.large_binary(),
}

Moved = Callable[[int, int], None]


def create_snapshot(connection: sa.Connection, place: Place, *, moved: Moved) -> tuple[Place, Manifest]:
    """Writes what the connection's transaction sees into a new folder of the place.

    `moved(done, of)` is told how many products are in it. Raises FailedPrecondition. Cut off, it leaves a folder
    without a manifest, which no restore takes.
    """
    now = state_of(connection)
    created = datetime.now(UTC)
    snapshot = place / f"{created:%Y%m%dT%H%M%S%fZ}-r{now.revision}"
    products = connection.execute(sa.select(sa.func.count()).select_from(version).where(ALIVE)).scalar_one()
    files: list[SnapshotFile] = []
    for table in metadata.sorted_tables:
        if table in (state, reader):
            continue
        for number, rows in enumerate(_parts(connection, table)):
            files.append(_written(snapshot, f"{table.name}-{number:05}.parquet", table, rows))
            if table is version:
                moved(sum(file.rows for file in files if file.table == version.name), products)
    manifest = Manifest(
        catalogue_format=FORMAT,
        catalogue_id=now.catalogue_id,
        create_time=created,
        revision=now.revision,
        products=products,
        model_digest=now.model_digest,
        dim=now.dim,
        update_time_s=now.update_time_s,
        next_row=now.next_row,
        files=tuple(files),
    )
    snapshot.write(NAME, manifest.model_dump_json(indent=1).encode())
    return snapshot, manifest


def _parts(connection: sa.Connection, table: sa.Table) -> Iterator[list[sa.Row[tuple[object, ...]]]]:
    query = sa.select(table).order_by(*table.primary_key.columns)
    if "row" in table.columns:
        # Of dead versions nothing is taken along, whatever the table.
        query = query.where(table.c.row.in_(sa.select(version.c.row).where(ALIVE)))
    with connection.execute(query, execution_options={"yield_per": ROWS_OF_A_FILE}) as result:
        for rows in result.partitions():
            yield list(rows)


def _written(place: Place, name: str, table: sa.Table, rows: list[sa.Row[tuple[object, ...]]]) -> SnapshotFile:
    columns = zip(table.columns, zip(*rows, strict=True), strict=True)
    arrays = {column.name: pa.array(values, _arrow_type(column)) for column, values in columns}
    buffer = io.BytesIO()
    pa.parquet.write_table(pa.table(arrays), buffer, compression="zstd")
    data = buffer.getvalue()
    place.write(name, data)
    digest = hashlib.sha256(data).hexdigest()
    return SnapshotFile(name=name, table=table.name, rows=len(rows), bytes=len(data), sha256=digest)


def _arrow_type(column: sa.Column[object]) -> pa.DataType:
    return next(arrow for kind, arrow in _ARROW_TYPES.items() if isinstance(column.type, kind))
