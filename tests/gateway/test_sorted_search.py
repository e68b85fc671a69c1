"""Sorted searches and facets over the real engines, and the tokens of their pages."""

import json
from dataclasses import replace
from typing import Any, cast

import pytest
from google.protobuf.json_format import Parse

from gateway.notes import Notes
from gateway.page_token import query_fingerprint
from gateway.query_vectors import QueryVectors
from gateway.recommendation.popular import PopularProducts
from gateway.search import Degradation, SearchAnswer, SearchQuery
from gateway.sorted_search import SortedPage, SortedSearch, page_of
from gateway.text_retrieval import TextRetrieval
from gateway.turns import Turns
from vitrine.deadline import Deadline
from vitrine.errors import InvalidArgument, Unavailable
from vitrine.ports import FacetSpec, FacetValue, PopularProduct, ProductFilter, Shortfall
from vitrine.v1 import search_service_pb2


def _ids(answer: SearchAnswer) -> list[str]:
    return [hit.product.id for hit in answer.hits]


async def _pages(shop: Any, query: str, **fields: Any) -> list[SearchAnswer]:
    pages = [await shop.search(query, **fields)]
    while token := pages[-1].next_page_token:
        pages.append(await shop.search(query, page_token=token, **fields))
    return pages


@pytest.mark.parametrize("order_by", ["price", "price desc"])
async def test_what_the_filter_allows_is_paged_through_to_its_end(shop: Any, order_by: str) -> None:
    """Without a query and past the window of a search by relevance; nothing is embedded or ranked."""
    fields = {"order_by": order_by, "page_size": 50, "filter": ProductFilter(max_price=200)}
    pages = await _pages(shop, "", **fields)
    assert [len(page.hits) for page in pages] == [50, 50, 50, 41]
    prices = [hit.product.price or 0.0 for page in pages for hit in page.hits]
    assert prices == sorted(prices, reverse=order_by == "price desc")
    assert len({product_id for page in pages for product_id in _ids(page)}) == 191
    assert [hit.position for page in pages for hit in page.hits] == list(range(1, 192))
    assert {page.total_size for page in pages} == {191}
    assert [page.shortfall for page in pages] == [None, None, None, Shortfall.NO_MORE_MATCHES]
    assert len({page.attribution_token for page in pages}) == 1
    assert (shop.embedder.count("embed"), shop.ranker.count("rank")) == (0, 0)


async def test_a_query_is_sorted_with_what_it_finds(shop: Any) -> None:
    ranked = shop.ranker.count("rank")
    pages = await _pages(shop, "red running shoes", order_by="price", page_size=20)
    found = [hit.product for page in pages for hit in page.hits]
    assert {page.total_size for page in pages} == {len(found)}
    prices = [product.price or 0.0 for product in found]
    assert prices == sorted(prices)
    titles = [product.title for product in found]
    assert sum("red running shoes" in title for title in titles) == 4
    assert not any("coffee machine" in title for title in titles)
    assert shop.ranker.count("rank") == ranked


async def test_pages_of_a_list_by_relevance_tell_the_first_ones_size(shop: Any) -> None:
    first = await shop.search("智能手表", page_size=40)
    second = await shop.search("智能手表", page_size=10, page_token=first.next_page_token)
    assert first.total_size == second.total_size
    assert first.total_size is not None
    assert first.total_size >= 50


async def test_facets_come_with_the_first_page(shop: Any) -> None:
    specs = (FacetSpec("brand"), FacetSpec("price", bounds=(100.0,)))
    for order_by in ("", "newest"):
        first = await shop.search("黑色 智能手表", order_by=order_by, facets=specs, page_size=5)
        brand, price = first.facets
        assert sum(value.count for value in brand.values) == first.total_size
        assert sum(value.count for value in price.values) == first.total_size
        again = await shop.search(
            "黑色 智能手表", order_by=order_by, facets=specs, page_size=5, page_token=first.next_page_token
        )
        assert again.facets == ()
    browsed = await shop.search("", order_by="price", facets=specs, filter=ProductFilter(expression="brand = 海岚"))
    assert browsed.facets[0].values == (FacetValue("海岚", 60),)


class _Lists:
    """Popular products, most popular first."""

    def __init__(self, *ids: str) -> None:
        self.ids = ids

    async def popular(self, limit: int, **_: Any) -> tuple[PopularProduct, ...]:
        return tuple(PopularProduct(product_id, 1.0 / place) for place, product_id in enumerate(self.ids, start=1))

    async def trending(self, limit: int, *, deadline: Deadline) -> tuple[PopularProduct, ...]:
        return ()


