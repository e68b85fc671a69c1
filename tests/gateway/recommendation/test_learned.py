"""Recommendation with a recommender: real bundle, engines and event store. Numbers are rows of users' cases."""

from pathlib import Path
from typing import Any

import pytest

from gateway.recommendation.features import FEATURES
from gateway.recommendation.fusion import Fusion
from gateway.search import Degradation
from tests.gateway.recommendation.learned_shop import KNOWN, write_learned
from vitrine.errors import FailedPrecondition, Unavailable
from vitrine.product import Availability, Product
from vitrine.recommender_bundle import write_recommender
from vitrine.v1 import common_pb2
from vitrine.v1 import recommendation_service_pb2 as pb
from vitrine.v1.recommendation_reason_pb2 import RecommendationSource as Source

WATCHES = "smart watch"


def reasons_of(result: pb.RecommendationResult) -> dict[str, Any]:
    """The reasons by source."""
    return {Source.Name(one.source).removeprefix("RECOMMENDATION_SOURCE_"): one for one in result.reasons}


def by_id(answer: pb.RecommendResponse) -> dict[str, pb.RecommendationResult]:
    return {result.product.id: result for result in answer.results}


def check_contributions(answer: pb.RecommendResponse) -> None:
    """They add up, the largest is first, none is 0 beside others, and features are those of the model."""
    for result in answer.results:
        contributions = [reason.contribution for reason in result.reasons]
        assert sum(contributions) == pytest.approx(result.score, abs=1e-9)
        assert contributions == sorted(contributions, reverse=True)
        assert all(contributions) or len(contributions) == 1
        assert {feature.name for reason in result.reasons for feature in reason.features} <= set(FEATURES)


async def test_home_ranks_by_all_relations_and_says_what_led_to_it(open_learned_stand: Any) -> None:
    stand = await open_learned_stand(diversity=0.0, exploration=0.0)
    await stand.report("ana", "p000")
    answer = await stand.recommend(visitor_id="ana", page_size=40, explain=True)
    assert (len(answer.results), list(answer.degradations)) == (40, [])
    check_contributions(answer)
    scores = [result.score for result in answer.results]
    assert scores == sorted(scores, reverse=True)
    found = by_id(answer)
    for product_id, source in (("p001", "ITEM_ITEM"), ("p002", "ITEM_ITEM"), ("p003", "CO_PURCHASE")):
        assert list(reasons_of(found[product_id])[source].product_ids) == ["p000"]
    assert list(reasons_of(found["p001"])["BEHAVIOUR"].product_ids) == ["p000"]
    assert list(reasons_of(found["p001"])["HISTORY"].product_ids) == ["p000"]
    assert {one.name for one in reasons_of(found["p001"])["ITEM_ITEM"].features} <= {
        "item_item", "item_item_near", "item_item_place", "item_item_known"
    }  # fmt: skip
    assert {"BEHAVIOUR", "ALS", "TEXT_SIMILAR"} <= set(reasons_of(found["p001"]))
    plain = await stand.recommend(visitor_id="ana", page_size=40)
    assert [one.product.id for one in plain.results] == [one.product.id for one in answer.results]
    assert not any(reason.features for result in plain.results for reason in result.reasons)


async def test_a_click_changes_the_next_answer(learned: Any) -> None:
    await learned.report("ana", "p000")
    before = await learned.ids(visitor_id="ana")
    await learned.report("ana", "p100")
    after = await learned.recommend(visitor_id="ana")
    assert [result.product.id for result in after.results] != before
    assert {"p101", "p103"} <= set(by_id(after))


