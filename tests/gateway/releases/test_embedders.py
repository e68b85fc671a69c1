"""A new embedder over real gRPC: embedded beside, built, measured, flipped under load, rolled back, compared."""

import asyncio
from typing import Any

import grpc
import pytest

from tests.gateway.releases.conftest import LIMIT_S, Models, OpenShop, Shop
from vitrine.product import Product
from vitrine.v1 import release_service_pb2 as pb
from vitrine.v1.recommendation_service_pb2 import PLACEMENT_SIMILAR

QUERIES = ("smart watch", "智能手表", "black headphones", "red phone case")


def scores(answer: Any) -> tuple[tuple[str, float], ...]:
    return tuple((result.product.id, round(result.retrieval_score, 4)) for result in answer.results)


async def found(shop: Shop, query: str, **fields: Any) -> tuple[tuple[str, float], ...]:
    answer = await shop.search(query, rank_depth=0, **fields)
    assert list(answer.degradations) == []
    return scores(answer)


async def new_embedder(shop: Shop, models: Models) -> None:
    status = await shop.create("new", embedder_digest=models.digests["embedder-2"])
    assert list(status.faults) != []
    await shop.build("new")
    assert list((await shop.listed())["new"].faults) == []


async def test_it_is_built_measured_flipped_and_rolled_back(shop: Shop, models: Models) -> None:
    status = await shop.create("new", embedder_digest=models.digests["embedder-2"])
    (fault,) = status.faults
    assert fault == f"240 products have no vector of {models.digests['embedder-2']} yet; build the release"
    with pytest.raises(grpc.aio.AioRpcError, match="240 products have no vector"):
        await shop.flip("new", force=True)
    before = {query: await found(shop, query) for query in QUERIES}
    best = before["smart watch"][0][0]
    built = await shop.build("new", **{"smart watch": {best: 1.0}})
    gates = built.status.release.gates
    assert (gates.recall, gates.queries, gates.ndcg_serving > 0) == (1.0, 1, True)
    assert {query: await found(shop, query) for query in QUERIES} == before
    await shop.flip("new", force=bool(gates.faults))
    after = {query: await found(shop, query) for query in QUERIES}
    assert all(after[query] != before[query] for query in QUERIES)
    await shop.releases.RollbackRelease(pb.RollbackReleaseRequest(), timeout=LIMIT_S)
    assert {query: await found(shop, query) for query in QUERIES} == before


async def test_under_load_no_answer_fails_or_is_mixed_while_it_flips(shop: Shop, models: Models) -> None:
    await new_embedder(shop, models)
    whole: dict[str, set[Any]] = {query: {await found(shop, query)} for query in QUERIES}
    await shop.flip("new")
    for query in QUERIES:
        whole[query].add(await found(shop, query))
        assert len(whole[query]) == 2
    answers: list[tuple[str, Any]] = []
    flips, one_at_a_time = iter([False, True] * 4), asyncio.Lock()

    async def flip(to_new: bool) -> None:
        if to_new:
            await shop.flip("new")
        else:
            await shop.releases.RollbackRelease(pb.RollbackReleaseRequest(), timeout=LIMIT_S)

    async def searching(place: int) -> None:
        for turn in range(40):
            query = QUERIES[(place + turn) % len(QUERIES)]
            answers.append((query, await found(shop, query)))
            # In the midst of what the others ask.
            if len(answers) % 20 == 0 and (to_new := next(flips, None)) is not None:
                async with one_at_a_time:
                    await flip(to_new)

    await asyncio.gather(*(searching(place) for place in range(4)))
    for query, answer in answers:
        assert answer in whole[query]
    assert {answer for _, answer in answers} == {answer for both in whole.values() for answer in both}


async def test_adopted_under_load_no_answer_fails_and_the_old_one_is_needed_no_more(shop: Shop, models: Models) -> None:
    await new_embedder(shop, models)

    async def ids(query: str) -> list[str]:
        # What is written changes how rare words are, and with it scores a little.
        return [product_id for product_id, _ in await found(shop, query, page_size=10)]

    before = {query: await ids(query) for query in QUERIES}
    with pytest.raises(grpc.aio.AioRpcError, match="release new does not serve: vitrine release flip new comes first"):
        await shop.adopt("new")
    await shop.flip("new")
    after = {query: await ids(query) for query in QUERIES}
    assert all(after[query] != before[query] for query in QUERIES)
    written = 0

    async def searching(place: int) -> None:
        for turn in range(12):
            query = QUERIES[(place + turn) % len(QUERIES)]
            assert await ids(query) == after[query]

    async def writing() -> None:
        nonlocal written
        for written in range(1, 9):
            await shop.upsert(Product(id=f"a{written}", title=f"violet sundial {written}", brand="Gnomon"))

    await asyncio.gather(*map(searching, range(3)), writing(), shop.adopt("new"))
    listed = await shop.releases.ListReleases(pb.ListReleasesRequest(), timeout=LIMIT_S)
    old, new = models.digests["embedder"], models.digests["embedder-2"]
    assert [(one.model_digest, one.missing) for one in listed.generations] == [(new, 0), (old, 0)]
    await shop.releases.RollbackRelease(pb.RollbackReleaseRequest(), timeout=LIMIT_S)
    assert {query: await ids(query) for query in QUERIES} == before
    await shop.flip("new")
    await shop.releases.DeleteRelease(pb.DeleteReleaseRequest(name="before-new", force=True), timeout=LIMIT_S)
    await shop.upsert(Product(id="b1", title="violet sundial", brand="Gnomon"))
    assert {"b1", *(f"a{number}" for number in range(1, written + 1))} <= set(await ids("violet sundial"))
    listed = await shop.releases.ListReleases(pb.ListReleasesRequest(), timeout=LIMIT_S)
    assert [one.model_digest for one in listed.generations] == [new]


