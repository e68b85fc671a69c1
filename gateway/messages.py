"""Searches, visitors and their answers on the wire."""

from collections.abc import Mapping

from gateway.events.store import Visitor
from gateway.recommendation.reason_messages import reason_to_message
from gateway.search import DEFAULT_PAGE_SIZE, Degradation, SearchAnswer, SearchHit, SearchQuery
from vitrine.messages.common import shortfall_to_message
from vitrine.messages.facets import facet_specs_from_messages, facets_to_messages
from vitrine.messages.highlight import highlight_to_message
from vitrine.messages.product import filter_from_message, shown_product
from vitrine.messages.ranker import explanation_to_message
from vitrine.messages.reading import reading_to_message
from vitrine.messages.user_event import type_to_message
from vitrine.v1 import common_pb2, search_service_pb2, user_event_service_pb2

DEGRADATION_VALUES = {
    Degradation.LEXICAL_ONLY: common_pb2.DEGRADATION_LEXICAL_ONLY,
    Degradation.NOT_RANKED: common_pb2.DEGRADATION_NOT_RANKED,
    Degradation.NO_CACHE: common_pb2.DEGRADATION_NO_CACHE,
    Degradation.RANK_DEPTH_REDUCED: common_pb2.DEGRADATION_RANK_DEPTH_REDUCED,
    Degradation.NO_PERSONALISATION: common_pb2.DEGRADATION_NO_PERSONALISATION,
    Degradation.NO_POPULARITY: common_pb2.DEGRADATION_NO_POPULARITY,
    Degradation.NO_RECOMMENDER: common_pb2.DEGRADATION_NO_RECOMMENDER,
    Degradation.NOT_EXPLAINED: common_pb2.DEGRADATION_NOT_EXPLAINED,
}


def search_from_message(message: search_service_pb2.SearchRequest) -> SearchQuery:
    """The search as it was sent, defaults filled in. Raises InvalidArgument for a filter that is not one."""
    return SearchQuery(
        query=message.query,
        page_size=message.page_size or DEFAULT_PAGE_SIZE,
        page_token=message.page_token,
        filter=filter_from_message(message.filter),
        with_description=message.with_description,
        rank_depth=message.rank_depth if message.HasField("rank_depth") else None,
        visitor_id=message.visitor_id,
        personalize=message.personalize if message.HasField("personalize") else None,
        explain=message.explain,
        order_by=message.order_by,
        highlight=message.highlight,
        facets=facet_specs_from_messages(message.facets),
    )


def answer_to_message(
    answer: SearchAnswer, *, with_description: bool, explain: bool
) -> search_service_pb2.SearchResponse:
    """One page of results."""
    message = search_service_pb2.SearchResponse(
        next_page_token=answer.next_page_token,
        shortfall=shortfall_to_message(answer.shortfall),
        degradations=[DEGRADATION_VALUES[kind] for kind in answer.degradations],
        cached=answer.cached,
        rank_depth=answer.rank_depth,
        attribution_token=answer.attribution_token,
        query_tokens_dropped=answer.query_tokens_dropped,
        experiment_arms=arms_to_message(answer.experiment_arms),
        facets=facets_to_messages(answer.facets),
        total_size=answer.total_size,
        reading=None if answer.reading is None else reading_to_message(answer.reading),
    )
    # In their place: what is made apart is copied there, which takes as long again.
    for stage, duration_ms in answer.timings_ms.items():
        message.timings.add(stage=stage, duration_ms=duration_ms)
    for hit in answer.hits:
        _add_hit(message, hit, with_description, explain)
    return message


def arms_to_message(arms: Mapping[str, str]) -> list[common_pb2.ExperimentArm]:
    """The visitor's arms, by experiment."""
    return [common_pb2.ExperimentArm(experiment=experiment, arm=arm) for experiment, arm in arms.items()]


def visitor_to_message(visitor: Visitor) -> user_event_service_pb2.GetVisitorResponse:
    """What is kept of a visitor."""
    message = user_event_service_pb2.GetVisitorResponse(event_count=visitor.event_count)
    for action in visitor.history:
        message.history.add(
            event_type=type_to_message(action.event_type), product_id=action.product_id, query=action.query
        ).event_time.FromDatetime(action.event_time)
    if visitor.erase_time is not None:
        message.erase_time.FromDatetime(visitor.erase_time)
    return message


def _add_hit(message: search_service_pb2.SearchResponse, hit: SearchHit, with_description: bool, explain: bool) -> None:
    added = message.results.add(position=hit.position, retrieval_score=hit.retrieval_score)
    added.product.CopyFrom(shown_product(hit.product, with_description))
    for found in hit.sources:
        added.sources.add(source=found.source, rank=found.rank, score=found.score)
    if hit.rank is not None:
        added.rank_logit = hit.rank.logit
        added.rank_score = hit.rank.score
        added.rank_probability = hit.rank.probability
    if hit.personal is not None:
        added.personal_score = hit.personal.score
        added.reasons.extend(reason_to_message(reason, explain=explain) for reason in hit.personal.reasons)
    if hit.explanation is not None:
        added.explanation.CopyFrom(explanation_to_message(hit.explanation))
    added.highlights.extend(map(highlight_to_message, hit.highlights))
