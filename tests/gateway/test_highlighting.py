"""Highlights of a search's results, on every page and in every order."""

from typing import Any

import pytest

from vitrine.ports import ProductFilter


def marked(hit: Any) -> set[str]:
    """What is marked in a hit's title, in small letters."""
    return {
        one.text[span.start : span.end].lower() for one in hit.highlights if one.field == "title" for span in one.spans
    }


async def test_each_page_says_where_the_words_are(shop: Any) -> None:
    first = await shop.search("wireles headphone", page_size=3, highlight=True)
    assert [marked(hit) for hit in first.hits] == [{"wireless", "headphones"}] * 3
    assert "highlight" in first.timings_ms
    second = await shop.search("wireles headphone", page_size=3, highlight=True, page_token=first.next_page_token)
    assert [marked(hit) for hit in second.hits] == [{"wireless", "headphones"}] * 3


@pytest.mark.parametrize("order_by", ["price", "newest"])
async def test_sorted_lists_are_marked_too(shop: Any, order_by: str) -> None:
    watches = ProductFilter(categories=("smart watch",), languages=("zh",))
    answer = await shop.search("智能手錶", page_size=3, filter=watches, highlight=True, order_by=order_by)
    assert [marked(hit) for hit in answer.hits] == [{"智能手表"}] * 3


async def test_without_words_or_unasked_nothing_is_marked(shop: Any) -> None:
    browsed = await shop.search("", page_size=3, highlight=True, order_by="price")
    unasked = await shop.search("wireless headphones", page_size=3)
    assert [hit.highlights for hit in (*browsed.hits, *unasked.hits)] == [()] * 6
    assert "highlight" not in browsed.timings_ms | unasked.timings_ms
