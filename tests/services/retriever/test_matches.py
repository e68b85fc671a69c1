"""What matches: sizes, facets, and sorted lists that are paged through while the catalogue changes."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from services.retriever.engine import RetrieverEngine
from services.retriever.filters import FilterPlan
from services.retriever.lexical_view import LexicalView
from services.retriever.reading import Reading
from vitrine.errors import InvalidArgument
from vitrine.ports import Facet, FacetSpec, FacetValue, Retriever
from vitrine.product import Availability, Product

START = datetime(2026, 1, 1, tzinfo=UTC)


def _shoe(number: int, **changes: Any) -> Product:
    fields: dict[str, Any] = {
        "id": f"s{number:03}",
        "title": "trail shoe" if number % 2 else "city shoe",
        "brand": ("Acme", "ACME", "Zeta", "")[number % 4],
        "categories": ("Shoes > Trail", "Sale") if number % 2 else ("Shoes > City",),
        "price": None if number == 7 else float(number % 10),
        "currency_code": "EUR",
        "availability": Availability.OUT_OF_STOCK if number % 5 == 0 else Availability.IN_STOCK,
        "attributes": {"Size": (38.0, 39.5) if number % 3 == 0 else (44.0,), "color": ("Red",)},
        "language": "en",
        "update_time": START + timedelta(days=number % 6),
    }
    return Product(**fields | changes)


async def _filled(retriever: Retriever, shop: Any, count: int = 24) -> list[Product]:
    shoes = [_shoe(number) for number in range(count)]
    await shop.fill(retriever, shoes, shop.vectors(count))
    return shoes


async def test_size_is_of_what_holds_every_word_and_of_the_window(retriever: Retriever, shop: Any) -> None:
    shoes = await _filled(retriever, shop)
    vector = shop.vectors(24)[0]
    assert (await shop.search(retriever, text="trail shoe", depth=5)).total_size is None
    alone = await shop.search(retriever, text="trail shoe", depth=5, with_total_size=True, window=0)
    assert alone.total_size == 12
    both = await shop.search(retriever, text="trail shoe", vector=vector, depth=5, with_total_size=True)
    found = {candidate.product_id for candidate in both.candidates}
    assert both.total_size == len(found | {shoe.id for shoe in shoes if "trail" in shoe.title})
    filtered = await shop.search(
        retriever,
        text="trail shoe",
        depth=5,
        window=0,
        with_total_size=True,
        filter=shop.filter(expression="attributes.size < 40 AND availability = in_stock"),
    )
    assert filtered.total_size == sum(n % 2 and not n % 3 and n % 5 > 0 for n in range(24))


async def test_a_query_asked_without_and_with_its_vector_is_counted_by_words_once(
    engine: RetrieverEngine, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _filled(engine, shop)
    counted: list[Reading] = []
    count = LexicalView.matching_few

    def seen(view: LexicalView, reading: Reading, plan: FilterPlan, limit: int) -> Any:
        counted.append(reading)
        return count(view, reading, plan, limit)

    monkeypatch.setattr(LexicalView, "matching_few", seen)
    both = {"text": "trail shoe", "vector": shop.vectors(24)[1], "depth": 24, "window": 0, "with_total_size": True}
    await shop.search(engine, text="trail shoe", depth=1, product_limit=0, with_total_size=True)
    assert (await shop.search(engine, **both)).total_size == 12
    assert len(counted) == 1
    # A write, another filter or another text is counted anew.
    await shop.fill(engine, [_shoe(25)], shop.vectors(26)[25:])
    assert (await shop.search(engine, **both)).total_size == 13
    assert (await shop.search(engine, **both, filter=shop.filter(expression="availability = in_stock"))).total_size < 13
    await shop.search(engine, **{**both, "text": "city shoe"})
    assert len(counted) == 4


async def test_with_a_filter_that_words_answer_inexactly_few_are_counted_once_too(
    engine: RetrieverEngine, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _filled(engine, shop)

    def never(*_: Any) -> Any:
        raise AssertionError("all that match were read to be counted")

    monkeypatch.setattr(LexicalView, "matching", never)
    cheap = {"text": "trail shoe", "filter": shop.filter(max_price=4.9), "with_total_size": True, "window": 0}
    early = await shop.search(engine, **cheap, depth=1, product_limit=0)
    whole = await shop.search(engine, **cheap, vector=shop.vectors(24)[1], depth=24)
    monkeypatch.undo()
    by_facets = await shop.search(engine, **cheap, depth=1, facets=(FacetSpec("brand"),))
    assert early.total_size == whole.total_size == by_facets.total_size
    assert 0 < by_facets.total_size < 12


@pytest.mark.parametrize("filtered", [{}, {"max_price": 4.9}], ids=["exact", "inexact"])
async def test_large_sizes_are_counted_as_small_ones_are(
    engine: RetrieverEngine, shop: Any, monkeypatch: pytest.MonkeyPatch, filtered: dict[str, Any]
) -> None:
    await _filled(engine, shop)
    query = {"text": "trail shoe", "vector": shop.vectors(24)[1], "depth": 9, "with_total_size": True}
    query |= {"filter": shop.filter(**filtered)}
    small = await shop.search(engine, **query)
    monkeypatch.setattr("services.retriever.matches._FETCHED", 1)
    assert (await shop.search(engine, **query)).total_size == small.total_size


async def test_facets_count_what_matches(retriever: Retriever, shop: Any) -> None:
    await _filled(retriever, shop)
    specs = (
        FacetSpec("brand"),
        FacetSpec("categories", limit=3),
        FacetSpec("price", bounds=(0.5, 5.0)),
        FacetSpec("attributes.SIZE", bounds=(40.0,)),
        FacetSpec("attributes.nothing"),
        FacetSpec("rating"),
        FacetSpec("availability"),
    )
    answer = await shop.search(retriever, text="shoe", depth=1, window=0, facets=specs)
    assert answer.total_size == 24
    brand, categories, price, size, nothing, rating, availability = answer.facets
    # "Acme" and "ACME" are one, written as most write it; of two as frequent the first by letter.
    assert brand == Facet("brand", (FacetValue("ACME", 12), FacetValue("Zeta", 6)))
    # A product counts under each upper level of its path.
    assert categories.values == (FacetValue("Shoes", 24), FacetValue("Sale", 12), FacetValue("Shoes > City", 12))
    assert price == Facet(
        "price", (FacetValue("", 3, None, 0.5), FacetValue("", 11, 0.5, 5.0), FacetValue("", 9, 5.0, None)), 0.0, 9.0
    )
    assert size.values == (FacetValue("", 8, None, 40.0), FacetValue("", 16, 40.0, None))
    assert (size.key, size.min, size.max) == ("attributes.SIZE", 38.0, 44.0)
    assert nothing == Facet("attributes.nothing", ())
    assert rating == Facet("rating", ())
    assert availability.values == (FacetValue("in_stock", 19), FacetValue("out_of_stock", 5))


async def test_two_paths_below_one_level_count_once_there(retriever: Retriever, shop: Any) -> None:
    shoes = [
        _shoe(0, categories=("Shoes > Trail", "Shoes > City")),
        _shoe(1, categories=("shoes > trail", "Sale")),
        _shoe(2, categories=("Shoes > Trail",)),
    ]
    await shop.fill(retriever, shoes, shop.vectors(3))
    answer = await shop.search(retriever, order_by="price", facets=(FacetSpec("categories"),))
    assert [(value.value, value.count) for value in answer.facets[0].values] == [
        ("Shoes", 3),
        ("Shoes > Trail", 3),
        ("Sale", 1),
        ("Shoes > City", 1),
    ]


async def test_a_facet_may_leave_its_own_condition_out(retriever: Retriever, shop: Any) -> None:
    await _filled(retriever, shop)
    narrow = shop.filter(brands=("zeta",), expression="attributes.size < 40 AND price:*")
    specs = [FacetSpec("brand"), FacetSpec("brand", ignore_own_filter=True), FacetSpec("attributes.size", bounds=(40,))]
    specs.append(replace(specs[-1], ignore_own_filter=True))
    answer = await shop.search(retriever, text="shoe", window=0, depth=1, filter=narrow, facets=tuple(specs))
    small = [n for n in range(24) if not n % 3]
    zeta = [n for n in range(24) if n % 4 == 2]
    assert answer.facets[0].values == (FacetValue("Zeta", len(set(small) & set(zeta))),)
    assert {value.value: value.count for value in answer.facets[1].values} == {
        "ACME": sum(n % 4 < 2 for n in small),
        "Zeta": len(set(small) & set(zeta)),
    }
    assert [value.count for value in answer.facets[2].values] == [2, 0]
    assert [value.count for value in answer.facets[3].values] == [2, 4]


def _by(shoes: list[Product], order_by: str) -> list[str]:
    """Ids in an order, from the products alone; rows were given in the products' order."""
    place = {shoe.id: number for number, shoe in enumerate(shoes)}

    def key(shoe: Product) -> tuple[bool, float, int]:
        if order_by == "newest":
            assert shoe.update_time is not None
            return False, -shoe.update_time.timestamp(), -place[shoe.id]
        sign = 1 if order_by == "price" else -1
        return shoe.price is None, sign * (shoe.price or 0.0), place[shoe.id]

    return [shoe.id for shoe in sorted(shoes, key=key)]


