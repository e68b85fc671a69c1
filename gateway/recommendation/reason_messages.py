"""Reasons on the wire, of recommendations and of personalised searches."""

from typing import Any

from gateway.recommendation.query import Reason, Source
from vitrine.v1 import recommendation_reason_pb2 as pb

_SOURCES: dict[Source, Any] = {
    one: pb.RecommendationSource.Value(f"RECOMMENDATION_SOURCE_{one.name}") for one in Source
}


def reason_to_message(reason: Reason, *, explain: bool) -> pb.RecommendationReason:
    """A reason; `explain`: with its features."""
    features = reason.features.items() if explain else ()
    return pb.RecommendationReason(
        source=_SOURCES[reason.source],
        contribution=reason.contribution,
        product_ids=reason.product_ids,
        text=reason.text,
        category=reason.category,
        features=[pb.RecommendationFeature(name=name, value=value) for name, value in features],
    )
