"""HOME again for a visitor who did nothing since: from memory, until anything that it depends on changes."""

import gc
from typing import Any, cast

from gateway.notes import Notes
from gateway.recommendation.candidates import Wanted
from gateway.recommendation.kept_listings import KeptListings, _Key
from gateway.recommendation.placement import Listing, Visit
from gateway.recommendation.query import RecommendQuery
from gateway.recommendation.settings import RecommendationSettings
from gateway.recommendation.taste import Taste
from vitrine.deadline import Deadline
from vitrine.ports import Anchor, ProductFilter, Retriever
from vitrine.v1 import recommendation_service_pb2 as pb


def _ids(answer: pb.RecommendResponse) -> list[str]:
    return [result.product.id for result in answer.results]


def _stages(answer: pb.RecommendResponse) -> set[str]:
    return {timing.stage for timing in answer.timings}


async def test_who_did_nothing_since_sees_the_same_from_memory(learned: Any) -> None:
    await learned.report("ana", "p000")
    made, again = [await learned.recommend(visitor_id="ana") for _ in range(2)]
    assert {"gather", "retrieve", "fuse", "arrange"} <= _stages(made)
    assert _stages(again) == {"visitor", "kept", "total"}
    assert list(made.results) == list(again.results)
    assert made.attribution_token != again.attribution_token
    other = await learned.recommend(visitor_id="ana", page_size=3)
    assert "kept" not in _stages(other)
    assert len(other.results) == 3
    explained = await learned.recommend(visitor_id="ana", explain=True)
    assert "kept" in _stages(explained)
    assert all(reason.features for result in explained.results for reason in result.reasons if reason.contribution)


async def test_an_event_and_a_change_of_a_product_end_it_at_once(learned: Any) -> None:
    await learned.report("ana", "p000")
    first = _ids(await learned.recommend(visitor_id="ana"))
    await learned.delete(first[0])
    without = await learned.recommend(visitor_id="ana")
    assert "kept" not in _stages(without)
    assert first[0] not in _ids(without)
    assert "kept" in _stages(await learned.recommend(visitor_id="ana"))
    await learned.change(_ids(without)[1], price=7.0)
    dearer = (await learned.recommend(visitor_id="ana")).results
    assert 7.0 in [result.product.price for result in dearer]
    await learned.report("ana", "p100")
    after = await learned.recommend(visitor_id="ana")
    assert "kept" not in _stages(after)
    assert {"p101", "p103"} <= set(_ids(after))


async def test_of_who_is_unknown_and_where_it_is_off_nothing_is_kept(learned: Any, open_learned_stand: Any) -> None:
    for _ in range(2):
        assert "kept" not in _stages(await learned.recommend(visitor_id="new"))
    stand = await open_learned_stand(answers_kept_s=0)
    await stand.report("ana", "p000")
    for _ in range(2):
        assert "kept" not in _stages(await stand.recommend(visitor_id="ana"))


async def test_of_many_visitors_no_more_is_held_than_is_kept() -> None:
    kept = KeptListings(cast(Retriever, None), kept_s=3_600)
    settings = RecommendationSettings()
    wanted = Wanted(ProductFilter(), frozenset(), 10, Deadline.after(60), 1.0)

    async def made() -> Listing:
        return Listing(())

    for number in range(700):
        taste = Taste(liked=(Anchor(f"p{number}", 1.0),))
        await kept.listing(Visit(RecommendQuery(), (), taste, wanted, Notes(), settings, attribution_token=""), made)
    # Timers that were left running would hold what is known of the visitors for an hour.
    assert sum(type(one) is _Key and one.settings is settings for one in gc.get_objects()) <= 500