async def test_popular_products_come_first_and_the_rest_by_age(shop: Any) -> None:
    """In the order of the first page, whatever becomes popular meanwhile."""
    lists = _Lists("p017", "gone", "p111", "p004")
    # Without a query it is not asked.
    text_retrieval = TextRetrieval(cast(QueryVectors, None), shop.retriever, Turns())
    popular = PopularProducts(lists, 0)
    search = SortedSearch(text_retrieval, shop.retriever, popular, result_window=500)
    query = SearchQuery("", order_by="popularity", page_size=2)
    found: list[str] = []
    notes = Notes()
    while True:
        page = await search.page(query, "", "token", notes, Deadline.after(30))
        found += _ids(page)
        lists.ids = ("p200", *lists.ids)
        if not page.next_page_token:
            break
        query = replace(query, page_token=page.next_page_token, page_size=100)
    by_age = await _pages(shop, "", order_by="newest", page_size=100)
    newest = [product_id for one in by_age for product_id in _ids(one)]
    first = ["p017", "p111", "p004"]
    assert found == [*first, *(product_id for product_id in newest if product_id not in first)]
    assert notes.degradations == []
    # What does not match is not there, however popular.
    some = SearchQuery("", order_by="popularity", filter=ProductFilter(product_ids=("p004", "p005", "p111")))
    assert _ids(await search.page(some, "", "token", notes, Deadline.after(30))) == ["p111", "p004", "p005"]


async def test_without_an_event_store_popularity_is_age_and_said_so(shop: Any) -> None:
    popular = await shop.search("", order_by="popularity")
    assert popular.degradations == (Degradation.NO_POPULARITY,)
    assert _ids(popular) == _ids(await shop.search("", order_by="newest"))


async def test_without_the_embedder_words_alone_are_sorted(shop: Any) -> None:
    shop.embedder.error = Unavailable("away")
    answer = await shop.search("wireless headphones", order_by="price", page_size=5)
    assert answer.degradations == (Degradation.LEXICAL_ONLY,)
    assert len(answer.hits) == 5


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"query": ""}, "query: is empty; give the words to search for, or an order_by"),
        ({"query": "a", "order_by": "name"}, "order_by: 'name' is not an order; use one of 'relevance', 'price'"),
        ({"query": "a", "order_by": "price", "explain": True}, "explain: is set with an order_by"),
        ({"query": "a", "facets": (FacetSpec("colour"),)}, "facets[0].key: 'colour' is not a facet"),
        (
            {"query": "a", "filter": ProductFilter(expression="price <")},
            "filter.expression: column 8: a value is missing here",
        ),
        ({"query": "", "order_by": "price", "page_token": "x"}, "page_token: is damaged"),
    ],
)
async def test_what_is_wrong_is_named(shop: Any, fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await shop.search(**fields)
    assert refused.value.message.startswith(fault)


async def test_a_token_belongs_to_its_query_filter_and_order(shop: Any) -> None:
    token = (await shop.search("", order_by="price")).next_page_token
    relevance = (await shop.search("watch")).next_page_token
    for query, fields in (
        ("", {"order_by": "price desc", "page_token": token}),
        ("watch", {"order_by": "price", "page_token": token}),
        ("", {"order_by": "price", "page_token": token, "filter": ProductFilter(max_price=9)}),
        ("watch", {"order_by": "price", "page_token": relevance}),
    ):
        with pytest.raises(InvalidArgument, match="belongs to another query, filter or order"):
            await shop.search(query, **fields)
    with pytest.raises(InvalidArgument, match="page_token: is damaged"):
        await shop.search("watch", page_token=token)


def test_a_page_comes_back_from_its_token() -> None:
    fingerprint = query_fingerprint("手机", ProductFilter(), "popularity")
    page = SortedPage("cursor", 21, 1_000_000, ["商品-1", "商品-2"], "token")
    assert page_of(page.encoded(fingerprint), fingerprint) == page


async def test_orders_facets_and_sizes_over_grpc(suite: Any) -> None:
    asked = {
        "query": "",
        "orderBy": "price desc",
        "filter": {"expression": 'brand = "Lumora" AND price < 100'},
        "facets": [{"key": "brand"}, {"key": "price", "bounds": [50]}],
        "pageSize": 3,
    }
    answer = await suite.search.Search(Parse(json.dumps(asked), search_service_pb2.SearchRequest()))
    assert [result.product.brand for result in answer.results] == ["Lumora"] * 3
    assert answer.total_size == 23
    assert [(value.value, value.count) for value in answer.facets[0].values] == [("Lumora", 23)]
    assert [(value.HasField("low"), value.count) for value in answer.facets[1].values] == [(False, 10), (True, 13)]