async def test_what_goes_with_a_product_is_what_was_bought_with_it_and_no_second_one(learned: Any) -> None:
    for placement in (pb.PLACEMENT_COMPLEMENTARY, pb.PLACEMENT_CART):
        answer = await learned.recommend(placement=placement, product_ids=["p000", "nobody", "p007"])
        check_contributions(answer)
        assert list(answer.missing_product_ids) == ["nobody"]
        assert (len(answer.results), list(answer.degradations)) == (10, [])
        found = by_id(answer)
        for product_id, anchor in (("p003", "p000"), ("p010", "p007")):
            assert list(reasons_of(found[product_id])["CO_PURCHASE"].product_ids) == [anchor]
        assert not {"p000", "p007"} & set(found)
        # Watches that nobody bought with a watch stay away.
        assert {one.product.id for one in answer.results if WATCHES in one.product.categories} == {"p003", "p010"}


async def test_similar_is_like_the_anchors(learned: Any) -> None:
    answer = await learned.recommend(placement=pb.PLACEMENT_SIMILAR, product_ids=["p040", "nobody"])
    check_contributions(answer)
    assert list(answer.missing_product_ids) == ["nobody"]
    assert "p040" not in by_id(answer)
    assert all(reasons_of(one)["TEXT_SIMILAR"].product_ids == ["p040"] for one in answer.results)


async def test_of_a_visitor_of_whom_nothing_is_known_what_is_popular_leads(learned: Any) -> None:
    await learned.report("ben", "p050", kind="PURCHASE", country_code="CN")
    await learned.report("cem", "p051", kind="PURCHASE", country_code="DE")
    answer = await learned.recommend(page_size=5)
    assert {one.product.id for one in answer.results[:2]} == {"p050", "p051"}
    assert "POPULAR" in reasons_of(answer.results[0])
    german = await learned.recommend(page_size=5, country_code="DE")
    assert "POPULAR_IN_COUNTRY" in reasons_of(by_id(german)["p051"])
    assert "POPULAR_IN_COUNTRY" not in reasons_of(by_id(german)["p050"])


async def test_145_146_profile_and_an_empty_shop(learned: Any) -> None:
    profile = pb.Profile(languages=["zh"], min_price=100, max_price=300, currency_code="CNY", categories=[WATCHES])
    answer = await learned.recommend(visitor_id="new", profile=profile, page_size=5)
    assert all("智能手表" in one.product.title for one in answer.results)
    assert all(next(iter(reasons_of(one))) == "PROFILE_FIT" for one in answer.results)
    words = await learned.recommend(visitor_id="new", profile_text="跑步鞋", page_size=5)
    assert all("跑步鞋" in one.product.title for one in words.results)
    assert all(reasons_of(one)["PROFILE"].text == "跑步鞋" for one in words.results)
    await learned.delete(*(f"p{number:03}" for number in range(240)))
    for fields in ({}, {"visitor_id": "ana"}, {"placement": pb.PLACEMENT_CART, "product_ids": ["p001"]}):
        empty = await learned.recommend(**fields)
        assert (len(empty.results), empty.shortfall) == (0, common_pb2.SHORTFALL_NO_MORE_MATCHES)


async def test_149_154_a_product_is_recommended_the_minute_it_is_added_and_gone_when_it_is_hidden(
    learned: Any,
) -> None:
    await learned.report("ana", "p000", "p001")
    await learned.write(Product(id="bare", title="black smart watch"))
    answer = await learned.recommend(visitor_id="ana", page_size=40)
    check_contributions(answer)
    assert "BEHAVIOUR" in reasons_of(by_id(answer)["bare"])
    await learned.change("bare", availability=Availability.OUT_OF_STOCK)
    assert "bare" not in await learned.ids(visitor_id="ana", page_size=40)


async def test_151_153_what_was_seen_bought_or_excluded_is_left_out_and_the_list_is_full(learned: Any) -> None:
    await learned.report("ana", "p000")
    await learned.report("ana", "p001", kind="PURCHASE")
    found = await learned.ids(visitor_id="ana", page_size=40, exclude_product_ids=["p002", "p003"])
    assert len(found) == 40
    assert not {"p000", "p001", "p002", "p003"} & set(found)


