"""Calls for recommendations and their answers on the wire."""

from typing import Any

from gateway.messages import DEGRADATION_VALUES
from gateway.recommendation.query import Placement, Reason, RecommendAnswer, RecommendQuery, Source
from gateway.search import DEFAULT_PAGE_SIZE
from vitrine.errors import invalid
from vitrine.messages.common import shortfall_to_message
from vitrine.messages.product import filter_from_message, product_to_message
from vitrine.v1 import recommendation_service_pb2 as pb
from vitrine.v1 import search_service_pb2

_PLACEMENTS = {pb.Placement.Value(f"PLACEMENT_{one.name}"): one for one in Placement}
_SOURCES: dict[Source, Any] = {
    one: pb.RecommendationSource.Value(f"RECOMMENDATION_SOURCE_{one.name}") for one in Source
}


def query_from_message(message: pb.RecommendRequest) -> RecommendQuery:
    """The call as it was sent, defaults filled in. Raises InvalidArgument for what the plain data cannot hold."""
    placement = message.placement or pb.PLACEMENT_HOME
    if placement not in _PLACEMENTS:
        raise invalid("placement", f"{placement} is not a Placement; use for example PLACEMENT_HOME")
    return RecommendQuery(
        placement=_PLACEMENTS[placement],
        visitor_id=message.visitor_id,
        product_ids=tuple(message.product_ids),
        profile_text=message.profile_text,
        filter=filter_from_message(message.filter),
        exclude_product_ids=tuple(message.exclude_product_ids),
        page_size=message.page_size or DEFAULT_PAGE_SIZE,
        include_seen=message.include_seen if message.HasField("include_seen") else None,
    )


def answer_to_message(answer: RecommendAnswer, *, explain: bool) -> pb.RecommendResponse:
    """The answer; `explain`: reasons carry their features."""
    return pb.RecommendResponse(
        results=[
            pb.RecommendationResult(
                product=product_to_message(one.product, with_description=False),
                position=position,
                score=one.score,
                reasons=[_reason_to_message(reason, explain) for reason in one.reasons],
            )
            for position, one in enumerate(answer.results, start=1)
        ],
        shortfall=shortfall_to_message(answer.shortfall),
        degradations=[DEGRADATION_VALUES[kind] for kind in answer.degradations],
        attribution_token=answer.attribution_token,
        missing_product_ids=answer.missing_product_ids,
        timings=[
            search_service_pb2.StageTiming(stage=stage, duration_ms=duration_ms)
            for stage, duration_ms in answer.timings_ms.items()
        ],
    )


def _reason_to_message(reason: Reason, explain: bool) -> pb.RecommendationReason:
    features = reason.features.items() if explain else ()
    return pb.RecommendationReason(
        source=_SOURCES[reason.source],
        contribution=reason.contribution,
        product_ids=reason.product_ids,
        text=reason.text,
        category=reason.category,
        features=[pb.RecommendationFeature(name=name, value=value) for name, value in features],
    )