@pytest.mark.parametrize("order_by", ["price", "price desc", "newest"])
async def test_a_list_is_sorted_and_paged_to_its_end(retriever: Retriever, shop: Any, order_by: str) -> None:
    shoes = await _filled(retriever, shop)
    expected = _by(shoes, order_by)
    pages, cursor = [], ""
    while True:
        page = await shop.search(retriever, order_by=order_by, depth=7, cursor=cursor)
        assert page.total_size == 24
        pages.append([candidate.product_id for candidate in page.candidates])
        assert all(candidate.product is not None for candidate in page.candidates)
        if not (cursor := page.next_cursor):
            break
    assert [len(page) for page in pages] == [7, 7, 7, 3]
    assert [product_id for page in pages for product_id in page] == expected
    worded = await shop.found(retriever, order_by=order_by, text="trail shoe", window=0)
    assert worded == [product_id for product_id in expected if int(product_id[1:]) % 2]


async def test_a_sorted_list_takes_of_the_window_only_what_is_near(retriever: Retriever, shop: Any) -> None:
    """Else the farthest of a query's 500 first would come first for being the cheapest."""
    vectors = np.eye(shop.DIM, dtype=np.float32)
    vectors[:4, 0] = 1.0, 3.0, 3.0, 0.2  # cosines to the first axis: 1, 0.95, 0.95 and 0.2, the others 0
    shoes = [_shoe(number, title=f"thing {number}", price=float(20 - number)) for number in range(shop.DIM)]
    await shop.fill(retriever, shoes, vectors)
    query = {"text": "boat", "vector": vectors[0], "window": 10, "depth": 16}
    assert len(await shop.found(retriever, **query)) == 16
    assert (await shop.search(retriever, with_total_size=True, **query)).total_size == 10
    listed = await shop.search(retriever, order_by="price", facets=(FacetSpec("price"),), **query)
    assert [candidate.product_id for candidate in listed.candidates] == ["s002", "s001", "s000"]
    assert listed.total_size == 3
    assert (listed.facets[0].min, listed.facets[0].max) == (18.0, 20.0)


