"""Search with a visitor's taste over real engines and event store, without a recommender: by likeness of texts."""

from typing import Any

import pytest

from gateway.search import Degradation, SearchAnswer
from vitrine.errors import Unavailable
from vitrine.v1 import recommendation_reason_pb2, search_service_pb2, search_service_pb2_grpc

EPSILON = 0.03


def ids_of(answer: SearchAnswer) -> list[str]:
    return [hit.product.id for hit in answer.hits]


async def test_taste_breaks_near_ties_and_relevance_leads(stand: Any) -> None:
    await stand.report("ana", "p008", "p009", kind="ADD_TO_CART")  # red watches
    anonymous = await stand.shop.search("watch", page_size=40)
    personal = await stand.shop.search("watch", page_size=40, visitor_id="ana")
    assert ids_of(personal) != ids_of(anonymous)
    assert sorted(ids_of(personal)) == sorted(ids_of(anonymous))
    assert personal.degradations == ()
    ranked = [hit for hit in personal.hits if hit.rank]
    probabilities = [hit.rank.probability for hit in ranked]
    for place, probability in enumerate(probabilities):
        assert max(probabilities[place:]) <= probability + EPSILON + 1e-9
    for hit in ranked:
        assert abs(hit.personal.score) <= EPSILON / 2 + 1e-9
        assert sum(reason.contribution for reason in hit.personal.reasons) == pytest.approx(hit.personal.score)
    favourite = max(ranked, key=lambda hit: hit.personal.score)
    assert set(favourite.personal.reasons[0].product_ids) & {"p008", "p009"}


async def test_without_taste_the_order_is_that_of_an_anonymous_search(stand: Any) -> None:
    await stand.report("ana", "p008")
    channel_stub = search_service_pb2_grpc.SearchServiceStub(stand.channel)

    async def order(**fields: Any) -> list[bytes]:
        request = search_service_pb2.SearchRequest(query="smart watch", page_size=40, **fields)
        answer = await channel_stub.Search(request, timeout=60)
        for result in answer.results:
            # A pair computed beside other pairs may differ in its last bits.
            result.rank_logit = round(result.rank_logit, 3)
            result.rank_score = round(result.rank_score, 3)
            result.rank_probability = round(result.rank_probability, 3)
        return [result.SerializeToString(deterministic=True) for result in answer.results]

    anonymous = await order()
    assert await order(visitor_id="ana", personalize=False) == anonymous
    assert await order(visitor_id="nobody-knows-her") == anonymous
    assert await order(visitor_id="ana") != anonymous


async def test_pages_keep_the_order_and_what_taste_added(stand: Any) -> None:
    await stand.report("ana", "p008")
    whole = await stand.shop.search("smart watch", page_size=20, visitor_id="ana")
    pages, token = [], ""
    for _ in range(4):
        page = await stand.shop.search("smart watch", page_size=5, visitor_id="ana", page_token=token)
        pages += page.hits
        token = page.next_page_token
    assert [hit.product.id for hit in pages] == ids_of(whole)
    assert [hit.personal.score for hit in pages] == pytest.approx([hit.personal.score for hit in whole.hits])


async def test_over_the_wire_a_result_says_what_taste_added_and_why(stand: Any) -> None:
    await stand.report("ana", "p008")
    stub = search_service_pb2_grpc.SearchServiceStub(stand.channel)
    answer = await stub.Search(search_service_pb2.SearchRequest(query="smart watch", visitor_id="ana"), timeout=60)
    (reason,) = answer.results[0].reasons
    assert reason.source == recommendation_reason_pb2.RECOMMENDATION_SOURCE_HISTORY
    assert reason.contribution == pytest.approx(answer.results[0].personal_score)
    assert list(reason.product_ids) == ["p008"]


async def test_a_retriever_that_cannot_tell_likeness_costs_only_the_taste(
    stand: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stand.report("ana", "p008")
    anonymous = await stand.shop.search("smart watch")

    async def fails(*args: Any, **fields: Any) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(stand.shop.retriever, "retrieve_similar", fails, raising=False)
    answer = await stand.shop.search("smart watch", visitor_id="ana")
    assert ids_of(answer) == ids_of(anonymous)
    assert answer.degradations == (Degradation.NO_PERSONALISATION,)


async def test_without_an_event_store_a_known_visitor_is_told_and_a_stranger_is_not(shop: Any) -> None:
    anonymous = await shop.search("smart watch")
    assert anonymous.degradations == ()
    assert "taste" not in anonymous.timings_ms
    known = await shop.search("smart watch", visitor_id="ana")
    assert ids_of(known) == ids_of(anonymous)
    assert known.degradations == (Degradation.NO_PERSONALISATION,)
