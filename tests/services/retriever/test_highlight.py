"""Highlights: where a query's words are, by the reading of the index."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retriever.highlight import MAX_CHARACTERS, highlights_of
from services.retriever.shown_text import ShownText
from vitrine.ports import Highlight, Retriever
from vitrine.product import Product
from vitrine.text import normalize_text

PRODUCT = Product(
    id="p1",
    title="Sony WH-1000XM5 Wireless Headphones",
    brand="Sony",
    categories=("Audio > Headphones",),
    description="Noise cancelling headphone. " + "It is comfortable. " * 20 + "Wireless charging, 17 inch bag.",
    attributes={"material": ("Leather", "Steel"), "weight_g": (250.0,)},
)
CHINESE = Product(id="p2", title="小米 藍牙耳機 ｐｒｏ 入耳式", description="無線藍牙 17寸", language="zh")


def marked(highlights: tuple[Highlight, ...]) -> dict[str, list[str]]:
    """What is marked, by field."""
    found: dict[str, list[str]] = {}
    for one in highlights:
        assert all(0 <= span.start < span.end <= len(one.text) for span in one.spans)
        found.setdefault(one.field, []).extend(one.text[span.start : span.end] for span in one.spans)
    return found


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"headphon"}, {"title": ["Headphones"], "categories": ["Headphones"], "description": ["headphone"]}),
        ({"soni"}, {"title": ["Sony"], "brand": ["Sony"]}),
        ({"wh1000xm5"}, {"title": ["WH-1000XM5"]}),
        ({"1000xm5"}, {"title": ["1000XM5"]}),
        ({"leather", "steel"}, {"attributes.material": ["Leather", "Steel"]}),
        ({"17inch"}, {"description": ["17 inch"]}),
        ({"soni", "wireless"}, {"title": ["Sony", "Wireless"], "brand": ["Sony"], "description": ["Wireless"]}),
        ({"wire", "phone", "250"}, {}),
        (set(), {}),
    ],
)
def test_words_are_marked_as_the_index_folds_them(wanted: set[str], expected: dict[str, list[str]]) -> None:
    assert marked(highlights_of(PRODUCT, wanted)) == expected


def test_chinese_is_marked_in_either_form_and_width() -> None:
    assert marked(highlights_of(CHINESE, {"蓝牙", "耳机", "pro"})) == {
        "title": ["藍牙耳機", "ｐｒｏ"],
        "description": ["藍牙"],
    }
    assert marked(highlights_of(CHINESE, {"17inch"})) == {"description": ["17寸"]}


def test_a_long_text_is_cut_to_the_part_that_holds_most_of_the_words() -> None:
    [found] = [one for one in highlights_of(PRODUCT, {"charg", "17inch", "nois"}) if one.field == "description"]
    assert len(found.text) <= MAX_CHARACTERS
    assert found.text in PRODUCT.description
    assert marked((found,)) == {"description": ["charging", "17 inch"]}


@given(st.text(max_size=300), st.sets(st.text(min_size=1, max_size=3), max_size=5))
def test_spans_of_any_text_are_ascending_and_within_it(text: str, words: set[str]) -> None:
    normalized = {normalize_text(word) for word in words}
    spans = ShownText(text).spans(normalized, normalized)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end < other.start for one, other in itertools.pairwise(spans))
    product = Product("p", text, description=text * 3)
    for one in highlights_of(product, normalized):
        assert one.spans
        assert one.text in (product.title, product.description) or len(one.text) <= MAX_CHARACTERS
        assert all(0 <= span.start < span.end <= len(one.text) for span in one.spans)


@pytest.fixture(params=["engine", "client"])
async def retriever(request: pytest.FixtureRequest, open_engine: Any, serve_engine: Any) -> Retriever:
    engine: Retriever = await open_engine()
    return engine if request.param == "engine" else await serve_engine(engine)


async def test_a_retrieval_marks_what_it_found_by(retriever: Retriever, shop: Any) -> None:
    await shop.fill(retriever, [PRODUCT, CHINESE], shop.vectors(2))
    found = await shop.search(retriever, text="wh1000 xm5 headfones", highlight=True)
    [sony] = [one for one in found.candidates if one.product_id == "p1"]
    assert marked(sony.highlights)["title"] == ["WH-1000XM5", "Headphones"]
    assert sony.product is not None
    assert sony.product.description == PRODUCT.description[:200]
    [zh] = (await shop.search(retriever, text="lanya", highlight=True)).candidates
    assert marked(zh.highlights) == {"title": ["藍牙"], "description": ["藍牙"]}
    far = await shop.search(retriever, text="charging", highlight=True)
    assert marked(far.candidates[0].highlights) == {"description": ["charging"]}


async def test_nothing_is_marked_unasked_nor_where_no_product_is_shown(retriever: Retriever, shop: Any) -> None:
    await shop.fill(retriever, [PRODUCT, replace(PRODUCT, id="p3")], shop.vectors(2))
    unasked = await shop.search(retriever, text="sony")
    assert [one.highlights for one in unasked.candidates] == [(), ()]
    limited = await shop.search(retriever, text="sony", highlight=True, product_limit=1)
    assert [bool(one.highlights) for one in limited.candidates] == [True, False]
    vector = await shop.search(retriever, vector=shop.vectors(2)[0], highlight=True)
    assert [one.highlights for one in vector.candidates] == [(), ()]