async def test_what_is_written_at_any_time_is_found_before_and_after(shop: Shop, models: Models) -> None:
    def product(number: int) -> Product:
        return Product(id=f"n{number}", title=f"violet sundial {number}", brand="Gnomon")

    await shop.upsert(product(1))
    await shop.create("new", embedder_digest=models.digests["embedder-2"])
    await shop.upsert(product(2))
    await shop.build("new")
    await shop.upsert(product(3))
    for name in ("", "new"):
        if name:
            await shop.flip(name)
            await shop.upsert(product(4))
        ids = {product_id for product_id, _ in await found(shop, "violet sundial", page_size=5)}
        assert {f"n{number}" for number in range(1, 5 if name else 4)} <= ids
    assert list((await shop.listed())["new"].faults) == []


async def test_a_build_that_was_cut_off_goes_on(open_shop: OpenShop, models: Models) -> None:
    shop = await open_shop()
    await shop.create("new", embedder_digest=models.digests["embedder-2"])
    building = shop.releases.BuildRelease(pb.BuildReleaseRequest(name="new"), timeout=LIMIT_S)
    vectors = 0
    async with asyncio.timeout(LIMIT_S):
        while not vectors:
            listed = await shop.releases.ListReleases(pb.ListReleasesRequest(), timeout=LIMIT_S)
            vectors = listed.generations[1].vectors
    building.cancel()
    other = await open_shop()
    assert (await other.build("new")).done
    assert list((await other.listed())["new"].faults) == []


async def test_a_release_that_answers_worse_is_kept_from_serving(shop: Shop, models: Models) -> None:
    # All that the shop shows first is right, and the second ranker turns the order round.
    judged = {query: {one: 1.0 for one, _ in scores(await shop.search(query))[:3]} for query in QUERIES}
    await shop.create("worse", ranker_digest=models.digests["ranker-2"])
    gates = (await shop.build("worse", **judged)).status.release.gates
    assert gates.ndcg < gates.ndcg_serving == 1.0
    assert "nDCG@10 is" in gates.faults[0]
    with pytest.raises(grpc.aio.AioRpcError, match=r"did not pass its gates: nDCG@10 is .* --force flips all the same"):
        await shop.flip("worse")
    await shop.flip("worse", force=True)
    assert (await shop.listed())["worse"].serving


async def test_wrong_queries_are_named(shop: Shop) -> None:
    await shop.create("a")
    queries = [pb.JudgedQuery(query=" ", gains={"p": 1.0}), pb.JudgedQuery(query="watch", gains={"p": 0.0})]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await shop.releases.BuildRelease(pb.BuildReleaseRequest(name="a", queries=queries), timeout=LIMIT_S)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "queries[0].query" in (refused.value.details() or "")
    assert "queries[1].gains" in (refused.value.details() or "")


async def test_two_embedders_are_compared(experiments_file: Any, open_shop: OpenShop, models: Models) -> None:
    experiments_file.write("""
[experiments.embedders]
placements = ["search"]
arms = [{ name = "today" }, { name = "other", release = "new" }]
[experiments.likeness]
placements = ["similar"]
arms = [{ name = "today" }, { name = "other", release = "new" }]
""")
    shop = await open_shop()
    await new_embedder(shop, models)
    by_arm, similar = {}, {}
    for arm in ("today", "other"):
        visitor = experiments_file.visitor_in("embedders", arm)
        answer = await shop.search(QUERIES[0], rank_depth=0, visitor_id=visitor, personalize=False)
        assert {one.experiment: one.arm for one in answer.experiment_arms} == {"embedders": arm}
        by_arm[arm] = scores(answer)
        visitor = experiments_file.visitor_in("likeness", arm)
        liked = await shop.recommend(placement=PLACEMENT_SIMILAR, visitor_id=visitor, product_ids=["p000"])
        similar[arm] = [result.product.id for result in liked.results]
    assert by_arm["today"] == await found(shop, QUERIES[0])
    await shop.flip("new")
    assert by_arm["other"] == await found(shop, QUERIES[0]) != by_arm["today"]
    assert similar["today"]
    assert similar["other"]
