"""A snapshot: everything a reader needs, as of one revision; swapped as a whole and never changed."""

from dataclasses import dataclass

from services.retriever.columns import ColumnsView
from services.retriever.dense_index import DenseView
from services.retriever.lexical_index import LexicalView


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Snapshot:
    """What the catalogue's views showed at `revision`; digest "" and dim 0 while it is empty."""

    revision: int
    model_digest: str
    dim: int
    update_time_s: float | None
    columns: ColumnsView
    dense: DenseView
    lexical: LexicalView
    alerts: tuple[str, ...]

    @property
    def recommender_digest(self) -> str:
        """The recommender whose behaviour space is in it; "" where there is none, or one for another model."""
        return self.columns.behaviour.recommender.digest if self.columns.behaviour is not None else ""
