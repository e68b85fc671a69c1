"""A visitor's history to a vector of the behaviour space: the retriever's vectors, read in order by the embedder."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.releases.current import current_release
from vitrine.deadline import Deadline
from vitrine.ports import BehaviourVectors, Embedder, HistoryItem, Retriever, VisitorAction
from vitrine.product import Product
from vitrine.vectors import FloatArray

MAX_ITEMS = 200


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """Products of a history that the catalogue holds, newest action first, with their vectors and latest actions."""

    vectors: BehaviourVectors
    latest: Sequence[VisitorAction]

    @property
    def products(self) -> Sequence[Product]:
        """The products."""
        return self.vectors.products


class HistoryVectors:
    """Encodes histories by the recommender that embedder and retriever serve."""

    def __init__(self, embedder: Embedder, retriever: Retriever) -> None:
        self._embedder = embedder
        self._retriever = retriever

    async def read(self, actions: Sequence[VisitorAction], deadline: Deadline) -> ReadHistory | None:
        """The products of actions, which come newest first; None when the catalogue holds none of them.

        Each product is there once, by its latest action, as in training. Raises what the retriever raises.
        """
        latest: dict[str, VisitorAction] = {}
        for action in actions:
            latest.setdefault(action.product_id, action)
        ids = list(latest)[:MAX_ITEMS]
        if not ids:
            return None
        vectors = await self._retriever.get_behaviour_vectors(
            ids, deadline=deadline, recommender_digest=current_release().recommender_digest
        )
        if not vectors.products:
            return None
        return ReadHistory(vectors, [latest[product.id] for product in vectors.products])

    async def encode(self, history: ReadHistory, deadline: Deadline) -> tuple[FloatArray, str]:
        """The (d,) vector of a history, and the recommender's digest. Raises what the embedder raises."""
        now = datetime.now(UTC)
        items = [
            HistoryItem(row, action.event_type, max((now - action.event_time).total_seconds(), 0.0))
            for row, action in enumerate(history.latest)
        ]
        encoded = await self._embedder.encode_history(
            [items[::-1]],
            history.vectors.vectors,
            recommender_digest=history.vectors.recommender_digest,
            deadline=deadline,
        )
        return encoded.vectors[0], encoded.recommender_digest
