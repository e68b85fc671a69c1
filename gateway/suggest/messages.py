"""Suggestions of the public service on the wire."""

from gateway.messages import DEGRADATION_VALUES
from gateway.suggest.suggester import DEFAULT_LIMIT, SuggestAnswer
from vitrine.messages.suggest import suggestion_to_message
from vitrine.ports import SuggestQuery
from vitrine.v1 import search_service_pb2


def suggest_from_message(message: search_service_pb2.SuggestRequest) -> SuggestQuery:
    """What a shopper typed, defaults filled in."""
    return SuggestQuery(message.text, message.limit or DEFAULT_LIMIT, message.language)


def suggested_to_message(answer: SuggestAnswer) -> search_service_pb2.SuggestResponse:
    """The suggestions, best first."""
    return search_service_pb2.SuggestResponse(
        suggestions=map(suggestion_to_message, answer.suggestions),
        degradations=[DEGRADATION_VALUES[kind] for kind in answer.degradations],
    )
