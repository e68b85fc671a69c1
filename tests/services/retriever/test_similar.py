"""Products near given ones and the newest, by the engine and over gRPC alike."""

from typing import Any

import numpy as np
import pytest

from services.retriever.similar import interests
from vitrine.errors import InvalidArgument
from vitrine.ports import Anchor, ProductFilter, Retriever, Similar, SimilarQuery
from vitrine.product import Availability
from vitrine.vectors import l2_normalized

PAIR = np.eye(16, dtype=np.float32)


async def near(retriever: Retriever, shop: Any, *anchors: tuple[str, float], **fields: Any) -> Similar:
    query = SimilarQuery(tuple(Anchor(*anchor) for anchor in anchors), **fields)
    return await retriever.retrieve_similar(query, deadline=shop.deadline())


@pytest.fixture
async def filled(retriever: Retriever, shop: Any) -> Retriever:
    """60 products around three directions: number % 3 says which."""
    noise = np.random.default_rng(3).normal(scale=0.05, size=(60, 16)).astype(np.float32)
    vectors = l2_normalized(PAIR[np.arange(60) % 3] + noise)
    await shop.fill(retriever, [shop.product(number) for number in range(60)], vectors)
    return retriever


async def test_two_tastes_are_two_interests_and_not_their_mean(filled: Retriever, shop: Any) -> None:
    anchors = [("p00000", 3.0), ("p00003", 1.0), ("p00001", 1.0)]
    found = await near(filled, shop, *anchors, max_interests=2, depth=10, excluded_ids=tuple(a for a, _ in anchors))
    assert [round(interest.share, 6) for interest in found.interests] == [0.8, 0.2]
    for interest, group in zip(found.interests, (0, 1), strict=True):
        numbers = [int(candidate.product.id[1:]) for candidate in interest.candidates]
        assert len(numbers) == 10
        assert {number % 3 for number in numbers} == {group}
        assert not set(numbers) & {0, 1, 3}
        cosines = [candidate.cosine for candidate in interest.candidates]
        assert cosines == sorted(cosines, reverse=True)
    assert {candidate.nearest_anchor_id for candidate in found.interests[0].candidates} <= {"p00000", "p00003"}
    assert found.missing_ids == ()


async def test_unknown_anchors_are_named_and_the_filter_holds(filled: Retriever, shop: Any) -> None:
    found = await near(filled, shop, ("nobody", 1.0), ("p00002", 1.0), filter=ProductFilter(brands=("Zeta",)), depth=30)
    assert found.missing_ids == ("nobody",)
    [interest] = found.interests
    assert {candidate.product.brand for candidate in interest.candidates} == {"Zeta"}
    assert len(interest.candidates) == 20
    nothing = await near(filled, shop, ("nobody", 1.0))
    assert (nothing.interests, nothing.missing_ids) == ((), ("nobody",))


async def test_the_newest_come_first_and_what_is_written_again_is_new(filled: Retriever, shop: Any) -> None:
    async def newest(limit: int, **fields: Any) -> list[str]:
        given = {"filter": ProductFilter()} | fields
        products = await filled.list_newest_products(limit, deadline=shop.deadline(), **given)
        return [product.id for product in products]

    assert await newest(3) == ["p00059", "p00058", "p00057"]
    assert await newest(2, excluded_ids=["p00059", "nobody"]) == ["p00058", "p00057"]
    await shop.fill(filled, [shop.product(5), shop.product(6, availability=Availability.OUT_OF_STOCK)], shop.vectors(2))
    in_stock = ProductFilter(availabilities=(Availability.IN_STOCK,))
    assert await newest(2, filter=in_stock) == ["p00005", "p00059"]
    assert len(await newest(1_000)) == 60
    assert await newest(5, filter=ProductFilter(brands=("none",))) == []


async def test_an_empty_catalogue_has_neither(retriever: Retriever, shop: Any) -> None:
    assert (await near(retriever, shop, ("p00001", 1.0))).missing_ids == ("p00001",)
    assert await retriever.list_newest_products(5, deadline=shop.deadline(), filter=ProductFilter()) == ()


@pytest.mark.parametrize(
    ("anchors", "fields", "wrong"),
    [
        ([], {}, ["anchors"]),
        ([("a", 1.0), ("a", 1.0)], {}, ["anchors"]),
        ([("", 0.0)], {}, ["anchors[0].product_id", "anchors[0].weight"]),
        ([("a", float("nan"))], {"max_interests": 21}, ["anchors[0].weight", "max_interests"]),
        ([("a", 1.0)], {"depth": 1_001}, ["depth"]),
        ([("a", 1.0)], {"depth": 0}, ["depth"]),
        ([("a", 1.0)], {"excluded_ids": ("x",) * 2_001}, ["excluded_ids"]),
        ([(f"a{n}", 1.0) for n in range(201)], {}, ["anchors"]),
    ],
)
async def test_wrong_fields_are_named(
    retriever: Retriever, shop: Any, anchors: Any, fields: dict[str, Any], wrong: list[str]
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await near(retriever, shop, *anchors, **fields)
    assert [violation.field for violation in caught.value.violations] == wrong


@pytest.mark.parametrize("limit", [0, 1_001])
async def test_a_wrong_limit_is_named(retriever: Retriever, shop: Any, limit: int) -> None:
    with pytest.raises(InvalidArgument, match="limit"):
        await retriever.list_newest_products(limit, deadline=shop.deadline(), filter=ProductFilter())


def test_alike_vectors_make_one_interest_and_order_decides_ties() -> None:
    same = np.tile(PAIR[:1], (5, 1))
    [(anchor, members)] = interests(same, np.ones(5), 4)
    assert (anchor, members.tolist()) == (0, [0, 1, 2, 3, 4])
    both = PAIR[[1, 0, 1, 0]]
    assert [(a, m.tolist()) for a, m in interests(both, np.ones(4), 4)] == [(0, [0, 2]), (1, [1, 3])]
    assert [a for a, _ in interests(both, np.array([1.0, 1.0, 1.0, 3.0]), 1)] == [1]
