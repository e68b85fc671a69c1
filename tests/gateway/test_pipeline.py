"""Tests of search over the real engines; a part is made to fail only where that is what is tested."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.search import Degradation
from vitrine.deadline import Deadline
from vitrine.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
)
from vitrine.ports import ProductFilter, ServedModels, Shortfall

OpenShop = Callable[..., Awaitable[Any]]


FAULTS = [Unavailable("away"), ResourceExhausted("full"), DeadlineExceeded("late"), Internal("nan"), KeyError("bug")]


def ids_of(answer: Any) -> list[str]:
    return [hit.product.id for hit in answer.hits]


@pytest.mark.parametrize(("query", "title"), [("智能手表", "智能手表"), ("smart watch", "smart watch")])
async def test_finds_products_in_both_languages(shop: Any, query: str, title: str) -> None:
    answer = await shop.search(query)
    assert len(answer.hits) == 10
    assert all(title in hit.product.title for hit in answer.hits)
    assert [hit.position for hit in answer.hits] == list(range(1, 11))
    assert answer.degradations == ()
    assert answer.shortfall is None
    # The ten that are shown, and as many as might be among them.
    assert 12 <= answer.rank_depth <= 32
    assert len(answer.attribution_token) >= 16


async def test_answers_carry_scores_sources_and_timings(shop: Any) -> None:
    answer = await shop.search("red running shoes")
    assert set(answer.timings_ms) == {"embed", "lexical", "turn", "retrieve", "rank", "total"}
    assert all(0 <= duration_ms <= answer.timings_ms["total"] for duration_ms in answer.timings_ms.values())
    for hit in answer.hits:
        assert {found.source for found in hit.sources} == {"dense", "lexical"}
        assert 0 < hit.rank.probability < 1
    scores = [hit.rank.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True)
    probabilities = [hit.rank.probability for hit in answer.hits]
    assert probabilities == sorted(probabilities, reverse=True)


async def test_the_ranked_head_comes_before_the_others_in_retrieval_order(shop: Any) -> None:
    answer = await shop.search("red running shoes", page_size=100, rank_depth=12)
    assert [hit.rank is not None for hit in answer.hits] == [True] * 12 + [False] * 88
    tail = [hit.retrieval_score for hit in answer.hits[12:]]
    assert tail == sorted(tail, reverse=True)
    unranked = await shop.search("red running shoes", page_size=100, rank_depth=0)
    assert ids_of(unranked)[12:] == ids_of(answer)[12:]
    assert set(ids_of(unranked)[:12]) == set(ids_of(answer)[:12])
    assert (unranked.rank_depth, unranked.degradations) == (0, ())


async def test_the_first_results_do_not_depend_on_the_page_size(shop: Any) -> None:
    """neural-search#325"""
    few, many = await shop.search("black headphones"), await shop.search("black headphones", page_size=100)
    assert ids_of(many)[:10] == ids_of(few)


async def test_the_ranker_reads_descriptions_whether_or_not_the_caller_does(shop: Any) -> None:
    """Its model was trained with them: an order must not depend on what is shown."""
    texts: list[dict[str, str]] = []
    for with_description in (False, True):
        begun = len(shop.ranker.calls)
        await shop.search("watch", with_description=with_description)
        calls = shop.ranker.calls[begun:]
        texts.append({candidate.id: candidate.text for _, (_, candidates), _ in calls for candidate in candidates})
    assert texts[0] == texts[1]
    assert len(texts[0]) == 32
    assert all("description of product" in text for text in texts[0].values())


async def test_a_cached_vector_gives_the_same_answer(shop: Any) -> None:
    await shop.search("watch")  # a gateway's first search is ranked in two calls, and batches may differ in a bit
    fresh, kept = await shop.search("咖啡机"), await shop.search("咖啡机")
    assert (fresh.cached, kept.cached) == ((), ("query_embedding",))
    assert ids_of(fresh) == ids_of(kept)
    assert [hit.rank for hit in fresh.hits] == [hit.rank for hit in kept.hits]
    assert "lexical" not in kept.timings_ms
    assert shop.embedder.count("embed") == 2


@pytest.mark.parametrize("page_size", [7, 10, 100])
async def test_pages_neither_repeat_nor_skip(shop: Any, page_size: int) -> None:
    """trieve#1001 (case 115)"""
    whole = ids_of(await shop.search("watch", page_size=100))
    found: list[str] = []
    token = ""
    while True:
        answer = await shop.search("watch", page_size=page_size, page_token=token)
        assert [hit.position for hit in answer.hits] == list(range(len(found) + 1, len(found) + len(answer.hits) + 1))
        found += ids_of(answer)
        token = answer.next_page_token
        if not token:
            break
    assert len(found) == len(set(found)) == 240
    assert found[:100] == whole
    assert answer.shortfall is (Shortfall.NO_MORE_MATCHES if 240 % page_size else None)


