"""Experiments over real gRPC: visitors in different arms get different answers, and events that name them come back."""

from typing import Any

import pytest

from gateway.events.settings import EventsSettings
from gateway.experiments.attribution import INTERLEAVED, read_token
from vitrine.v1 import search_service_pb2, search_service_pb2_grpc
from vitrine.v1.recommendation_reason_pb2 import RecommendationSource

LIMIT_S = 60.0
ARMS = """
[experiments.varied]
placements = ["home"]
arms = [{ name = "today" }, { name = "varied", settings = { diversity = 1.0 } }]
[experiments.depth]
placements = ["search"]
arms = [{ name = "shallow", settings = { rank_depth = 3 } }, { name = "deep", settings = { rank_depth = 20 } }]
"""
BOTH_ARMS = """
[experiments.varied]
placements = ["home"]
arms = [{ name = "a", settings = { diversity = DIVERSITY } }, { name = "b", settings = { diversity = DIVERSITY } }]
"""
LISTS = ARMS.replace("arms =", "interleave = true\narms =").replace("20", "12")


@pytest.fixture
async def stand(experiments_file: Any, open_stand: Any, events_settings: EventsSettings) -> Any:
    experiments_file.write(ARMS)
    return await open_stand(events_settings)


async def search(stand: Any, **fields: Any) -> search_service_pb2.SearchResponse:
    request = search_service_pb2.SearchRequest(query="smart watch", **fields)
    stub = search_service_pb2_grpc.SearchServiceStub(stand.channel)
    answer: search_service_pb2.SearchResponse = await stub.Search(request, timeout=LIMIT_S)
    return answer


def arms(answer: Any) -> dict[str, str]:
    return {one.experiment: one.arm for one in answer.experiment_arms}


async def test_visitors_in_different_arms_get_different_settings(stand: Any, experiments_file: Any) -> None:
    kinds = {}
    for arm in ("today", "varied"):
        visitor = experiments_file.visitor_in("varied", arm)
        await stand.report(visitor, "p000")
        answer = await stand.recommend(visitor_id=visitor)
        assert arms(answer) == {"varied": arm}
        token = read_token(answer.attribution_token)
        assert token is not None
        assert (token.place, token.arms) == ("home", {"varied": arm})
        kinds[arm] = len({(one.product.brand, one.product.categories[0]) for one in answer.results})
    assert kinds["varied"] > kinds["today"]
    for arm, depth in (("shallow", 3), ("deep", 20)):
        visitor = experiments_file.visitor_in("depth", arm)
        answer = await search(stand, visitor_id=visitor)
        assert (arms(answer), answer.rank_depth) == ({"depth": arm}, depth)
    assert (arms(await search(stand)), arms(await stand.recommend())) == ({}, {})


async def test_an_arm_weighs_sources(stand: Any, experiments_file: Any) -> None:
    weights = "{ history = 0.0 }"
    experiments_file.write(BOTH_ARMS.replace("diversity = DIVERSITY", f"source_weights = {weights}"))
    await stand.report("ana", "p000", category="smart watch")
    await stand.report("ben", "p001", "p002", category="smart watch")
    answer = await stand.recommend(visitor_id="ana")
    sources = {reason.source for result in answer.results for reason in result.reasons}
    assert RecommendationSource.RECOMMENDATION_SOURCE_POPULAR_IN_CATEGORY in sources
    assert RecommendationSource.RECOMMENDATION_SOURCE_HISTORY not in sources


async def test_later_pages_keep_token_and_arms(stand: Any, experiments_file: Any) -> None:
    first = await search(stand, visitor_id=experiments_file.visitor_in("depth", "deep"))
    second = await search(stand, page_token=first.next_page_token)
    assert second.results[0].position == 11
    assert second.attribution_token == first.attribution_token
    assert arms(second) == arms(first) == {"depth": "deep"}


async def test_a_changed_file_holds_for_the_next_call(stand: Any, experiments_file: Any) -> None:
    visitor = experiments_file.visitor_in("depth", "deep")
    experiments_file.write(ARMS.replace("20", "6"))
    assert (await search(stand, visitor_id=visitor)).rank_depth == 6


async def test_interleaved_lists_hold_both_arms_results_with_their_teams(stand: Any, experiments_file: Any) -> None:
    experiments_file.write(LISTS)
    await stand.report("ana", "p000")
    answer = await stand.recommend(visitor_id="ana", page_size=10)
    assert arms(answer) == {"varied": INTERLEAVED}
    token = read_token(answer.attribution_token)
    assert token is not None
    assert sorted(token.teams["varied"]) == [0] * 5 + [1] * 5
    shown = [one.product.id for one in answer.results]
    assert len(set(shown)) == 10
    # Each arm's results are those of its own list, in that order.
    for team, diversity in enumerate((0.15, 1.0)):
        experiments_file.write(BOTH_ARMS.replace("DIVERSITY", str(diversity)))
        alone = await stand.ids(visitor_id="ana", page_size=10)
        places = [alone.index(one) for one, of in zip(shown, token.teams["varied"], strict=True) if of == team]
        assert places == sorted(places)


async def test_an_interleaved_search_goes_on_over_pages(stand: Any, experiments_file: Any) -> None:
    experiments_file.write(LISTS)
    pages = [await search(stand, visitor_id="ana", page_size=8)]
    while pages[-1].next_page_token and len(pages) < 4:
        pages.append(await search(stand, visitor_id="ana", page_size=8, page_token=pages[-1].next_page_token))
    assert {page.attribution_token for page in pages} == {pages[0].attribution_token}
    ids = [one.product.id for page in pages for one in page.results]
    assert len(set(ids)) == len(ids) == 32
    token = read_token(pages[0].attribution_token)
    assert token is not None
    # As deep as the deeper arm ranks; further down both have the same order.
    assert len(token.teams["depth"]) == 12
    ranked = [one.HasField("rank_score") for page in pages for one in page.results]
    assert 8 <= sum(ranked[:12]) == pages[0].rank_depth <= 12
