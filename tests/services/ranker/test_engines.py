"""Several ranker bundles behind one RankerService: each call is answered by the model it names."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from gateway.clients.ranker import RankerClient
from services.ranker.engines import RankerEngines
from services.ranker.servicer import RankerServicer
from services.ranker.settings import RankerSettings
from vitrine.bundle import Calibration
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition
from vitrine.ports import Evidence, RankCandidate, Ranker
from vitrine.v1 import ranker_service_pb2_grpc

# By logit "good" is first; by what the retriever found, as the second bundle weighs it, "plain" is.
CANDIDATES = [
    RankCandidate("good", "good watch", evidence=Evidence(0.0, 0.0)),
    RankCandidate("plain", "watch", evidence=Evidence(1.0, 0.0)),
]


def soon() -> Deadline:
    return Deadline.after(60)


@pytest.fixture(scope="module")
async def engines(make_bundle: Callable[..., Path], budget: ComputeBudget) -> AsyncIterator[RankerEngines]:
    first = make_bundle(calibration=Calibration(scale=1.0, bias=0.0, evidence={"logit": 1.0}))
    second = make_bundle(calibration=Calibration(scale=1.0, bias=0.0, evidence={"logit": 1.0, "dense": 9.0}))
    settings = RankerSettings(bundle=first, further_bundles=(str(second), str(first)))
    engines = await RankerEngines.open(settings, budget)
    yield engines
    await engines.close()


@pytest.fixture
async def client(engines: RankerEngines, start_server: Any, channel_to: Any) -> RankerClient:
    def add(server: grpc.aio.Server) -> Sequence[str]:
        ranker_service_pb2_grpc.add_RankerServiceServicer_to_server(RankerServicer(engines, 60.0), server)
        return ["vitrine.v1.RankerService"]

    server = await start_server(add, self_test=engines.self_test)
    return RankerClient(channel_to(server.port))


@pytest.fixture(params=["one process", "gRPC"])
def ranker(request: pytest.FixtureRequest, engines: RankerEngines, client: RankerClient) -> Ranker:
    return engines if request.param == "one process" else client


async def test_the_model_that_a_call_names_answers(ranker: Ranker) -> None:
    first, second = (await ranker.get_models(deadline=soon())).digests
    assert (await ranker.get_model(deadline=soon())).digest == first
    for named, answered, order in (
        ("", first, ["good", "plain"]),
        (first, first, ["good", "plain"]),
        (second, second, ["plain", "good"]),
    ):
        ranking = await ranker.rank("watch", CANDIDATES, deadline=soon(), model_digest=named)
        assert ([one.id for one in ranking.ranked], ranking.model_digest) == (order, answered)
        explained = await ranker.explain("watch", CANDIDATES, deadline=soon(), model_digest=named)
        assert explained.model_digest == answered


async def test_a_model_that_is_not_served_is_refused_with_those_that_are(ranker: Ranker) -> None:
    (first, _) = (await ranker.get_models(deadline=soon())).digests
    with pytest.raises(FailedPrecondition, match=f"sha256:no is not served here, but {first}.*FURTHER_BUNDLES"):
        await ranker.rank("watch", CANDIDATES, deadline=soon(), model_digest="sha256:no")
    with pytest.raises(FailedPrecondition, match="not served here"):
        await ranker.explain("watch", CANDIDATES, deadline=soon(), model_digest="sha256:no")


def test_folders_are_given_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_RANKER_FURTHER_BUNDLES", "models/a, models/b,")
    assert RankerSettings().further_bundles == ("models/a", "models/b")
