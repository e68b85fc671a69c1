"""A snapshot: everything a reader needs, as of one revision; swapped as a whole and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.retriever.columns import ColumnsView
from services.retriever.dense_index import DenseView
from services.retriever.lexical_view import LexicalView
from services.retriever.suggest.index import SuggestIndex


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Snapshot:
    """What the catalogue's views showed at `revision`; digest "" and dim 0 while it is empty."""

    catalogue_id: str
    revision: int
    model_digest: str
    dim: int
    update_time_s: float | None
    columns: ColumnsView
    dense: DenseView
    lexical: LexicalView
    suggest: SuggestIndex  # of now, which may be ahead of this revision: whoever asks shows what lives in `columns`
    alerts: tuple[str, ...]
    latest: Mapping[str, int]  # row keys of what lives by now, which may be ahead of this revision

    def rows_of(self, ids: Sequence[str]) -> dict[str, int]:
        """Row keys of those ids that live now as they did at this revision; the catalogue knows of the others."""
        known = [(product_id, row) for product_id in ids if (row := self.latest.get(product_id)) is not None]
        positions = self.columns.positions_of(np.array([row for _, row in known], np.int64)).tolist()
        return dict(one for one, position in zip(known, positions, strict=True) if position >= 0)

    @property
    def living(self) -> int:
        """Products that live."""
        return self.columns.living

    @property
    def nbytes(self) -> int:
        """Bytes that vectors, columns, cells or graph and suggestions take in memory."""
        placed = self.dense.placed
        return self.columns.nbytes + (0 if placed is None else placed.nbytes) + self.suggest.nbytes

    @property
    def recommender_digests(self) -> tuple[str, ...]:
        """The recommenders whose behaviour spaces are in it; none where they are for other models."""
        return tuple(self.columns.behaviours)
