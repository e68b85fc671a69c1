"""Texts, histories and their vectors over the wire."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vitrine.errors import InvalidArgument, invalid
from vitrine.messages.common import (
    error_from_message,
    error_to_message,
    lane_to_message,
    model_info_from_message,
    model_info_to_message,
    vectors_from_message,
    vectors_to_message,
)
from vitrine.messages.user_event import type_from_message, type_to_message
from vitrine.ports import (
    EmbeddedItem,
    Embeddings,
    EncodedHistories,
    HistoryItem,
    InputType,
    Lane,
    ModelInfo,
    ServedModels,
)
from vitrine.ports.embedder import MAX_HISTORIES, MAX_HISTORY_ITEMS
from vitrine.v1 import embedder_service_pb2
from vitrine.vectors import FloatArray, VectorDtype

_INPUT_TYPES: dict[int, InputType] = {
    embedder_service_pb2.INPUT_TYPE_QUERY: InputType.QUERY,
    embedder_service_pb2.INPUT_TYPE_DOCUMENT: InputType.DOCUMENT,
}
_INPUT_TYPE_VALUES: dict[InputType, Any] = {input_type: value for value, input_type in _INPUT_TYPES.items()}

_REFUSE_OVERFLOW: dict[int, bool] = {
    embedder_service_pb2.OVERFLOW_UNSPECIFIED: False,
    embedder_service_pb2.OVERFLOW_TRUNCATE: False,
    embedder_service_pb2.OVERFLOW_REFUSE: True,
}


def embed_request(
    texts: Sequence[str], input_type: InputType, lane: Lane, refuse_overflow: bool, model_digest: str
) -> embedder_service_pb2.EmbedRequest:
    """The request of a call."""
    # A lone surrogate has no UTF-8; the engine's normaliser leaves it out too.
    sendable = [text.encode(errors="ignore").decode() for text in texts]
    overflow = embedder_service_pb2.OVERFLOW_REFUSE if refuse_overflow else embedder_service_pb2.OVERFLOW_TRUNCATE
    return embedder_service_pb2.EmbedRequest(
        texts=sendable,
        input_type=_INPUT_TYPE_VALUES[input_type],
        overflow=overflow,
        lane=lane_to_message(lane),
        model_digest=model_digest,
    )


def input_type_from_message(value: int, field: str = "input_type") -> InputType:
    """The input type of an enum value. Raises InvalidArgument for an unset or unknown one."""
    if value not in _INPUT_TYPES:
        raise invalid(field, f"{value} is not an InputType; set INPUT_TYPE_QUERY or INPUT_TYPE_DOCUMENT")
    return _INPUT_TYPES[value]


def refuse_overflow_from_message(value: int, field: str = "overflow") -> bool:
    """Whether a text that is too long fails; unset is TRUNCATE. Raises InvalidArgument for an unknown value."""
    if value not in _REFUSE_OVERFLOW:
        raise invalid(field, f"{value} is not an Overflow; use OVERFLOW_TRUNCATE or OVERFLOW_REFUSE")
    return _REFUSE_OVERFLOW[value]


def embeddings_to_message(embeddings: Embeddings, dtype: VectorDtype = "float32") -> embedder_service_pb2.EmbedResponse:
    """The answer of a call."""
    return embedder_service_pb2.EmbedResponse(
        vectors=vectors_to_message(embeddings.vectors, dtype),
        items=[
            embedder_service_pb2.EmbeddedItem(
                index=index,
                status=error_to_message(item.error),
                tokens=item.tokens,
                tokens_dropped=item.tokens_dropped,
            )
            for index, item in enumerate(embeddings.items)
        ],
        model_digest=embeddings.model_digest,
        prompt=embeddings.prompt,
    )


def embeddings_from_message(message: embedder_service_pb2.EmbedResponse) -> Embeddings:
    """The answer as plain data; `items` are in order."""
    return Embeddings(
        vectors=vectors_from_message(message.vectors),
        items=tuple(
            EmbeddedItem(item.tokens, item.tokens_dropped, error_from_message(item.status)) for item in message.items
        ),
        model_digest=message.model_digest,
        prompt=message.prompt,
    )


def history_request(
    histories: Sequence[Sequence[HistoryItem]], item_vectors: FloatArray, recommender_digest: str, lane: Lane
) -> embedder_service_pb2.EncodeHistoryRequest:
    """The request of a call."""
    return embedder_service_pb2.EncodeHistoryRequest(
        histories=[
            embedder_service_pb2.History(
                items=[
                    embedder_service_pb2.HistoryItem(
                        vector_index=item.vector_index, event_type=type_to_message(item.event_type), age_s=item.age_s
                    )
                    for item in history
                ]
            )
            for history in histories
        ],
        item_vectors=vectors_to_message(item_vectors),
        recommender_digest=recommender_digest,
        lane=lane_to_message(lane),
    )


def histories_from_message(message: embedder_service_pb2.EncodeHistoryRequest) -> list[list[HistoryItem]]:
    """The histories of a call. Raises InvalidArgument naming the field for more than are read or an unknown type."""
    if len(message.histories) > MAX_HISTORIES:
        raise invalid("histories", f"has {len(message.histories)} entries; give 1 to {MAX_HISTORIES}")
    return [_history(history, f"histories[{index}]") for index, history in enumerate(message.histories)]


def _history(message: embedder_service_pb2.History, field: str) -> list[HistoryItem]:
    if len(message.items) > MAX_HISTORY_ITEMS:
        raise invalid(f"{field}.items", f"has {len(message.items)} entries; give 1 to {MAX_HISTORY_ITEMS}")
    items = []
    for index, item in enumerate(message.items):
        try:
            items.append(HistoryItem(item.vector_index, type_from_message(item.event_type), item.age_s))
        except InvalidArgument as error:
            raise error.within(f"{field}.items[{index}]") from None
    return items


def item_vectors_from_message(message: embedder_service_pb2.EncodeHistoryRequest) -> FloatArray:
    """The (m, d) item vectors of a call. Raises InvalidArgument naming the field."""
    return vectors_from_message(message.item_vectors, "item_vectors")


def encoded_to_message(encoded: EncodedHistories) -> embedder_service_pb2.EncodeHistoryResponse:
    """The answer of a call."""
    return embedder_service_pb2.EncodeHistoryResponse(
        vectors=vectors_to_message(encoded.vectors), recommender_digest=encoded.recommender_digest
    )


def encoded_from_message(message: embedder_service_pb2.EncodeHistoryResponse) -> EncodedHistories:
    """The answer as plain data."""
    return EncodedHistories(vectors_from_message(message.vectors), message.recommender_digest)


def models_to_message(served: ServedModels) -> embedder_service_pb2.EmbedderServiceGetModelResponse:
    """What is served: models of texts and recommenders of histories."""
    models = [model_info_to_message(model) for model in served.models]
    return embedder_service_pb2.EmbedderServiceGetModelResponse(
        model=models[0],
        recommender_digest=served.models[0].recommender_digest,
        models=models,
        recommender_digests=served.recommender_digests,
    )


def model_from_message(message: embedder_service_pb2.EmbedderServiceGetModelResponse) -> ModelInfo:
    """The first of the models, as plain data."""
    return replace(model_info_from_message(message.model), recommender_digest=message.recommender_digest)


def models_from_message(message: embedder_service_pb2.EmbedderServiceGetModelResponse) -> ServedModels:
    """What is served, as plain data."""
    further = map(model_info_from_message, message.models[1:])
    return ServedModels((model_from_message(message), *further), tuple(message.recommender_digests))
