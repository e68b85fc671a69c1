"""Arms that name a release: visitors in them are answered by its models, and by them alone."""

from typing import Any

from prometheus_client import REGISTRY

from gateway.events.settings import EventsSettings
from tests.gateway.releases.conftest import Models, OpenShop
from vitrine.v1.recommendation_service_pb2 import PLACEMENT_SIMILAR

ARMS = """
[experiments.rankers]
placements = ["search"]
arms = [{ name = "today" }, { name = "other", release = "b" }]
[experiments.recommenders]
placements = ["home", "similar"]
arms = [{ name = "today" }, { name = "other", release = "c", settings = { exploration = 0.0 } }]
"""


def ids(answer: Any) -> list[str]:
    return [result.product.id for result in answer.results]


def arms(answer: Any) -> dict[str, str]:
    return {one.experiment: one.arm for one in answer.experiment_arms}


async def test_two_rankers_are_compared(experiments_file: Any, open_shop: OpenShop, models: Models) -> None:
    experiments_file.write(ARMS)
    shop = await open_shop()
    await shop.create("b", ranker_digest=models.digests["ranker-2"])
    await shop.create("c", recommender_digest=models.digests["recommender-2"])
    by_arm = {}
    for arm in ("today", "other"):
        visitor = experiments_file.visitor_in("rankers", arm)
        answer = await shop.search(visitor_id=visitor, personalize=False)
        assert arms(answer) == {"rankers": arm}
        assert list(answer.degradations) == []
        by_arm[arm] = ids(answer)
        explained = await shop.search(visitor_id=visitor, personalize=False, explain=True, page_size=1)
        assert abs(explained.results[0].explanation.logit - explained.results[0].rank_logit) < 1e-3
    assert by_arm["today"] == ids(await shop.search())
    await shop.flip("b")
    assert by_arm["other"] == ids(await shop.search())


async def test_two_recommenders_are_compared(
    experiments_file: Any, open_shop: OpenShop, models: Models, events_settings: EventsSettings
) -> None:
    experiments_file.write(ARMS)
    shop = await open_shop(events_settings)
    await shop.create("b", ranker_digest=models.digests["ranker-2"])
    await shop.create("c", recommender_digest=models.digests["recommender-2"])
    asked: list[str] = []
    retriever = shop.gateway.ports.retriever
    related = retriever.retrieve_related

    async def seen(query: Any, **named: Any) -> Any:
        found = await related(query, **named)
        asked.append(found.recommender_digest)
        return found

    retriever.retrieve_related = seen  # type: ignore[method-assign]
    try:
        for arm, digest in (("today", "recommender"), ("other", "recommender-2")):
            visitor = experiments_file.visitor_in("recommenders", arm)
            answer = await shop.recommend(
                placement=PLACEMENT_SIMILAR, visitor_id=visitor, product_ids=["p000"], explain=True
            )
            assert arms(answer) == {"recommenders": arm}
            assert list(answer.degradations) == []
            assert answer.results
            assert asked == [models.digests[digest]]
            asked.clear()
    finally:
        retriever.retrieve_related = related  # type: ignore[method-assign]


async def test_interleaved_rankers_share_one_list(experiments_file: Any, open_shop: OpenShop, models: Models) -> None:
    experiments_file.write(ARMS.replace('placements = ["search"]', 'placements = ["search"]\ninterleave = true'))
    shop = await open_shop()
    await shop.create("b", ranker_digest=models.digests["ranker-2"])
    await shop.create("c")
    answer = await shop.search(visitor_id="v1", personalize=False)
    assert arms(answer) == {"rankers": "interleaved"}
    one = ids(await shop.search())
    await shop.flip("b")
    other = ids(await shop.search())
    both = ids(answer)
    assert both not in (one, other)
    assert {both[0], both[1]} == {one[0], other[0]}


async def test_an_experiment_waits_while_a_release_of_its_arms_cannot_answer(
    experiments_file: Any, open_shop: OpenShop, models: Models
) -> None:
    def suspended() -> float | None:
        return REGISTRY.get_sample_value("vitrine_experiments_suspended", {"experiment": "rankers"})

    experiments_file.write(ARMS)
    shop = await open_shop()
    for arm in ("today", "other"):
        answer = await shop.search(visitor_id=experiments_file.visitor_in("rankers", arm))
        assert arms(answer) == {}
    assert suspended() == 1.0
    await shop.create("b", ranker_digest="sha256:" + "0" * 64)
    assert arms(await shop.search(visitor_id=experiments_file.visitor_in("rankers", "today"))) == {}
    await shop.create("b", ranker_digest=models.digests["ranker-2"])
    assert arms(await shop.search(visitor_id=experiments_file.visitor_in("rankers", "today"))) == {"rankers": "today"}
    assert suspended() == 0.0
