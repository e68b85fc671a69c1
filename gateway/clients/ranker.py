"""The ranker over gRPC."""

from collections.abc import Sequence

import grpc.aio

from vitrine.channel import call
from vitrine.deadline import Deadline
from vitrine.messages.common import model_info_from_message
from vitrine.messages.ranker import explain_request, explanations_from_message, rank_request, ranking_from_message
from vitrine.ports import Explanations, Lane, ModelInfo, RankCandidate, Ranking, ServedModels
from vitrine.v1 import ranker_service_pb2, ranker_service_pb2_grpc


class RankerClient:
    """A RankerService behind a channel; implements the port `Ranker`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ranker_service_pb2_grpc.RankerServiceStub(channel)

    async def rank(
        self,
        query: str,
        candidates: Sequence[RankCandidate],
        *,
        deadline: Deadline,
        top_n: int | None = None,
        lane: Lane = Lane.LIVE,
        model_digest: str = "",
        shown: int | None = None,
    ) -> Ranking:
        """See `vitrine.ports.Ranker.rank`."""
        request = rank_request(query, candidates, top_n, lane, model_digest, shown)
        return ranking_from_message(await call(self._stub.Rank, request, deadline=deadline))

    async def explain(
        self, query: str, candidates: Sequence[RankCandidate], *, deadline: Deadline, model_digest: str = ""
    ) -> Explanations:
        """See `vitrine.ports.Ranker.explain`."""
        request = explain_request(query, candidates, model_digest)
        return explanations_from_message(await call(self._stub.Explain, request, deadline=deadline))

    async def get_model(self, *, deadline: Deadline) -> ModelInfo:
        """See `vitrine.ports.Ranker.get_model`."""
        request = ranker_service_pb2.RankerServiceGetModelRequest()
        answer = await call(self._stub.GetModel, request, deadline=deadline)
        return model_info_from_message(answer.model)

    async def get_models(self, *, deadline: Deadline) -> ServedModels:
        """See `vitrine.ports.Ranker.get_models`."""
        request = ranker_service_pb2.RankerServiceGetModelRequest()
        answer = await call(self._stub.GetModel, request, deadline=deadline)
        return ServedModels(tuple(map(model_info_from_message, answer.models)))
