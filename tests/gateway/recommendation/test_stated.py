"""What a visitor states, country, trend and the new, without a recommender. Numbers are rows of users' cases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.recommendation.exploration import explored
from gateway.recommendation.profile_fit import profile_fit
from gateway.recommendation.query import Profile, Reason, Recommendation, Source
from tests.gateway.recommendation.test_learned import reasons_of
from vitrine.product import Product
from vitrine.v1 import recommendation_service_pb2 as pb

WATCHES = "smart watch"


async def test_145_what_is_stated_makes_a_list_with_its_reason(stand: Any) -> None:
    profile = pb.Profile(languages=["zh-CN"], min_price=100, max_price=300, currency_code="CNY", categories=[WATCHES])
    answer = await stand.recommend(visitor_id="new", profile=profile, page_size=5)
    assert all("智能手表" in one.product.title for one in answer.results)
    assert all(next(iter(reasons_of(one))) == "PROFILE_FIT" for one in answer.results)
    # Wishes and no conditions: a longer list goes on with what does not meet them.
    longer = await stand.recommend(visitor_id="new", profile=profile, page_size=40)
    assert len(longer.results) == 40
    assert ["智能手表" in one.product.title for one in longer.results] == sorted(
        ("智能手表" in one.product.title for one in longer.results), reverse=True
    )
    for result in longer.results:
        assert sum(reason.contribution for reason in result.reasons) == pytest.approx(result.score)


@pytest.mark.parametrize(
    ("profile", "named"),
    [
        (pb.Profile(min_price=3), "profile.currency_code"),
        (pb.Profile(min_price=3, currency_code="yuan"), "profile.currency_code"),
        (pb.Profile(min_price=3, max_price=2, currency_code="CNY"), "profile.min_price"),
        (pb.Profile(max_price=float("nan"), currency_code="CNY"), "profile.max_price"),
        (pb.Profile(languages=["en"] * 11), "profile.languages"),
        (pb.Profile(categories=[""]), r"profile.categories\[0\]"),
    ],
)
async def test_a_profile_that_is_wrong_is_refused_by_field(stand: Any, profile: pb.Profile, named: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=named):
        await stand.recommend(profile=profile)
    with pytest.raises(grpc.aio.AioRpcError, match="country_code"):
        await stand.recommend(country_code="germany")


def test_a_wish_is_met_or_missed_by_degrees() -> None:
    wanted = Profile(("en",), 50.0, 100.0, "EUR", ("Shoes",))
    shoe = Product(id="1", title="shoe", language="en", price=60.0, currency_code="EUR", categories=("Shoes > Red",))
    assert profile_fit(shoe, wanted) == 1.0
    dear = Product(id="2", title="鞋", language="zh", price=200.0, currency_code="EUR", categories=("Shoestrings",))
    assert profile_fit(dear, wanted) == -1.0
    between = Product(id="3", title="x", language="en", price=40.0, currency_code="EUR", categories=("Shoes",))
    assert profile_fit(between, wanted) == pytest.approx((1.0 + 0.2 + 1.0) / 3)
    unpriced = Product(id="4", title="x", language="en", price=60.0, currency_code="CNY")
    assert profile_fit(unpriced, Profile(min_price=50.0, currency_code="EUR")) == 0.0
    assert profile_fit(shoe, Profile()) != profile_fit(shoe, Profile())  # NaN: nothing was stated


async def test_what_the_country_turns_to_has_its_reason(stand: Any) -> None:
    for place in range(12):
        await stand.report("ben", f"p{place:03}", kind="PURCHASE", country_code="CN")
    await stand.report("cem", "p150", country_code="DE")
    german = await stand.recommend(country_code="DE", page_size=5)
    assert german.results[0].product.id == "p150"
    assert next(iter(reasons_of(german.results[0]))) == "POPULAR_IN_COUNTRY"
    chinese = await stand.recommend(country_code="CN", page_size=20)
    assert "p150" not in [one.product.id for one in chinese.results[:12]]


async def test_what_rises_has_its_reason(stand: Any) -> None:
    def days_ago(days: int) -> Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(datetime.now(UTC) - timedelta(days=days))
        return stamp

    for day in range(3, 11):
        for visitor in ("ana", "ben"):
            await stand.report(visitor, "p010", kind="PURCHASE", event_time=days_ago(day))
    await stand.report("ana", "p020", kind="PURCHASE", event_time=days_ago(10))
    assert all("TRENDING" not in reasons_of(one) for one in (await stand.recommend()).results)
    for visitor in ("cem", "dan", "eve"):
        await stand.report(visitor, "p020", kind="PURCHASE")
    await stand.report("cem", "p010")
    rising = {one.product.id: reasons_of(one) for one in (await stand.recommend(explain=True)).results}
    assert "TRENDING" in rising["p020"]
    assert "TRENDING" not in rising["p010"]


async def test_where_popularity_fills_the_page_a_place_in_ten_is_for_the_new(stand: Any) -> None:
    for place in range(12):
        await stand.report("ben", f"p{place:03}", kind="PURCHASE")
    await stand.change("p200", price=3.0)
    answer = await stand.recommend()
    assert [next(iter(reasons_of(one))) for one in answer.results] == ["POPULAR"] * 9 + ["FRESH"]
    newcomers = {(await stand.ids(visitor_id=f"v{number}"))[-1] for number in range(8)}
    # Others see others: each of the new has its chance.
    assert len(newcomers) > 1


def test_a_newcomer_takes_the_score_of_the_place_that_it_is_given() -> None:
    def one(product_id: str, score: float) -> Recommendation:
        return Recommendation(Product(id=product_id, title="x"), score, (Reason(Source.POPULAR, score),))

    listed = [one(f"p{place}", 1.0 - place / 10) for place in range(6)]
    found = explored(listed, [one("new", 0.2)], 1 / 3, new={"new"})
    assert [each.product.id for each in found] == ["p0", "p1", "new", "p3", "p4", "p5"]
    assert found[2].score == listed[2].score
    assert [(reason.source, pytest.approx(reason.contribution)) for reason in found[2].reasons] == [
        (Source.FRESH, 0.6),
        (Source.POPULAR, 0.2),
    ]
    # One that stands there by itself needs no place of its own.
    assert explored(listed, [listed[1]], 1 / 3, new={listed[1].product.id}) == listed
    assert explored(listed, [one("new", 0.2)], 0.0, new={"new"}) == listed
    assert explored(listed, [], 0.5, new=()) == listed
