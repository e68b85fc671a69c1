"""Suggestions of the retriever, by the engine itself and over gRPC."""

from typing import Any

import pytest

from vitrine.errors import InvalidArgument
from vitrine.ports import Retriever, Span, Suggestion, SuggestionKind, SuggestQuery
from vitrine.product import Availability, Product, ProductKind

BRAND, CATEGORY, PRODUCT, QUERY = (
    SuggestionKind.BRAND,
    SuggestionKind.CATEGORY,
    SuggestionKind.PRODUCT,
    SuggestionKind.QUERY,
)
HEADPHONES = "Electronics > Audio > Headphones"


def product(product_id: str, title: str, brand: str = "", category: str = "", **fields: Any) -> Product:
    return Product(product_id, title, brand=brand, categories=(category,) if category else (), **fields)


PRODUCTS = [
    product("h1", "Sony WH-1000XM5 wireless headphones", "Sony", HEADPHONES),
    product("h2", "Bose QC 45 wireless headphones", "Bose", HEADPHONES),
    product("h3", "Kids headphones with volume limit", "Bose", HEADPHONES),
    product("w1", "Smart watch with GPS", "Acme", "Wearables > Smart watches"),
    product("w2", "Smart wallet", "Acme", "Bags > Wallets"),
    product("z1", "华为 蓝牙耳机 降噪", "华为", "数码 > 耳机"),
    product("z2", "小米 藍牙音箱", "小米", "数码 > 音箱"),
    product("z3", "蓝牙耳机 入耳式", "小米", "数码 > 耳机"),
    product("r1", "Review of headphones", kind=ProductKind.REVIEW, about_product_ids=("h1",)),
]


@pytest.fixture
async def filled(retriever: Retriever, shop: Any) -> Retriever:
    await shop.fill(retriever, PRODUCTS, shop.vectors(len(PRODUCTS)))
    return retriever


async def suggested(retriever: Retriever, shop: Any, text: str, limit: int = 20, **query: str) -> list[Suggestion]:
    found = await retriever.suggest(SuggestQuery(text, limit, **query), deadline=shop.deadline())
    scores = [one.score for one in found.suggestions]
    assert scores == sorted(scores, reverse=True)
    assert len({(one.kind, one.text) for one in found.suggestions}) == len(scores) <= limit
    return list(found.suggestions)


async def texts(retriever: Retriever, shop: Any, text: str, kind: SuggestionKind, **query: str) -> list[str]:
    return [one.text for one in await suggested(retriever, shop, text, **query) if one.kind is kind]


async def test_what_was_typed_completes_to_words_products_brands_and_categories(filled: Retriever, shop: Any) -> None:
    assert await texts(filled, shop, "headph", QUERY) == ["headphones"]
    assert set(await texts(filled, shop, "headph", PRODUCT)) == {p.title for p in PRODUCTS[:3]}
    assert await texts(filled, shop, "headph", CATEGORY) == [HEADPHONES]
    assert await texts(filled, shop, "so", BRAND) == ["Sony"]
    assert await texts(filled, shop, "SMART W", PRODUCT) == ["Smart wallet", "Smart watch with GPS"]
    assert await texts(filled, shop, "gps smart", PRODUCT) == ["Smart watch with GPS"]


async def test_a_product_names_its_id_and_where_the_words_are(filled: Retriever, shop: Any) -> None:
    [found] = [one for one in await suggested(filled, shop, "wireless sony h") if one.kind is PRODUCT]
    assert (found.product_id, found.mended) == ("h1", False)
    assert [found.text[span.start : span.end] for span in found.spans] == ["Sony", "wireless", "h"]
    assert found.spans[0] == Span(0, 4)


async def test_completions_are_words_that_titles_hold_together(filled: Retriever, shop: Any) -> None:
    assert await texts(filled, shop, "wireless he", QUERY) == ["wireless headphones"]
    # Two products have both words, and none has them side by side.
    assert await texts(filled, shop, "headphones wire", QUERY) == []


