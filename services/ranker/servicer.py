"""The RankerService: protobuf to plain Python and back."""

from services.ranker.engine import check_candidate_count, check_explained_count
from vitrine.call import Context, deadline_of
from vitrine.messages.common import lane_from_message, model_info_to_message
from vitrine.messages.ranker import candidate_from_message, explanations_to_message, ranking_to_message
from vitrine.ports import Ranker
from vitrine.v1 import ranker_service_pb2, ranker_service_pb2_grpc


class RankerServicer(ranker_service_pb2_grpc.RankerServiceServicer):
    """Answers calls from an engine; `vitrine.server` turns its errors into status codes."""

    def __init__(self, engine: Ranker, default_timeout_s: float) -> None:
        self._engine = engine
        self._default_timeout_s = default_timeout_s

    async def Rank(self, request: ranker_service_pb2.RankRequest, context: Context) -> ranker_service_pb2.RankResponse:
        # Before they are read, which for the millions that fit into a message would hold up the event loop.
        check_candidate_count(len(request.candidates))
        ranking = await self._engine.rank(
            request.query,
            [candidate_from_message(candidate) for candidate in request.candidates],
            deadline=deadline_of(context, self._default_timeout_s),
            # On the wire 0 is "not set"; below 0 is for the engine to refuse.
            top_n=request.top_n or None,
            lane=lane_from_message(request.lane),
            model_digest=request.model_digest,
            shown=request.shown or None,
        )
        return ranking_to_message(ranking)

    async def Explain(
        self, request: ranker_service_pb2.ExplainRequest, context: Context
    ) -> ranker_service_pb2.ExplainResponse:
        check_explained_count(len(request.candidates))
        explanations = await self._engine.explain(
            request.query,
            [candidate_from_message(candidate) for candidate in request.candidates],
            deadline=deadline_of(context, self._default_timeout_s),
            model_digest=request.model_digest,
        )
        return explanations_to_message(explanations)

    async def GetModel(
        self, request: ranker_service_pb2.RankerServiceGetModelRequest, context: Context
    ) -> ranker_service_pb2.RankerServiceGetModelResponse:
        served = await self._engine.get_models(deadline=deadline_of(context, self._default_timeout_s))
        models = [model_info_to_message(model) for model in served.models]
        return ranker_service_pb2.RankerServiceGetModelResponse(model=models[0], models=models)
