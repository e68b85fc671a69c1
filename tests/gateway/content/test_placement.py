"""The placement CONTENT over real gRPC: made products with reviews of them."""

import itertools
from math import fsum
from typing import Any

import grpc
import pytest

from tests.gateway.recommendation.conftest import LIMIT_S, Stand
from vitrine.deadline import Deadline
from vitrine.product import Product, ProductKind, checked_product
from vitrine.v1 import product_pb2, recommendation_reason_pb2, retriever_service_pb2, search_service_pb2
from vitrine.v1 import recommendation_service_pb2 as pb

CONTENT = pb.PLACEMENT_CONTENT
# p000 and p001 are black smart watches, p020 to p039 running shoes; see the shop's products.
SAID = {
    "p000": ("The battery lasts a whole week and the screen is bright.", "Counts my steps well, the strap is soft."),
    "p001": ("Syncs with my phone in seconds; the alarm is too quiet.",),
    "p020": ("Light on the feet, but the sole wore out after a month.", "Run ten miles in them without a blister."),
    "p120": ("电池能用一个星期，屏幕很亮，表带也柔软",),
}


def review(review_id: str, text: str, *about: str, **fields: Any) -> Product:
    given = {"kind": ProductKind.REVIEW, **fields}
    return checked_product(Product(review_id, "", description=text, about_product_ids=about, **given))


def reviews() -> list[Product]:
    return [
        review(f"r-{about}-{number}", text, about, rating=4.0)
        for about, texts in SAID.items()
        for number, text in enumerate(texts)
    ]


@pytest.fixture
async def told(stand: Stand) -> Stand:
    """The shop with its reviews and a guide."""
    guide = review("guide", "How to choose running shoes: width, drop and cushioning.", kind=ProductKind.GUIDE)
    await stand.write(*reviews(), guide)
    return stand


def reasons(result: pb.RecommendationResult) -> dict[str, list[str]]:
    prefix = "RECOMMENDATION_SOURCE_"
    name = recommendation_reason_pb2.RecommendationSource.Name
    assert result.score == pytest.approx(fsum(reason.contribution for reason in result.reasons))
    return {name(one.source).removeprefix(prefix): list(one.product_ids) for one in result.reasons}


async def test_what_is_about_the_products_comes_first(told: Stand) -> None:
    answer = await told.recommend(placement=CONTENT, product_ids=["p000"], page_size=4)
    assert {one.product.id for one in answer.results[:2]} == {"r-p000-0", "r-p000-1"}
    assert [list(one.product.about_product_ids) for one in answer.results[:2]] == [["p000"], ["p000"]]
    assert all(reasons(one)["ABOUT"] == ["p000"] for one in answer.results[:2])
    assert all("ABOUT" not in reasons(one) for one in answer.results[2:])
    assert answer.results[0].product.kind == product_pb2.PRODUCT_KIND_REVIEW
    assert answer.results[0].product.rating == 4.0
    assert len(answer.results) == 4


async def test_results_carry_all_that_they_say(told: Stand) -> None:
    text = " ".join(f"On day {number} it went well." for number in range(40))
    await told.write(review("diary", text, "p001"))
    answer = await told.recommend(placement=CONTENT, product_ids=["p001"], page_size=2)
    said = {one.product.id: one.product.description for one in answer.results}
    assert said == {"diary": text, "r-p001-0": SAID["p001"][0]}


async def test_a_query_finds_texts_and_reviews_of_products_that_it_means(told: Stand) -> None:
    answer = await told.recommend(placement=CONTENT, query="Norvik black smart watch 1", page_size=2)
    assert all("p000" in one.product.about_product_ids for one in answer.results)
    assert all({"ABOUT", "SEARCHED"} == set(reasons(one)) for one in answer.results)
    assert (await told.ids(placement=CONTENT, query="sole wore out after a month", page_size=1)) == ["r-p020-0"]
    assert (await told.ids(placement=CONTENT, query="电池 一个星期", page_size=1)) == ["r-p120-0"]
    both = await told.ids(placement=CONTENT, query="the strap", product_ids=["p000"], page_size=1)
    assert both == ["r-p000-1"]


async def test_a_history_leads_to_content_about_it(told: Stand) -> None:
    await told.report("ana", "p020")
    answer = await told.recommend(placement=CONTENT, visitor_id="ana", page_size=2)
    assert {one.product.id for one in answer.results} == {"r-p020-0", "r-p020-1"}
    assert all(reasons(one)["ABOUT"] == ["p020"] for one in answer.results)


async def test_who_is_not_known_gets_content_about_what_is_popular_then_the_newest(told: Stand) -> None:
    cold = await told.recommend(placement=CONTENT, page_size=3)
    assert [set(reasons(one)) for one in cold.results] == [{"NEWEST"}] * 3
    await told.report("ben", "p001", kind="PURCHASE")
    answer = await told.recommend(placement=CONTENT, page_size=3)
    assert answer.results[0].product.id == "r-p001-0"
    assert reasons(answer.results[0])["POPULAR"][0] == "p001"


