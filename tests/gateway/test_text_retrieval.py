"""What the retriever read a query as is what the models read."""

import asyncio
from typing import Any

import pytest

from gateway.search import Degradation
from vitrine.errors import Unavailable
from vitrine.ports import FacetSpec


def _embedded(shop: Any) -> list[str]:
    return [text for name, (texts,), _ in shop.embedder.calls if name == "embed" for text in texts]


async def test_a_slip_is_mended_before_the_models_read_it(shop: Any) -> None:
    answer = await shop.search("runing shoess")
    mended = await shop.search("running shoes")
    assert answer.reading.corrected_query == "running shoes"
    assert [hit.product.id for hit in answer.hits] == [hit.product.id for hit in mended.hits]
    assert _embedded(shop) == ["runing shoess", "running shoes"], "the second search finds its vector kept"
    (ranked,) = {args[0] for name, args, _ in shop.ranker.calls if name == "rank"}
    assert ranked == "running shoes"


async def test_what_is_excluded_is_not_embedded_and_not_found(shop: Any) -> None:
    answer = await shop.search("running shoes -red", page_size=100)
    assert answer.reading.excluded_words == ("red",)
    assert _embedded(shop)[-1] == "running shoes"
    assert answer.hits
    assert not any("red" in hit.product.title.lower().split() for hit in answer.hits)


async def test_a_query_that_is_read_as_it_stands_is_embedded_once(shop: Any) -> None:
    answer = await shop.search("red running shoes")
    assert (answer.reading.corrected_query, answer.reading.words) == ("", ())
    assert 0.5 <= answer.reading.dense_weight <= 0.8
    assert _embedded(shop) == ["red running shoes"]


async def test_words_are_searched_and_counted_while_the_query_is_embedded(shop: Any) -> None:
    embed, begun = shop.embedder.port.embed, asyncio.Event()

    class Waiting:
        async def embed(self, *args: Any, **named: Any) -> Any:
            await shop.retriever.until(lambda: shop.retriever.count("retrieve") == 1)
            begun.set()
            return await embed(*args, **named)

    shop.embedder.port = Waiting()
    answer = await shop.search("white coffee machine")
    assert begun.is_set()
    early, whole = (args[0] for name, args, _ in shop.retriever.calls if name == "retrieve")
    assert (early.vector, early.with_total_size, early.product_limit) == (None, True, 0)
    assert whole.vector is not None
    assert (early.text, early.filter) == (whole.text, whole.filter)
    assert answer.total_size


async def test_what_facets_count_is_not_counted_before(shop: Any) -> None:
    answer = await shop.search("white coffee machine", facets=(FacetSpec("brand"),))
    early, whole = (args[0] for name, args, _ in shop.retriever.calls if name == "retrieve")
    assert (early.vector, early.with_total_size, whole.with_total_size) == (None, False, True)
    assert answer.total_size


async def test_traditional_characters_find_what_simplified_ones_do(shop: Any) -> None:
    traditional, simplified = await shop.search("智能手錶"), await shop.search("智能手表")
    assert [hit.product.id for hit in traditional.hits] == [hit.product.id for hit in simplified.hits]
    assert traditional.reading.corrected_query == ""


async def test_the_reading_is_told_on_the_first_page_only(shop: Any) -> None:
    first = await shop.search("running shoes -red", page_size=2)
    later = await shop.search("running shoes -red", page_size=2, page_token=first.next_page_token)
    assert first.reading is not None
    assert later.reading is None


@pytest.mark.parametrize("query", ["runing shoess", "running shoes -red"])
async def test_without_the_embedder_words_are_read_all_the_same(shop: Any, query: str) -> None:
    shop.embedder.error = Unavailable("away")
    answer = await shop.search(query)
    assert answer.degradations == (Degradation.LEXICAL_ONLY,)
    assert answer.hits
    assert all("running shoes" in hit.product.title for hit in answer.hits)