async def test_what_is_to_come_first_does(retriever: Retriever, shop: Any) -> None:
    shoes = await _filled(retriever, shop)
    first = ("s020", "nobody", "s003", "s011")
    rest = [product_id for product_id in _by(shoes, "newest") if product_id not in first]
    page = await shop.search(retriever, order_by="newest", first_ids=first, depth=2)
    assert [candidate.product_id for candidate in page.candidates] == ["s020", "s003"]
    further = await shop.search(retriever, order_by="newest", first_ids=first, depth=24, cursor=page.next_cursor)
    assert [candidate.product_id for candidate in further.candidates] == ["s011", *rest]


# Milvus keeps no earlier versions, by which a changed product has its place.
@pytest.mark.parametrize("retriever", ["engine", "client"], indirect=True)
@pytest.mark.parametrize("order_by", ["price", "price desc", "newest"])
async def test_pages_neither_repeat_nor_skip_while_products_are_written(
    retriever: Retriever, shop: Any, order_by: str
) -> None:
    """Products stand where the first page saw them: changed ones are shown once, as they are; new ones not at all."""
    shoes = await _filled(retriever, shop, 60)
    expected = _by(shoes, order_by)
    chance = random.Random(order_by)
    shown: list[str] = []
    deleted: set[str] = set()
    cursor, number = "", 100
    while True:
        page = await shop.search(retriever, order_by=order_by, depth=8, cursor=cursor)
        shown += [candidate.product_id for candidate in page.candidates]
        if not (cursor := page.next_cursor):
            break
        prices = {shoe.id: chance.uniform(0, 10) for shoe in chance.sample(shoes, 12)}
        time = START + timedelta(days=chance.randint(0, 9))
        changed = [replace(s, price=prices[s.id], update_time=time) for s in shoes if s.id in prices]
        changed = [shoe for shoe in changed if shoe.id not in deleted] + [_shoe(number, price=chance.uniform(0, 10))]
        await shop.fill(retriever, changed, shop.vectors(len(changed)))
        gone = chance.choice(expected)
        await retriever.delete_products([gone], deadline=shop.deadline())
        deleted.add(gone)
        number += 1
    # What was deleted was shown before or not at all.
    assert [product_id for product_id in shown if product_id not in deleted] == [
        product_id for product_id in expected if product_id not in deleted
    ]
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"order_by": "size"}, "order_by: 'size' is not an order; use one of 'relevance', 'price', 'price desc'"),
        ({"text": "a", "cursor": "AAAA"}, "cursor: is set without an order"),
        ({"order_by": "price", "cursor": "AAAA"}, "cursor: is damaged; send next_cursor as it was given"),
        ({"order_by": "price", "first_ids": ("a",)}, "first_ids: is set; only order_by 'newest'"),
        ({"text": "a", "window": 1_001}, "window: is 1001; give 0 to 1000"),
        ({"text": "a", "facets": (FacetSpec("colour"),)}, "facets[0].key: 'colour' is not a facet; use one of brand"),
        ({"text": "a", "facets": (FacetSpec("attributes."),)}, "facets[0].key: 'attributes.' is not a facet"),
        ({"text": "a", "facets": (FacetSpec("brand", 1_001),)}, "facets[0].limit: is 1001; ask for 1 to 1,000"),
        ({"text": "a", "facets": (FacetSpec("price", bounds=(2, 1)),)}, "facets[0].bounds: are not finite numbers"),
        ({"text": "a", "facets": (FacetSpec("brand"),) * 21}, "facets: has "),
        ({"text": ""}, "text: is empty and there is no vector; give one of them, or both, or an order_by"),
    ],
)
async def test_what_is_wrong_is_named(retriever: Retriever, shop: Any, query: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await shop.search(retriever, **query)
    assert refused.value.message.startswith(fault)


async def test_a_cursor_belongs_to_its_order(retriever: Retriever, shop: Any) -> None:
    await _filled(retriever, shop)
    cursor = (await shop.search(retriever, order_by="price", depth=3)).next_cursor
    with pytest.raises(InvalidArgument, match="belongs to another order_by"):
        await shop.search(retriever, order_by="newest", cursor=cursor)
