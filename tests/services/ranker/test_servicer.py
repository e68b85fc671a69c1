"""One suite that the engine and its gRPC client both meet, and what only the wire can break."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import grpc.aio
import pytest

from gateway.clients.ranker import RankerClient
from services.ranker import servicer
from services.ranker.engine import RankerEngine
from services.ranker.servicer import RankerServicer
from services.ranker.settings import RankerSettings
from vitrine.channel import open_channel
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, Internal, InvalidArgument
from vitrine.ports import Evidence, Lane, RankCandidate, Ranker
from vitrine.server import Server
from vitrine.v1 import ranker_service_pb2, ranker_service_pb2_grpc

BundleMaker = Callable[..., Path]
SERVICE = "vitrine.v1.RankerService"

MIXED = [
    RankCandidate("b", "good", revision=3, evidence=Evidence(dense=0.5, lexical=0.25)),
    RankCandidate("empty", "\u3000"),
    RankCandidate("a", "good", evidence=Evidence(dense=0.5, lexical=0.25)),
    RankCandidate("broken", "broken"),
    RankCandidate("c", "strong " * 200, revision=1),
]


def soon() -> Deadline:
    return Deadline.after(60)


@pytest.fixture(scope="module")
async def engine(make_bundle: BundleMaker, budget: ComputeBudget) -> AsyncIterator[RankerEngine]:
    engine = await RankerEngine.open(RankerSettings(bundle=make_bundle()), budget)
    yield engine
    await engine.close()


@pytest.fixture(scope="module")
async def channel(engine: RankerEngine) -> AsyncIterator[grpc.aio.Channel]:
    def add_services(server: grpc.aio.Server) -> list[str]:
        ranker_servicer = RankerServicer(engine, default_timeout_s=60)
        ranker_service_pb2_grpc.add_RankerServiceServicer_to_server(ranker_servicer, server)
        return [SERVICE]

    server = await Server.start("ranker", RankerSettings(port=0), add_services, engine.self_test)
    async with open_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel
    await server.stop(5)


@pytest.fixture(params=["engine", "client"])
def ranker(request: pytest.FixtureRequest, engine: RankerEngine, channel: grpc.aio.Channel) -> Ranker:
    return engine if request.param == "engine" else RankerClient(channel)


async def test_ranks_and_fails_items_alone(ranker: Ranker) -> None:
    ranking = await ranker.rank("watch", MIXED, deadline=soon(), lane=Lane.BULK)
    assert [(ranked.index, ranked.id) for ranked in ranking.ranked] == [(4, "c"), (2, "a"), (0, "b")]
    assert [(failure.index, failure.id) for failure in ranking.failures] == [(1, "empty"), (3, "broken")]
    assert [failure.error.reason for failure in ranking.failures] == ["INVALID_ARGUMENT", "NOT_FINITE"]
    empty = ranking.failures[0].error
    assert isinstance(empty, InvalidArgument)
    assert empty.violations[0].field == "candidates[1].text"
    assert ranking.ranked[0].text_tokens_dropped > 0
    assert ranking.model_digest == (await ranker.get_model(deadline=soon())).digest


async def test_engine_and_client_give_the_same_ranking(engine: RankerEngine, channel: grpc.aio.Channel) -> None:
    here = await engine.rank("watch", MIXED, deadline=soon(), top_n=2)
    there = await RankerClient(channel).rank("watch", MIXED, deadline=soon(), top_n=2)
    assert there.ranked == here.ranked
    assert len(here.ranked) == 2
    assert await RankerClient(channel).get_model(deadline=soon()) == await engine.get_model(deadline=soon())


@pytest.mark.parametrize(
    ("query", "count", "top_n", "field"),
    [
        ("\u200b", 1, None, "query"),
        ("watch", 0, None, "candidates"),
        ("watch", 257, None, "candidates"),
        ("watch", 1, 0, "top_n"),
        ("watch", 1, -3, "top_n"),
    ],
)
async def test_bad_call(ranker: Ranker, query: str, count: int, top_n: int | None, field: str) -> None:
    asked = [RankCandidate(f"p{index}", "good") for index in range(count)]
    with pytest.raises(InvalidArgument) as caught:
        await ranker.rank(query, asked, deadline=soon(), top_n=top_n)
    assert caught.value.violations[0].field == field


async def test_no_time_left(ranker: Ranker) -> None:
    with pytest.raises(DeadlineExceeded):
        await ranker.rank("watch", MIXED, deadline=Deadline.after(-1))


async def test_too_many_candidates_are_refused_unread(
    channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message has room for millions of empty candidates, which held up the event loop until they were counted."""
    monkeypatch.setattr(servicer, "candidate_from_message", lambda _: pytest.fail("read them"))
    stub = ranker_service_pb2_grpc.RankerServiceStub(channel)
    candidates = [ranker_service_pb2.RankCandidate()] * 257
    with pytest.raises(grpc.aio.AioRpcError, match="257 entries; give 1 to 256"):
        await stub.Rank(ranker_service_pb2.RankRequest(query="watch", candidates=candidates))


