"""Releases over real gRPC: listed, created, flipped and rolled back, while each answer is by one of them."""

import asyncio
from dataclasses import replace
from typing import Any

import grpc
import httpx
import pytest

from gateway.clients.release_store import ReleaseStoreClient
from gateway.events.settings import EventsSettings
from gateway.releases.follower import Follower
from gateway.serving import Gateway
from gateway.settings import GatewaySettings
from tests.gateway.releases.conftest import LIMIT_S, Models, OpenShop, Shop
from vitrine.deadline import Deadline
from vitrine.errors import Unimplemented
from vitrine.v1 import release_pb2
from vitrine.v1 import release_service_pb2 as pb


def ids(answer: Any) -> list[str]:
    return [result.product.id for result in answer.results]


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value


async def test_a_release_takes_what_it_does_not_name_from_the_one_that_serves(shop: Shop, models: Models) -> None:
    digests = models.digests
    status = await shop.create("b", ranker_digest=digests["ranker-2"])
    assert list(status.faults) == []
    assert status.release.embedder_digest == digests["embedder"]
    assert status.release.ranker_digest == digests["ranker-2"]
    assert status.release.recommender_digest == digests["recommender"]
    await shop.flip("b")
    await shop.create("c", recommender_digest=digests["recommender-2"])
    assert (await shop.listed())["c"].release.ranker_digest == digests["ranker-2"]


async def test_a_flip_changes_who_ranks_and_a_rollback_changes_it_back(shop: Shop, models: Models) -> None:
    before = await shop.search()
    await shop.create("b", ranker_digest=models.digests["ranker-2"])
    assert ids(await shop.search()) == ids(before)
    listed = await shop.flip("b")
    assert [(status.release.name, status.serving) for status in listed.releases] == [("b", True)]
    after = await shop.search()
    assert ids(after) != ids(before)
    assert list(after.degradations) == []
    await shop.releases.RollbackRelease(pb.RollbackReleaseRequest(), timeout=LIMIT_S)
    assert ids(await shop.search()) == ids(before)
    assert (await shop.listed())["b"].previous
    await shop.releases.RollbackRelease(pb.RollbackReleaseRequest(), timeout=LIMIT_S)
    assert ids(await shop.search()) == ids(after)


async def test_a_kept_answer_is_never_of_a_release_that_served_before(shop: Shop, models: Models) -> None:
    """Around a flip and a rollback: what was under way at it, too, is kept for the release that answered."""
    await shop.create("b", ranker_digest=models.digests["ranker-2"])
    first = await shop.search()
    assert list((await shop.search()).cached) == ["answer"]

    async def around(change: Any) -> Any:
        under_way = [asyncio.create_task(shop.search(query)) for query in ("watch", "blue watch")]
        await change
        await asyncio.gather(*under_way)
        after = await shop.search()
        assert "answer" not in after.cached
        for query in ("smart watch", "watch", "blue watch"):
            # Another page size is another answer, made now.
            made = await shop.search(query, page_size=11)
            assert "answer" not in made.cached
            for _ in range(2):
                again = await shop.search(query)
                assert ids(again) == ids(made)[: len(again.results)]
            assert list(again.cached) == ["answer"]
        return after

    flipped = await around(shop.flip("b"))
    assert ids(flipped) != ids(first)
    await shop.releases.RollbackRelease(pb.RollbackReleaseRequest(), timeout=LIMIT_S)
    assert ids(await shop.search()) == ids(first)


async def test_under_a_stream_of_flips_no_answer_fails_and_none_is_mixed(shop: Shop, models: Models) -> None:
    await shop.create("a")
    await shop.create("b", ranker_digest=models.digests["ranker-2"])
    await shop.flip("a")
    whole = {}
    for name in ("b", "a"):
        await shop.flip(name)
        whole[name] = ids(await shop.search(rank_depth=8))
    assert whole["a"] != whole["b"]
    answers: list[list[str]] = []
    flips, one_at_a_time = iter("bababa"), asyncio.Lock()

    async def searching() -> None:
        for _ in range(12):
            answer = await shop.search(rank_depth=8)
            assert list(answer.degradations) == []
            answers.append(ids(answer))
            # In the midst of what the others ask.
            if len(answers) % 5 == 0 and (name := next(flips, None)):
                async with one_at_a_time:
                    await shop.flip(name)

    await asyncio.gather(*(searching() for _ in range(3)))
    assert all(answer in whole.values() for answer in answers)
    assert {tuple(answer) for answer in answers} == {tuple(answer) for answer in whole.values()}


async def test_other_gateways_follow_a_flip(open_shop: OpenShop, models: Models) -> None:
    one, other = await open_shop(), await open_shop()
    follower: Follower = other.gateway._releases
    before = await other.search()
    await one.create("b", ranker_digest=models.digests["ranker-2"])
    await one.flip("b")
    expected = ids(await one.search())
    follower._read_at_s = -float("inf")  # as when what it knows has grown old
    async with asyncio.timeout(LIMIT_S):
        while ids(await other.search()) != expected:
            assert ids(before) != expected