@pytest.mark.parametrize("text", ["wh1000xm5", "WH-1000", "wh 1000xm5", "wh1000 xm", "1000xm5"])
async def test_model_numbers_are_found_however_they_are_written(filled: Retriever, shop: Any, text: str) -> None:
    assert [one.product_id for one in await suggested(filled, shop, text) if one.kind is PRODUCT] == ["h1"]


@pytest.mark.parametrize("text", ["蓝牙", "蓝牙耳", "藍牙耳機", "lanya erji", "lanyaerji", "lanyae", "ｌａｎｙａ erj"])
async def test_chinese_is_found_by_characters_of_either_form_and_by_pinyin(
    filled: Retriever, shop: Any, text: str
) -> None:
    found = [one for one in await suggested(filled, shop, text) if one.kind is PRODUCT]
    assert {"z1", "z3"} <= {one.product_id for one in found} <= {"z1", "z2", "z3"}
    assert not any(one.mended for one in found)


async def test_traditional_titles_are_shown_as_they_are_with_their_spans(filled: Retriever, shop: Any) -> None:
    [found] = [one for one in await suggested(filled, shop, "蓝牙音") if one.kind is PRODUCT]
    assert (found.text, found.spans) == ("小米 藍牙音箱", (Span(3, 6),))


@pytest.mark.parametrize(
    ("text", "mended", "ids"),
    [
        ("hedphones", "headphones", {"h1", "h2", "h3"}),
        ("haedphones", "headphones", {"h1", "h2", "h3"}),
        ("wirelees headp", "wireless headphones", {"h1", "h2"}),
        ("smart wqtch", "smart watch", {"w1"}),
        ("兰牙耳机", "蓝牙耳机", {"z1", "z3"}),
    ],
)
async def test_what_nothing_matches_is_mended(
    filled: Retriever, shop: Any, text: str, mended: str, ids: set[str]
) -> None:
    found = await suggested(filled, shop, text)
    assert {one.product_id for one in found if one.kind is PRODUCT} == ids
    assert all(one.mended and not one.spans for one in found)
    # A word that only one product has is not a completion.
    if len(ids) > 1:
        assert mended in [one.text for one in found if one.kind is QUERY]


async def test_nothing_is_suggested_for_what_nobody_can_mean(filled: Retriever, shop: Any) -> None:
    assert await suggested(filled, shop, "qzxqzxqzx") == []
    assert await suggested(filled, shop, "!!!") == []


async def test_a_new_product_is_suggested_at_once_and_a_deleted_one_no_more(filled: Retriever, shop: Any) -> None:
    await shop.fill(filled, [product("n1", "Nebula projector", "Anker", "Video > Projectors")], shop.vectors(1))
    assert await texts(filled, shop, "neb", PRODUCT) == ["Nebula projector"]
    assert await texts(filled, shop, "ank", BRAND) == ["Anker"]
    await shop.fill(filled, [product("n1", "Mars projector", "Anker", "Video > Projectors")], shop.vectors(1))
    assert await texts(filled, shop, "neb", PRODUCT) == []
    assert await texts(filled, shop, "mars", PRODUCT) == ["Mars projector"]
    await filled.delete_products(["n1"], deadline=shop.deadline())
    for text, kind in (("mars", PRODUCT), ("ank", BRAND), ("proj", CATEGORY), ("video", CATEGORY)):
        assert await texts(filled, shop, text, kind) == []


async def test_words_that_no_product_has_any_more_are_not_suggested(retriever: Retriever, shop: Any) -> None:
    many = [product(f"p{number}", f"zorbulator {number}") for number in range(200)]
    await shop.fill(retriever, many, shop.vectors(200))
    assert await texts(retriever, shop, "zorb", QUERY) == ["zorbulator"]
    await retriever.delete_products([one.id for one in many[:-1]], deadline=shop.deadline())
    assert await texts(retriever, shop, "zorb", QUERY) == ["zorbulator"]
    await shop.fill(retriever, [product("p199", "lamp")], shop.vectors(1))
    assert await suggested(retriever, shop, "zorb") == []