async def test_later_pages_keep_the_scores_of_the_first(shop: Any) -> None:
    await shop.search("watch")
    whole = await shop.search("watch", page_size=40)
    first = await shop.search("watch", page_size=20)
    second = await shop.search("watch", page_size=20, page_token=first.next_page_token)
    assert second.cached == ("page",)
    assert second.rank_depth == first.rank_depth
    for expected, hit in zip(whole.hits[20:], second.hits, strict=True):
        assert hit.product.id == expected.product.id
        assert hit.retrieval_score == pytest.approx(expected.retrieval_score, rel=1e-6)
        assert (hit.rank is None) == (expected.rank is None)
        if hit.rank is not None:
            assert hit.rank.probability == pytest.approx(expected.rank.probability, rel=1e-6)


async def test_pages_hold_while_the_catalogue_changes(own_shop: Any) -> None:
    """trieve#1001 (case 115): what is deleted vanishes, and is made up for from further down."""
    first = await own_shop.search("watch", page_size=10)
    whole = ids_of(await own_shop.search("watch", page_size=100))
    gone = whole[12:15]
    await own_shop.retriever.port.delete_products([*gone, whole[0]], deadline=Deadline.after(30))
    second = await own_shop.search("watch", page_size=10, page_token=first.next_page_token)
    assert ids_of(second) == [found for found in whole[10:23] if found not in gone]
    assert [hit.position for hit in second.hits] == list(range(11, 21))


async def test_a_page_token_goes_with_its_query_and_filter_only(shop: Any) -> None:
    token = (await shop.search("watch")).next_page_token
    assert ids_of(await shop.search(" ＷＡＴＣＨ ", page_token=token))
    with pytest.raises(InvalidArgument, match="page_token: belongs to another query"):
        await shop.search("shoes", page_token=token)
    with pytest.raises(InvalidArgument, match="page_token: belongs to another query"):
        await shop.search("watch", page_token=token, filter=ProductFilter(brands=("Norvik",)))


async def test_filters_hold_on_every_page_and_the_shortfall_is_told(shop: Any) -> None:
    wanted = ProductFilter(brands=("norvik",), min_price=50.0, max_price=120.0)
    first = await shop.search("watch", page_size=10, filter=wanted)
    second = await shop.search("watch", page_size=100, filter=wanted, page_token=first.next_page_token)
    hits = first.hits + second.hits
    assert all(hit.product.brand == "Norvik" and 50 <= hit.product.price <= 120 for hit in hits)
    assert len(hits) == 18
    assert (first.shortfall, second.shortfall) == (None, Shortfall.NO_MORE_MATCHES)


async def test_the_window_has_an_end_and_says_so(open_shop: OpenShop) -> None:
    shop = await open_shop(result_window=200)
    token = ""
    found = 0
    for _ in range(3):
        answer = await shop.search("watch", page_size=90, page_token=token)
        found += len(answer.hits)
        token = answer.next_page_token
    assert (found, token, answer.shortfall) == (200, "", Shortfall.WINDOW_END)


