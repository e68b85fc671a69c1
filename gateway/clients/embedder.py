"""The embedder over gRPC."""

from collections.abc import Sequence

import grpc.aio

from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.messages.embedder import (
    embed_request,
    embeddings_from_message,
    encoded_from_message,
    history_request,
    model_from_message,
    models_from_message,
)
from vitrine.ports import Embeddings, EncodedHistories, HistoryItem, InputType, Lane, ModelInfo, ServedModels
from vitrine.v1 import embedder_service_pb2, embedder_service_pb2_grpc
from vitrine.vectors import FloatArray


class EmbedderClient:
    """An EmbedderService behind a channel; implements the port `Embedder`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = embedder_service_pb2_grpc.EmbedderServiceStub(channel)

    async def embed(
        self,
        texts: Sequence[str],
        *,
        input_type: InputType,
        deadline: Deadline,
        lane: Lane = Lane.LIVE,
        refuse_overflow: bool = False,
        model_digest: str = "",
    ) -> Embeddings:
        """See `vitrine.ports.Embedder.embed`."""
        request = embed_request(texts, input_type, lane, refuse_overflow, model_digest)
        return embeddings_from_message(await call(self._stub.Embed, request, deadline=deadline))

    async def encode_history(
        self,
        histories: Sequence[Sequence[HistoryItem]],
        item_vectors: FloatArray,
        *,
        recommender_digest: str,
        deadline: Deadline,
        lane: Lane = Lane.LIVE,
    ) -> EncodedHistories:
        """See `vitrine.ports.Embedder.encode_history`."""
        request = history_request(histories, item_vectors, recommender_digest, lane)
        return encoded_from_message(await call(self._stub.EncodeHistory, request, deadline=deadline))

    async def get_model(self, *, deadline: Deadline) -> ModelInfo:
        """See `vitrine.ports.Embedder.get_model`."""
        request = embedder_service_pb2.EmbedderServiceGetModelRequest()
        answer = await call(self._stub.GetModel, request, deadline=deadline)
        return model_from_message(answer)

    async def get_models(self, *, deadline: Deadline) -> ServedModels:
        """See `vitrine.ports.Embedder.get_models`."""
        request = embedder_service_pb2.EmbedderServiceGetModelRequest()
        return models_from_message(await call(self._stub.GetModel, request, deadline=deadline))
