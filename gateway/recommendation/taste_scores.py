"""How much some products are to a visitor's taste: by what a recommender learned, or by likeness of texts."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from gateway.recommendation.columns import Evidence, columns_of
from gateway.recommendation.features import features
from gateway.recommendation.fused_reasons import reasons_of
from gateway.recommendation.fusion import SOURCES, Fusion
from gateway.recommendation.history_vector import HistoryVectors
from gateway.recommendation.query import Reason, Source
from gateway.recommendation.taste import Taste
from gateway.releases.current import current_release
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition
from vitrine.ports import ProductFilter, RelatedQuery, Retriever, SimilarQuery

Reasons = Mapping[str, Sequence[Reason]]

# The groups that know of the visitor; what all turn to is no taste.
_OF_TASTE = frozenset(
    {
        Source.BEHAVIOUR,
        Source.ALS,
        Source.ITEM_ITEM,
        Source.CO_PURCHASE,
        Source.TEXT_SIMILAR,
        Source.HISTORY,
        Source.PRICE_FIT,
    }
)
_IS_TASTE = np.array([source in _OF_TASTE for source in SOURCES], np.float32)


class LearnedTaste:
    """By the fusion model, of which only what knows of the visitor counts; contributions are parts of log-odds."""

    def __init__(self, fusion: Fusion, vectors: HistoryVectors, retriever: Retriever) -> None:
        self._fusion = fusion
        self._vectors = vectors
        self._retriever = retriever

    async def reasons(self, taste: Taste, ids: Sequence[str], deadline: Deadline) -> Reasons:
        """Why each of the products, as far as they are in the catalogue, is to this taste or not.

        Raises what retriever and embedder raise, and FailedPrecondition when they serve another recommender.
        """
        history = await self._vectors.read(taste.actions, deadline)
        vector = await self._vectors.encode(history, deadline) if history else None
        related = await self._retriever.retrieve_related(
            RelatedQuery(
                anchors=taste.liked,
                history_vector=vector[0] if vector else None,
                recommender_digest=vector[1] if vector else current_release().recommender_digest,
                scored_ids=tuple(ids),
            ),
            deadline=deadline,
        )
        if related.recommender_digest != self._fusion.digest:
            raise FailedPrecondition(f"the retriever serves recommender {related.recommender_digest}")
        weights = {anchor.product_id: anchor.weight for anchor in taste.liked}
        liked = history.products if history else ()
        evidence = Evidence(anchors=[(product, weights[product.id]) for product in liked])
        read = features(columns_of(related, evidence, datetime.now(UTC)), len(taste.liked), len(related.products))
        contributions = await self._fusion.contributions(read) * _IS_TASTE
        return {
            one.product.id: reasons_of(one, row, numbers, evidence)
            for one, row, numbers in zip(related.candidates, contributions, read, strict=True)
        }


class LikenessTaste:
    """By the cosine of a product's text to the products liked, beside the mean of the products in question."""

    def __init__(self, retriever: Retriever, interests: int) -> None:
        self._retriever = retriever
        self._interests = interests

    async def reasons(self, taste: Taste, ids: Sequence[str], deadline: Deadline) -> Reasons:
        """See `LearnedTaste.reasons`; raises what the retriever raises."""
        similar = await self._retriever.retrieve_similar(
            SimilarQuery(
                taste.liked,
                self._interests,
                ProductFilter(product_ids=tuple(ids)),
                depth=len(ids),
                model_digest=current_release().embedder_digest,
            ),
            deadline=deadline,
        )
        nearest: dict[str, tuple[float, tuple[str, ...]]] = {}
        for interest in similar.interests:
            for found in interest.candidates:
                led = tuple(dict.fromkeys((found.nearest_anchor_id, interest.anchor.id)))
                nearest[found.product.id] = max(nearest.get(found.product.id, (-1.0, ())), (found.cosine, led))
        if not nearest:
            return {}
        mean = float(np.mean([cosine for cosine, _ in nearest.values()]))
        return {
            product_id: (Reason(Source.HISTORY, cosine - mean, led, features={"cosine": cosine}),)
            for product_id, (cosine, led) in nearest.items()
        }
