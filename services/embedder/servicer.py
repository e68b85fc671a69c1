"""The EmbedderService: protobuf to plain Python and back."""

from collections.abc import AsyncIterator

from vitrine.call import Context, deadline_of
from vitrine.errors import VitrineError
from vitrine.messages.common import dtype_from_message, error_to_message, lane_from_message
from vitrine.messages.embedder import (
    embeddings_to_message,
    encoded_to_message,
    histories_from_message,
    input_type_from_message,
    item_vectors_from_message,
    models_to_message,
    refuse_overflow_from_message,
)
from vitrine.ports import Embedder
from vitrine.v1 import embedder_service_pb2, embedder_service_pb2_grpc


class EmbedderServicer(embedder_service_pb2_grpc.EmbedderServiceServicer):
    """Answers calls from an engine; `vitrine.server` turns its errors into status codes."""

    def __init__(self, engine: Embedder, default_timeout_s: float) -> None:
        self._engine = engine
        self._default_timeout_s = default_timeout_s

    async def Embed(
        self, request: embedder_service_pb2.EmbedRequest, context: Context
    ) -> embedder_service_pb2.EmbedResponse:
        dtype = dtype_from_message(request.vector_type)
        embeddings = await self._engine.embed(
            request.texts,
            input_type=input_type_from_message(request.input_type),
            deadline=deadline_of(context, self._default_timeout_s),
            lane=lane_from_message(request.lane),
            refuse_overflow=refuse_overflow_from_message(request.overflow),
            model_digest=request.model_digest,
        )
        return embeddings_to_message(embeddings, dtype)

    async def EmbedStream(
        self, request_iterator: AsyncIterator[embedder_service_pb2.EmbedStreamRequest], context: Context
    ) -> AsyncIterator[embedder_service_pb2.EmbedStreamResponse]:
        async for request in request_iterator:
            try:
                response = await self.Embed(request.request, context)
            except VitrineError as error:
                yield embedder_service_pb2.EmbedStreamResponse(status=error_to_message(error))
            else:
                yield embedder_service_pb2.EmbedStreamResponse(response=response)

    async def EncodeHistory(
        self, request: embedder_service_pb2.EncodeHistoryRequest, context: Context
    ) -> embedder_service_pb2.EncodeHistoryResponse:
        encoded = await self._engine.encode_history(
            histories_from_message(request),
            item_vectors_from_message(request),
            recommender_digest=request.recommender_digest,
            deadline=deadline_of(context, self._default_timeout_s),
            lane=lane_from_message(request.lane),
        )
        return encoded_to_message(encoded)

    async def GetModel(
        self, request: embedder_service_pb2.EmbedderServiceGetModelRequest, context: Context
    ) -> embedder_service_pb2.EmbedderServiceGetModelResponse:
        models = await self._engine.get_models(deadline=deadline_of(context, self._default_timeout_s))
        return models_to_message(models)
