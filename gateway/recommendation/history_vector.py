"""A visitor's history to a vector of the behaviour space: the retriever's vectors, read in order by the embedder."""

from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.releases.current import current_release
from vitrine.deadline import Deadline
from vitrine.ports import Embedder, HistoryItem, Retriever, VisitorAction
from vitrine.vectors import FloatArray

MAX_ITEMS = 200


class HistoryVectors:
    """Encodes histories by the recommender that embedder and retriever serve."""

    def __init__(self, embedder: Embedder, retriever: Retriever) -> None:
        self._embedder = embedder
        self._retriever = retriever

    async def encoded(self, actions: Sequence[VisitorAction], deadline: Deadline) -> tuple[FloatArray, str] | None:
        """The (d,) vector of actions upon products, newest first, and the recommender's digest.

        Each product is read once, by its latest action, as in training. None when the catalogue holds none of them.
        Raises what the two services raise.
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
        rows = {product_id: row for row, product_id in enumerate(vectors.product_ids)}
        now = datetime.now(UTC)
        items = [
            HistoryItem(row, latest[one].event_type, max((now - latest[one].event_time).total_seconds(), 0.0))
            for one, row in reversed(rows.items())
        ]
        if not items:
            return None
        encoded = await self._embedder.encode_history(
            [items], vectors.vectors, recommender_digest=vectors.recommender_digest, deadline=deadline
        )
        return encoded.vectors[0], encoded.recommender_digest
