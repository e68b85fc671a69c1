"""The catalogue as one further model sees it: the same products, with this model's vectors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

import numpy as np

from services.retriever.catalogue import Catalogue
from services.retriever.changes import Changes
from services.retriever.releases.vectors import missing_rows, vectors_of
from services.retriever.tables import State

_STEP = 1_000
_ALL = 1 << 40


class ModelCatalogue(Catalogue):
    """For views of one model; not opened and not closed itself.

    A product that has no vector of the model yet has one of zeros, which no query finds; `lacking` holds its row key.
    """

    def __init__(self, catalogue: Catalogue, model_digest: str, dim: int) -> None:
        self.shared = catalogue.shared
        self.address = catalogue.address
        self.reader_id = catalogue.reader_id
        self._engine = catalogue._engine
        self._lock = catalogue._lock
        self._model_digest = model_digest
        self._dim = dim
        self.lacking: set[int] = set()

    def of_model(self, state: State) -> State:
        """A state of the catalogue with this model in place of its own; an empty catalogue has none."""
        return replace(state, model_digest=self._model_digest, dim=self._dim) if state.model_digest else state

    def state(self) -> State:
        """See `Catalogue.state`."""
        return self.of_model(super().state())

    @contextmanager
    def changes_since(self, revision: int) -> Iterator[Changes | None]:
        """See `Catalogue.changes_since`."""
        with super().changes_since(revision) as changes:
            if changes is None:
                yield None
            else:
                yield replace(changes, state=self.of_model(changes.state), added=self._with_vectors(changes.added))

    def vectors(self, rows: Sequence[int]) -> list[tuple[int, bytes]]:
        """(row, vector) of the versions, in their order; a vector is dim float32, little-endian."""
        found = self._read(lambda connection: vectors_of(connection, self._model_digest, rows))
        self.lacking.update(row for row in rows if row not in found)
        nothing = np.zeros(self._dim, "<f4").tobytes()
        return [(row, found.get(row, nothing)) for row in rows]

    def look_for_lacking(self) -> None:
        """Finds those that lack a vector, where views were not read from here."""
        self.lacking = set(self._read(lambda connection: missing_rows(connection, self._model_digest, _ALL)))

    def _with_vectors(self, added: Iterator[tuple[int, str, str, bytes]]) -> Iterator[tuple[int, str, str, bytes]]:
        while step := list(islice(added, _STEP)):
            vectors = dict(self.vectors([row for row, _, _, _ in step]))
            yield from ((row, product_id, entry, vectors[row]) for row, product_id, entry, _ in step)