async def test_what_is_not_served_is_named_with_the_setting_that_adds_it(shop: Shop) -> None:
    unknown = "sha256:" + "0" * 64
    status = await shop.create("x", embedder_digest=unknown, ranker_digest=unknown, recommender_digest=unknown)
    faults = "\n".join(status.faults)
    for setting in (
        "VITRINE_EMBEDDER_FURTHER_BUNDLES",
        "VITRINE_RANKER_FURTHER_BUNDLES",
        "VITRINE_EMBEDDER_FURTHER_RECOMMENDERS",
        "VITRINE_RETRIEVER_FURTHER_RECOMMENDERS",
        "VITRINE_RECOMMENDATION_FURTHER_BUNDLES",
    ):
        assert f"{unknown} is not served; add its folder to {setting}" in faults
    error = await refused(shop.flip("x", force=True))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "release x cannot serve" in (error.details() or "")
    assert not (await shop.listed())["x"].serving


async def test_wrong_requests_are_refused_by_name(shop: Shop) -> None:
    error = await refused(shop.create("not a name", ranker_digest="sha256:12"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "release.name" in (error.details() or "")
    assert "release.ranker_digest" in (error.details() or "")
    error = await refused(shop.flip("x"))
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "there is no release 'x'; there are: none")
    error = await refused(shop.releases.RollbackRelease(pb.RollbackReleaseRequest(), timeout=LIMIT_S))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "nothing to go back to" in (error.details() or "")
    await shop.create("a")
    await shop.flip("a")
    error = await refused(shop.releases.DeleteRelease(pb.DeleteReleaseRequest(name="a"), timeout=LIMIT_S))
    assert error.details() == "release a serves; flip to others first"


async def test_over_http_as_over_grpc(shop: Shop, models: Models) -> None:
    async with shop.gateway.http() as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

        async def asked(method: str, **fields: Any) -> dict[str, Any]:
            reply = await http.post(f"/vitrine.v1.ReleaseService/{method}", json=fields, timeout=LIMIT_S)
            return {"http": reply.status_code, **reply.json()}

        release = {"name": "b", "rankerDigest": models.digests["ranker-2"]}
        assert (await asked("CreateRelease", release=release))["http"] == 200
        assert (await asked("BuildRelease", name="b"))["done"]
        assert (await asked("FlipRelease", name="b"))["releases"]["releases"][0]["serving"]
        assert (await asked("AdoptRelease", name="b"))["http"] == 200  # its embedder is the catalogue's own already
        (status,) = (await asked("ListReleases"))["releases"]
        assert status["release"]["rankerDigest"] == models.digests["ranker-2"]
        refused_ = await asked("DeleteRelease", name="b", force=True)
        assert (refused_["http"], refused_["code"]) == (400, "failed_precondition")
        assert (await asked("RollbackRelease"))["http"] == 200
        assert (await asked("DeleteRelease", name="b", force=True))["http"] == 200
        assert "releases" not in await asked("ListReleases")


async def test_explanations_are_by_the_ranker_of_the_release(shop: Shop, models: Models) -> None:
    first = await shop.search(page_size=1, explain=True)
    await shop.create("b", ranker_digest=models.digests["ranker-2"])
    await shop.flip("b")
    answer = await shop.search(page_size=40, explain=True)
    assert list(answer.degradations) == []
    logits = {result.product.id: result.rank_logit for result in answer.results}
    for result in answer.results[:10]:
        assert result.explanation.logit == pytest.approx(result.rank_logit, abs=1e-3)
    assert abs(logits[first.results[0].product.id] - first.results[0].rank_logit) > 0.01


async def test_what_is_read_again_as_it_was_is_kept_once(shop: Shop) -> None:
    """One of it is kept beside each answer."""
    await shop.create("a")
    await shop.flip("a")
    follower: Follower = shop.gateway._releases
    before = await follower.refresh(deadline=Deadline.after(LIMIT_S))
    assert before.serving.name == "a"
    assert await follower.refresh(deadline=Deadline.after(LIMIT_S)) is before
    await shop.create("b")
    assert (await follower.refresh(deadline=Deadline.after(LIMIT_S))).record.named("b") is not None


async def test_a_retriever_that_keeps_no_releases_has_none(suite: Any, channel_to: Any) -> None:
    """As the backend of an older version: the first models serve, and who asks for more is told."""
    ports = replace(suite.gateway.ports, releases=ReleaseStoreClient(channel_to(suite.port_of["retriever"])))
    gateway = Gateway(GatewaySettings(redis_url="", http_port=0), ports, EventsSettings())
    await gateway.self_test()
    assert gateway.ready
    request = pb.CreateReleaseRequest(release=release_pb2.Release(name="a"))
    with pytest.raises(Unimplemented):
        await gateway.release_api.create_release(request, Deadline.after(LIMIT_S))
    await gateway.close()
