"""Restoring a snapshot: into a catalogue that is empty, or in place of the one there, as a whole or not at all."""

import uuid
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.parquet
import sqlalchemy as sa

from services.retriever.snapshots.manifest import Manifest
from services.retriever.snapshots.place import Place
from services.retriever.tables import FORMAT, metadata, state, version
from vitrine.errors import FailedPrecondition

Skipped = Callable[[Place, FailedPrecondition], None]
Moved = Callable[[int, int], None]


def newest_whole(place: Place, *, skipped: Skipped) -> tuple[Place, Manifest]:
    """The newest snapshot of a place whose files are all there as they were written.

    `skipped` is told of each that is not, and why. Raises FailedPrecondition where none is whole.
    """
    snapshots = place.snapshots()
    for snapshot in snapshots:
        try:
            manifest = snapshot.manifest()
            for file in manifest.files:
                snapshot.read_checked(file)
            return snapshot, manifest
        except FailedPrecondition as error:
            if len(snapshots) == 1:
                raise
            skipped(snapshot, error)
    raise FailedPrecondition(f"none of the {len(snapshots)} snapshots in {place.url} is whole")


def restore_snapshot(connection: sa.Connection, snapshot: Place, manifest: Manifest, *, moved: Moved) -> None:
    """Puts a snapshot in place of what the tables hold, within the connection's transaction.

    `moved(done, of)` is told how many products are there. The catalogue gets an id of its own, so that indexes saved of
    what was there before are not taken for its own. Raises FailedPrecondition where a file is not what the manifest
    says.
    """
    tables = metadata.tables
    done = 0
    for table in reversed(metadata.sorted_tables):
        connection.execute(sa.delete(table))
    for file in manifest.files:
        if file.table not in tables:
            raise FailedPrecondition(f"{snapshot.url}/{file.name} is of a table that this version does not know")
        rows = list(_rows(snapshot.read_checked(file), f"{snapshot.url}/{file.name}"))
        if rows:
            connection.execute(sa.insert(tables[file.table]), rows)
        if file.table == version.name:
            done += file.rows
            moved(done, manifest.products)
    connection.execute(
        sa.insert(state).values(
            format=FORMAT,
            catalogue_id=uuid.uuid4().hex,
            revision=manifest.revision,
            # Versions that were dead are not in a snapshot.
            purged_revision=manifest.revision,
            next_row=manifest.next_row,
            model_digest=manifest.model_digest,
            dim=manifest.dim,
            update_time_s=manifest.update_time_s,
        )
    )


def _rows(data: bytes, name: str) -> Iterator[dict[str, object]]:
    try:
        yield from pa.parquet.read_table(pa.BufferReader(data)).to_pylist()
    except pa.ArrowInvalid as error:
        raise FailedPrecondition(f"{name} is no Parquet file: {error}") from error