async def test_where_many_died_the_living_are_still_found(retriever: Retriever, shop: Any) -> None:
    """The best of a segment may all be dead: it is looked further."""
    many = [product(f"p{number:03}", f"lamp {number}") for number in range(300)]
    await shop.fill(retriever, many, shop.vectors(300))
    await retriever.delete_products([one.id for one in many if one.id != "p000"], deadline=shop.deadline())
    assert await texts(retriever, shop, "lamp", PRODUCT) == ["lamp 0"]


async def test_the_preferred_language_comes_first(retriever: Retriever, shop: Any) -> None:
    products = [product("e1", "iPhone case"), product("z1", "iPhone 手机壳")]
    await shop.fill(retriever, products, shop.vectors(2))
    assert await texts(retriever, shop, "iphone", PRODUCT, language="zh") == ["iPhone 手机壳", "iPhone case"]
    assert await texts(retriever, shop, "iphone", PRODUCT) == ["iPhone case", "iPhone 手机壳"]


async def test_of_the_same_title_the_best_is_shown_and_what_is_sold_out_comes_later(
    retriever: Retriever, shop: Any
) -> None:
    gone = {"availability": Availability.OUT_OF_STOCK}
    products = [product("a", "Desk lamp"), product("b", "Desk lamp", **gone), product("c", "Desk lamb", **gone)]
    await shop.fill(retriever, products, shop.vectors(3))
    found = [one.product_id for one in await suggested(retriever, shop, "desk") if one.kind is PRODUCT]
    assert found == ["a", "c"]


async def test_kinds_share_the_places(retriever: Retriever, shop: Any) -> None:
    products = [
        product(f"p{number}", f"pear {word} {word}ness", f"pear{word}", f"Pears > pear {word}")
        for number, word in enumerate("abcdefghij")
    ]
    await shop.fill(retriever, products, shop.vectors(10))
    found = await suggested(retriever, shop, "pear", limit=8)
    kinds = [one.kind for one in found]
    assert len(found) == 8
    assert kinds.count(BRAND) <= 2
    assert kinds.count(CATEGORY) <= 2
    assert PRODUCT in kinds


@pytest.mark.parametrize(
    ("query", "named"),
    [
        (SuggestQuery(""), "text"),
        (SuggestQuery("x" * 129), "text"),
        (SuggestQuery(" \u200b"), "text"),
        (SuggestQuery("x", 0), "limit"),
        (SuggestQuery("x", 51), "limit"),
    ],
)
async def test_what_is_wrong_is_named(retriever: Retriever, shop: Any, query: SuggestQuery, named: str) -> None:
    with pytest.raises(InvalidArgument, match=named):
        await retriever.suggest(query, deadline=shop.deadline())


@pytest.mark.parametrize(
    "text", ["x" * 128, "\ud800a", "🤖🤖", "a\u0301", "%_*?[", "a\x00b", "蓝" * 128, "a b c d e f g h i j k l m n"]
)
async def test_any_text_is_answered(engine: Any, shop: Any, text: str) -> None:
    await shop.fill(engine, PRODUCTS, shop.vectors(len(PRODUCTS)))
    await suggested(engine, shop, text)


@pytest.mark.parametrize(
    ("products", "backend"),
    [(PRODUCTS, "faiss"), (PRODUCTS[:3], "faiss"), (PRODUCTS, "milvus")],
    ids=["both languages", "English", "over Milvus"],
)
async def test_suggestions_are_there_after_a_restart(
    open_engine: Any, shop: Any, products: list[Product], backend: str
) -> None:
    """From what was saved, where some of the arrays may be empty."""
    first = await open_engine(backend=backend)
    await shop.fill(first, products, shop.vectors(len(products)))
    await first.delete_products(["h2"], deadline=shop.deadline())
    before = await suggested(first, shop, "wireless")
    await first.close()
    again = await open_engine(backend=backend)
    assert (await again.get_index(deadline=shop.deadline())).alerts == ()
    assert await suggested(again, shop, "wireless") == before