async def test_unknown_lane_and_negative_top_n_are_refused(channel: grpc.aio.Channel) -> None:
    stub = ranker_service_pb2_grpc.RankerServiceStub(channel)
    candidate = ranker_service_pb2.RankCandidate(id="a", text="good")
    for fields in ({"lane": 99}, {"top_n": -1}):
        request = ranker_service_pb2.RankRequest(query="watch", candidates=[candidate], **fields)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Rank(request)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert next(iter(fields)) in caught.value.details()


async def test_explains_by_the_words_of_both_sides(ranker: Ranker) -> None:
    asked = [RankCandidate("b", "Good  but ｂａｄ watch."), RankCandidate("a", "strong")]
    answer = await ranker.explain("smart watch", asked, deadline=soon())
    first, second = answer.explanations
    assert (first.index, first.id, first.text, first.logit) == (0, "b", "Good  but ｂａｄ watch.", -1.0)
    words = [(one.text, one.start, one.end, one.attribution) for one in first.text_tokens]
    assert words == [("Good", 0, 4, 1.0), ("but", 6, 9, 0.0), ("ｂａｄ", 10, 13, -2.0), ("watch", 14, 19, 0.0)]
    assert [(one.text, one.attribution) for one in first.query_tokens] == [("smart", 0.0), ("watch", 0.0)]
    assert [(one.text, one.attribution) for one in second.text_tokens] == [("strong", 4.0)]
    assert answer.model_digest == (await ranker.get_model(deadline=soon())).digest


async def test_explanations_leave_out_what_was_cut(ranker: Ranker) -> None:
    """The model reads 128 tokens: what slides in when a word before it goes would count for that word."""
    text = "bad " * 200 + "strong"
    ranked = (await ranker.rank("watch", [RankCandidate("a", text)], deadline=soon())).ranked[0]
    (explained,) = (await ranker.explain("watch", [RankCandidate("a", text)], deadline=soon())).explanations
    assert explained.logit == ranked.logit
    assert len(explained.text_tokens) == 201 - ranked.text_tokens_dropped
    assert {one.attribution for one in explained.text_tokens} == {-2.0}
    assert all(text[one.start : one.end] == "bad" for one in explained.text_tokens)
    (long_query,) = (await ranker.explain("good " * 100, [RankCandidate("a", "bad")], deadline=soon())).explanations
    assert len(long_query.query_tokens) == 62  # half of the window, special tokens apart


@pytest.mark.parametrize(
    ("query", "candidates", "field"),
    [
        (" ", [RankCandidate("a", "good")], "query"),
        ("watch", [], "candidates"),
        ("watch", [RankCandidate(f"p{number}", "good") for number in range(11)], "candidates"),
        ("watch", [RankCandidate("a", "good"), RankCandidate("a", "good")], "candidates[1].id"),
        ("watch", [RankCandidate("", "good")], "candidates[0].id"),
        ("watch", [RankCandidate("a", "good"), RankCandidate("b", "\u200b")], "candidates[1].text"),
        ("watch", [RankCandidate("a", "good " * 2_000)], "candidates[0].text"),
    ],
)
async def test_bad_explanation(ranker: Ranker, query: str, candidates: list[RankCandidate], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await ranker.explain(query, candidates, deadline=soon())
    assert caught.value.violations[0].field == field


async def test_no_explanation_without_time_or_of_what_is_not_finite(ranker: Ranker) -> None:
    with pytest.raises(DeadlineExceeded):
        await ranker.explain("watch", [RankCandidate("a", "good")], deadline=Deadline.after(-1))
    with pytest.raises(Internal):
        await ranker.explain("watch", [RankCandidate("a", "good broken")], deadline=soon())