@pytest.mark.parametrize("fields", [{"product_ids": ["p000"]}, {"query": "shoes"}, {"visitor_id": "ana"}, {}])
async def test_exactly_as_many_as_asked_for_and_only_content(told: Stand, fields: dict[str, Any]) -> None:
    all_of_it = {one.id for one in reviews()} | {"guide"}
    for count in (1, 5, len(all_of_it)):
        assert len(await told.ids(placement=CONTENT, page_size=count, **fields)) == count
    more = await told.recommend(placement=CONTENT, page_size=50, **fields)
    assert {one.product.id for one in more.results} == all_of_it
    assert more.shortfall


async def test_duplicates_and_poor_texts_sink(told: Stand) -> None:
    text = SAID["p000"][0]
    await told.write(
        review("a-copy", text, "p000"),
        review("a-near", f"Honestly: {text}!", "p000"),
        review("a-poor", "good good good good good", "p000"),
        review("a-spam", "Visit https://deals.example for cheap watches", "p000"),
    )
    found = await told.ids(placement=CONTENT, product_ids=["p000"], page_size=50)
    assert len({"a-copy", "r-p000-0"} & set(found)) == 1
    good = {"a-copy", "a-near", "r-p000-0", "r-p000-1"}
    assert sum(one in good for one in found[:2]) == 2
    assert found.index("r-p000-1") < min(found.index("a-poor"), found.index("a-spam"))
    # Of the original and what nearly repeats it, one is among the last.
    assert max(found.index(one) for one in good if one in found) > len(SAID)


async def test_content_of_deleted_products_is_out_and_links_lead_somewhere(told: Stand) -> None:
    await told.write(review("both", "I own both of these watches and wear them in turn.", "p000", "p001"))
    await told.delete("p000")
    answer = await told.recommend(placement=CONTENT, query="Norvik black smart watch", page_size=50)
    found = {one.product.id: list(one.product.about_product_ids) for one in answer.results}
    assert found["both"] == ["p001"]
    assert not any(one.startswith("r-p000") for one in found)
    gone = await told.recommend(placement=CONTENT, product_ids=["p000"], page_size=3)
    assert list(gone.missing_product_ids) == ["p000"]
    assert len(gone.results) == 3


async def test_without_embedder_found_by_words_and_by_products(told: Stand) -> None:
    told.shop.embedder.error = RuntimeError("away")
    answer = await told.recommend(placement=CONTENT, query="Norvik black smart watch", page_size=3)
    assert len(answer.degradations) == 1
    # The watch that is named has two reviews; of the others, which words leave alike, the best review comes.
    assert {one.product.id for one in answer.results} == {"r-p000-0", "r-p000-1", "r-p001-0"}
    assert all("ABOUT" in reasons(one) for one in answer.results)


async def test_filter_and_exclusions_hold(told: Stand) -> None:
    guides = retriever_service_pb2.ProductFilter(kinds=[product_pb2.PRODUCT_KIND_GUIDE])
    assert await told.ids(placement=CONTENT, filter=guides, query="watch") == ["guide"]
    about = retriever_service_pb2.ProductFilter(about_product_ids=["p001"])
    assert await told.ids(placement=CONTENT, filter=about, query="running shoes") == ["r-p001-0"]
    found = await told.ids(placement=CONTENT, product_ids=["p000"], exclude_product_ids=["r-p000-0"], page_size=50)
    assert "r-p000-0" not in found
    assert "r-p000-1" in found


async def test_content_shows_nowhere_else(told: Stand) -> None:
    words = "The battery lasts a whole week and the screen is bright"
    await told.report("ana", "p000", "r-p000-0")
    for fields in ({"visitor_id": "ana"}, {"placement": pb.PLACEMENT_SIMILAR, "product_ids": ["p000"]}):
        ids = await told.ids(profile_text=words, page_size=100, **fields)
        assert all(one.startswith("p") for one in ids)
    search = told.shop.gateway.api.search
    for text, kinds in itertools.product((words, "shoes"), ([], [product_pb2.PRODUCT_KIND_REVIEW])):
        request = search_service_pb2.SearchRequest(query=text, page_size=20, filter={"kinds": kinds})
        answer = await search(request, Deadline.after(LIMIT_S))
        assert answer.results
        assert {one.product.kind for one in answer.results} == set(kinds or [product_pb2.PRODUCT_KIND_PRODUCT])


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"filter": {"kinds": [product_pb2.PRODUCT_KIND_PRODUCT]}}, "filter.kinds[0]"),
        ({"placement": pb.PLACEMENT_HOME, "filter": {"kinds": [product_pb2.PRODUCT_KIND_REVIEW]}}, "filter.kinds[0]"),
        ({"filter": {"kinds": [99]}}, "filter.kinds[0]"),
        ({"filter": {"about_product_ids": [f"p{number}" for number in range(101)]}}, "filter.about_product_ids"),
        ({"product_ids": [f"p{number}" for number in range(101)]}, "product_ids"),
    ],
)
async def test_bad_calls(told: Stand, fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await told.recommend(**{"placement": CONTENT, **fields})
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fault in (caught.value.details() or "")