async def test_an_empty_catalogue_is_no_error(own_shop: Any) -> None:
    every = [f"p{number:03}" for number in range(240)]
    await own_shop.retriever.port.delete_products(every, deadline=Deadline.after(30))
    answer = await own_shop.search("watch")
    assert (answer.hits, answer.shortfall, answer.next_page_token) == ((), Shortfall.NO_MORE_MATCHES, "")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"query": ""}, "query: is empty"),
        ({"query": " \u3000\u200b\t"}, "query: is empty"),
        ({"query": "x" * 513}, "query: has 513 characters; at most 512"),
        ({"query": "watch", "page_size": 101}, "page_size: is 101; give 1 to 100"),
        ({"query": "watch", "page_size": -1}, "page_size: is -1"),
        ({"query": "watch", "rank_depth": 201}, "rank_depth: is 201; give 0"),
        ({"query": "watch", "page_token": "nonsense"}, "page_token: is damaged"),
        ({"query": "", "page_size": 0}, "query: is empty.*page_size: is 0"),
    ],
)
async def test_wrong_fields_are_named(shop: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        await shop.search(**fields)
    assert not shop.retriever.calls


async def test_a_query_that_is_cut_is_told_each_time(shop: Any) -> None:
    """sentence-transformers#4060 (case 55)"""
    query = "手表鞋灯" * 128
    for _ in range(2):
        answer = await shop.search(query)
        assert answer.query_tokens_dropped > 0
        assert answer.cached == ()
    assert (await shop.search("watch")).query_tokens_dropped == 0


async def test_words_are_searched_while_the_query_is_embedded(shop: Any) -> None:
    shop.embedder.hanging = True
    search = asyncio.create_task(shop.search("red watch"))
    await shop.retriever.until(lambda: bool(shop.retriever.calls))
    (_, (early,), _) = shop.retriever.calls[0]
    assert (early.text, early.vector, early.product_limit) == ("red watch", None, 0)
    assert shop.embedder.count("embed") == 1
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search


@pytest.mark.parametrize(
    "error",
    [Unavailable("away"), ResourceExhausted("full"), DeadlineExceeded("late"), Internal("nan"), KeyError("bug")],
)
async def test_without_the_embedder_words_alone_search(shop: Any, error: Exception) -> None:
    shop.embedder.error = error
    answer = await shop.search("smart watch")
    assert answer.degradations == (Degradation.LEXICAL_ONLY,)
    assert len(answer.hits) == 10
    assert all("smart watch" in hit.product.title for hit in answer.hits)
    assert all(found.source == "lexical" for hit in answer.hits for found in hit.sources)
    later = await shop.search("smart watch", page_token=answer.next_page_token)
    assert later.degradations == (Degradation.LEXICAL_ONLY,)


async def test_an_embedder_that_hangs_leaves_time_for_words(shop: Any) -> None:
    shop.embedder.hanging = True
    answer = await shop.search("smart watch", timeout_s=2.0)
    assert Degradation.LEXICAL_ONLY in answer.degradations
    assert len(answer.hits) == 10
    assert shop.embedder.cancelled == 1


@pytest.mark.parametrize(
    "error",
    [Unavailable("away"), ResourceExhausted("full"), Internal("nan"), DeadlineExceeded("late"), KeyError("bug")],
)
async def test_without_the_ranker_retrieval_order_is_served(shop: Any, error: Exception) -> None:
    plain = await shop.search("smart watch", rank_depth=0)
    shop.ranker.error = error
    answer = await shop.search("smart watch")
    assert answer.degradations == (Degradation.NOT_RANKED,)
    assert ids_of(answer) == ids_of(plain)
    assert all(hit.rank is None for hit in answer.hits)
    assert answer.rank_depth == 0


async def test_a_ranker_that_hangs_leaves_time_for_the_answer(shop: Any) -> None:
    shop.ranker.hanging = True
    answer = await shop.search("smart watch", timeout_s=2.0)
    assert answer.degradations == (Degradation.NOT_RANKED,)
    assert len(answer.hits) == 10
    assert shop.ranker.cancelled == 1


async def test_ranks_fewer_when_there_is_little_time(shop: Any) -> None:
    real = shop.ranker.port

    class Slow:
        async def rank(self, query: str, candidates: Any, **named: Any) -> Any:
            if len(candidates) > 4:
                raise DeadlineExceeded("late")
            return await real.rank(query, candidates, **named)

    shop.ranker.port = Slow()
    # No pair of this query was read before.
    answer = await shop.search("smart watch for swimmers", page_size=20)
    assert answer.degradations == (Degradation.RANK_DEPTH_REDUCED,)
    assert answer.rank_depth == 4
    assert [hit.rank is not None for hit in answer.hits] == [True] * 4 + [False] * 16


@pytest.mark.parametrize("error", [Unavailable("away"), ResourceExhausted("full", retry_after_s=1.0)])
async def test_without_the_retriever_a_search_fails(shop: Any, error: Exception) -> None:
    shop.retriever.error = error
    with pytest.raises(type(error)):
        await shop.search("smart watch")


async def test_another_model_than_the_indexs_is_refused_naming_both(shop: Any) -> None:
    """drift#429"""
    index = await shop.retriever.port.get_index(deadline=Deadline.after(30))
    real = shop.embedder.port
    other = "sha256:" + "0" * 64

    class Other:
        async def embed(self, *args: Any, **named: Any) -> Any:
            found = await real.embed(*args, **named)
            return type(found)(found.vectors, found.items, other, found.prompt)

        async def get_models(self, **named: Any) -> ServedModels:
            return ServedModels((replace(await real.get_model(**named), version="2", digest=other),))

    shop.embedder.port = Other()
    with pytest.raises(FailedPrecondition) as caught:
        await shop.search("smart watch")
    assert index.model_digest in caught.value.message
    assert other in caught.value.message
    with pytest.raises(FailedPrecondition, match=other):
        await shop.gateway.self_test()
    assert not shop.gateway.ready


async def test_embedder_and_index_that_move_on_together_are_followed(own_shop: Any, shop_vectors: Any) -> None:
    """Guardrails#1751 (case 121): a vector kept from the model before is not used, and no search fails."""
    await own_shop.search("smart watch")
    await own_shop.search("smart watch")
    real = own_shop.embedder.port
    new = "sha256:" + "1" * 64

    class New:
        async def embed(self, *args: Any, **named: Any) -> Any:
            found = await real.embed(*args, **named)
            return type(found)(found.vectors, found.items, new, found.prompt)

        async def get_models(self, **named: Any) -> ServedModels:
            return ServedModels((replace(await real.get_model(**named), version="2", digest=new),))

    retriever = own_shop.retriever.port
    products = (await retriever.get_products([f"p{n:03}" for n in range(240)], deadline=Deadline.after(30))).products
    await retriever.delete_products([product.id for product in products], deadline=Deadline.after(30))
    await retriever.upsert_products(products, shop_vectors.vectors, model_digest=new, deadline=Deadline.after(30))
    own_shop.embedder.error = Unavailable("away while the index moved on")
    answer = await own_shop.search("smart watch")
    assert (len(answer.hits), answer.cached, answer.degradations) == (10, (), (Degradation.LEXICAL_ONLY,))
    own_shop.embedder.error = None
    own_shop.embedder.port = New()
    answer = await own_shop.search("smart watch")
    assert (len(answer.hits), answer.cached, answer.degradations) == (10, (), ())
    assert (await own_shop.search("smart watch")).cached == ("query_embedding",)


async def test_many_callers_of_a_cold_query_cost_one_embedding(open_shop: OpenShop, redis_url: str) -> None:
    """cacheable#888 (case 123)"""
    shop = await open_shop(redis_url=redis_url, max_searches=1_000, rank_depth=0)
    await shop.gateway.self_test()
    answers = await asyncio.gather(*(shop.search("白色 咖啡机", timeout_s=60) for _ in range(100)))
    assert len({tuple(ids_of(answer)) for answer in answers}) == 1
    assert shop.embedder.count("embed") == 1


async def test_searches_above_the_limit_are_refused_at_the_door(open_shop: OpenShop) -> None:
    """server#8597: a fast stage does not fill memory ahead of a slow one."""
    shop = await open_shop(max_searches=8)
    shop.ranker.hanging = True
    searches = [asyncio.create_task(shop.search("watch")) for _ in range(8)]
    await shop.ranker.until(lambda: shop.ranker.count("rank") == 8)
    before = len(shop.retriever.calls)
    with pytest.raises(ResourceExhausted, match="8 searches are in flight") as caught:
        await shop.search("watch")
    assert caught.value.retry_after_s
    assert len(shop.retriever.calls) == before
    for search in searches:
        search.cancel()
    await asyncio.gather(*searches, return_exceptions=True)
    shop.ranker.hanging = False
    assert (await shop.search("watch")).degradations == ()


async def test_a_slow_redis_is_not_waited_for(open_shop: OpenShop, slow_redis: Any) -> None:
    """gnomad-browser#1208"""
    shop = await open_shop(
        redis_url=slow_redis.url, cache_wait_s=0.005, cache_breaker_cool_down_s=5.0, kept_vectors=0, rank_depth=0
    )
    await shop.gateway.self_test()
    slow_redis.open.clear()
    before = slow_redis.requests
    for _ in range(30):
        answer = await shop.search("watch")
        assert (len(answer.hits), answer.degradations) == (10, (Degradation.NO_CACHE,))
    # After the failures that open the breaker Redis is asked by the tries beside the searches alone.
    assert slow_redis.requests - before <= 20
    slow_redis.open.set()
    # On a busy machine a healthy Redis may be later than 5 ms now and then.
    async with asyncio.timeout(60):
        while answer.degradations:
            await shop.gateway.self_test()
            answer = await shop.search("watch")


async def test_a_caller_without_time_is_told_so(shop: Any) -> None:
    with pytest.raises(DeadlineExceeded):
        await shop.search("watch", timeout_s=-1.0)
    assert not shop.retriever.calls


async def test_a_cancelled_search_takes_its_work_with_it(shop: Any) -> None:
    """leapfrogai#139"""
    shop.embedder.hanging = True
    shop.retriever.hanging = True
    search = asyncio.create_task(shop.search("watch"))
    await shop.embedder.until(lambda: bool(shop.embedder.calls))
    await shop.retriever.until(lambda: bool(shop.retriever.calls))
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search
    await shop.embedder.until(lambda: shop.embedder.cancelled == 1)
    await shop.retriever.until(lambda: shop.retriever.cancelled == 1)
