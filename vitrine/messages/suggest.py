"""Suggestions over the wire."""

from vitrine.errors import invalid
from vitrine.messages.highlight import spans_from_messages, spans_to_messages
from vitrine.ports import Suggestion, SuggestionKind, Suggestions, SuggestQuery
from vitrine.v1 import retriever_service_pb2 as pb

DEFAULT_LIMIT = 10

_KINDS = {
    SuggestionKind.QUERY: pb.SUGGESTION_KIND_QUERY,
    SuggestionKind.PRODUCT: pb.SUGGESTION_KIND_PRODUCT,
    SuggestionKind.BRAND: pb.SUGGESTION_KIND_BRAND,
    SuggestionKind.CATEGORY: pb.SUGGESTION_KIND_CATEGORY,
}
_KIND_OF = {value: kind for kind, value in _KINDS.items()}


def suggest_to_request(query: SuggestQuery) -> pb.RetrieverServiceSuggestRequest:
    """The request of a call. Raises InvalidArgument for a limit below 1, which the wire cannot tell from unset."""
    if query.limit < 1:
        raise invalid("limit", f"is {query.limit}; ask for at least 1")
    return pb.RetrieverServiceSuggestRequest(text=query.text, limit=query.limit, language=query.language)


def suggest_from_request(request: pb.RetrieverServiceSuggestRequest) -> SuggestQuery:
    """The query of a call."""
    return SuggestQuery(request.text, request.limit or DEFAULT_LIMIT, request.language)


def suggestions_to_message(found: Suggestions) -> pb.RetrieverServiceSuggestResponse:
    """The answer of a call."""
    return pb.RetrieverServiceSuggestResponse(
        suggestions=map(suggestion_to_message, found.suggestions), revision=found.revision
    )


def suggestions_from_message(message: pb.RetrieverServiceSuggestResponse) -> Suggestions:
    """The suggestions of an answer."""
    return Suggestions(tuple(map(_suggestion_from_message, message.suggestions)), message.revision)


def suggestion_to_message(one: Suggestion) -> pb.Suggestion:
    """One suggestion, field by field."""
    return pb.Suggestion(
        text=one.text,
        kind=_KINDS[one.kind],
        product_id=one.product_id,
        score=one.score,
        spans=spans_to_messages(one.spans),
        mended=one.mended,
    )


def _suggestion_from_message(message: pb.Suggestion) -> Suggestion:
    return Suggestion(
        text=message.text,
        kind=_KIND_OF[message.kind],
        score=message.score,
        product_id=message.product_id,
        spans=spans_from_messages(message.spans),
        mended=message.mended,
    )
