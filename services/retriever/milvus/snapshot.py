"""What readers see of a Milvus collection: the versions that lived at one revision, and no others."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.retriever.filters import FilterPlan
from services.retriever.milvus.collection import Collection
from services.retriever.milvus.expression import expression_of
from services.retriever.milvus.known_words import WordsView
from services.retriever.recommender import Recommender


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class MilvusSnapshot:
    """What lived at `revision`; digest "", dim 0 and no collection while the catalogue is empty.

    Milvus keeps no past of its own. Row keys grow with each revision, so those from `next_row` on came later; and what
    died by then and is still in the collection is in `hidden`. What died later stays there while this is held.
    """

    revision: int
    model_digest: str
    dim: int
    update_time_s: float | None
    living: int
    next_row: int
    hidden: tuple[int, ...]
    collection: Collection | None
    words: WordsView
    alerts: tuple[str, ...]
    recommenders: tuple[Recommender, ...] = ()  # those whose behaviour vectors are in the collection

    def rows_of(self, ids: Sequence[str]) -> dict[str, int]:
        """None are known without asking the catalogue."""
        return {}

    @property
    def recommender_digests(self) -> tuple[str, ...]:
        """The recommenders whose behaviour vectors are in the collection."""
        return tuple(one.digest for one in self.recommenders)

    @property
    def shown(self) -> str:
        """The expression of what this snapshot shows."""
        shown = f"row > 0 and row < {self.next_row}"
        return f"{shown} and row not in {list(self.hidden)}" if self.hidden else shown

    def seen(self, plan: FilterPlan) -> str:
        """The expression of what this snapshot shows and the plan allows."""
        condition = expression_of(plan.condition)
        return f"{self.shown} and ({condition})" if condition else self.shown