async def test_one_place_in_ten_is_for_what_nobody_knows_yet(open_learned_stand: Any) -> None:
    stand = await open_learned_stand(exploration=0.1)
    answers = {}
    for share, asked in ((0.1, stand), (0.0, await open_learned_stand(exploration=0.0))):
        for place in range(15):
            await asked.report(f"v{place}", f"p{place + 20:03}", kind="PURCHASE")
        answers[share] = await asked.recommend(page_size=10)
    assert all(one.product.id in KNOWN for one in answers[0.0].results)
    known = [one.product.id in KNOWN for one in answers[0.1].results]
    assert known == [True] * 9 + [False]
    newcomer = answers[0.1].results[-1]
    check_contributions(answers[0.1])
    assert next(iter(reasons_of(newcomer))) == "FRESH"


async def test_without_the_embedder_histories_are_not_encoded_and_that_is_told(learned: Any) -> None:
    await learned.report("ana", "p000")
    learned.shop.embedder.error = Unavailable("away")
    answer = await learned.recommend(visitor_id="ana")
    assert list(answer.degradations) == [common_pb2.DEGRADATION_NO_RECOMMENDER]
    assert all("BEHAVIOUR" not in reasons_of(one) for one in answer.results)
    assert "CO_PURCHASE" in reasons_of(by_id(answer)["p003"])


async def test_another_recommender_than_the_gateways_is_not_used_and_that_is_told(
    open_learned_stand: Any, tmp_path: Path, shop_vectors: Any
) -> None:
    other = tmp_path / "other"
    write_learned(other, shop_vectors.model_digest, shop_vectors.vectors.shape[1], seed=1)
    stand = await open_learned_stand(bundle=str(other))
    await stand.report("ana", "p000")
    ways: list[dict[str, Any]] = [
        {"visitor_id": "ana"},
        {},
        {"placement": pb.PLACEMENT_CART, "product_ids": ["p000"]},
    ]
    for way in ways:
        answer = await stand.recommend(**way)
        assert len(answer.results) == 10
        assert list(answer.degradations) == [common_pb2.DEGRADATION_NO_RECOMMENDER]
        assert not {"BEHAVIOUR", "CO_PURCHASE"} & {name for one in answer.results for name in reasons_of(one)}


async def test_a_search_is_personalised_by_the_recommender(learned: Any) -> None:
    await learned.report("ana", "p000")
    anonymous = await learned.shop.search("smart watch", page_size=20)
    personal = await learned.shop.search("smart watch", page_size=20, visitor_id="ana")
    assert personal.degradations == ()
    assert [hit.product.id for hit in personal.hits] != [hit.product.id for hit in anonymous.hits]
    sources = {reason.source.value for hit in personal.hits for reason in hit.personal.reasons}
    assert {"behaviour", "als", "text_similar"} <= sources
    assert not {"popular", "fresh"} & sources
    learned.shop.embedder.error = Unavailable("away")
    by_likeness = await learned.shop.search("smart watch", page_size=20, visitor_id="ana")
    assert Degradation.NO_RECOMMENDER in by_likeness.degradations


@pytest.mark.parametrize("name", ["features", "groups"])
def test_a_fusion_of_other_features_is_refused_naming_both(tmp_path: Path, shop_vectors: Any, name: str) -> None:
    folder = tmp_path / "bundle"
    bundle = write_learned(folder, shop_vectors.model_digest, shop_vectors.vectors.shape[1])
    fusion = bundle.manifest.fusion
    assert fusion is not None
    names = getattr(fusion, name)
    for changed, told in ((("moon_phase", *names[1:]), "moon_phase"), (names[::-1], "another order")):
        other = bundle.manifest.model_copy(update={"fusion": fusion.model_copy(update={name: changed})})
        write_recommender(folder, other)
        with pytest.raises(FailedPrecondition, match=told) as caught:
            Fusion(folder)
        assert names[0] in caught.value.message
    write_recommender(folder, bundle.manifest.model_copy(update={"fusion": None}))
    with pytest.raises(FailedPrecondition, match="no fusion model"):
        Fusion(folder)
