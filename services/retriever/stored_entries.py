"""The index entries that the catalogue keeps beside its products."""

from collections.abc import Sequence

import sqlalchemy as sa

from services.retriever.lexical_index import Entry, entry_of
from services.retriever.product_document import product_of
from services.retriever.tables import version


def stored_entries(connection: sa.Connection, rows: Sequence[int]) -> list[tuple[int, str, Entry]]:
    """(row, id, entry) of those versions that are still there, in any order; `rows`: what one statement takes."""
    query = sa.select(version.c.row, version.c.id, version.c.entry).where(version.c.row.in_(rows))
    return [
        (row, product_id, Entry.decoded(encoded) or entry_made_anew(connection, row))
        for row, product_id, encoded in connection.execute(query).all()
    ]


def entry_made_anew(connection: sa.Connection, row: int) -> Entry:
    """The entry of a version that another version of this program made. Raises LookupError where it is gone."""
    stored = (version.c.id, version.c.document, version.c.revision, version.c.description)
    found = connection.execute(sa.select(*stored).where(version.c.row == row)).first()
    if found is None:
        raise LookupError(f"version {row} is gone")
    return entry_of(product_of(*found))
