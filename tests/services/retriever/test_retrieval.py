"""How a query is read decides what is found and how much the vector counts; of the engine and over gRPC alike."""

from typing import Any

import numpy as np
import pytest

from vitrine.vectors import FloatArray


def _unit(*numbers: float) -> FloatArray:
    vector = np.array(numbers, np.float32)
    return vector / np.float32(np.linalg.norm(vector))


LIKE, UNLIKE = _unit(1, 0.1), _unit(0.1, 1)


@pytest.fixture
async def filled(retriever: Any, shop: Any) -> Any:
    """Three products whose vectors say the opposite of their words."""
    titles = ["Sony WH-1000XM5 headphones", "Bose headphones", "leather case"]
    brands = ["Sony", "Bose", ""]
    products = [
        shop.product(number, title=title, brand=brand, categories=())
        for number, (title, brand) in enumerate(zip(titles, brands, strict=True))
    ]
    await shop.fill(retriever, products, np.stack([UNLIKE, _unit(1, 0.4), LIKE]))
    return retriever


async def test_a_query_that_names_a_model_leans_on_words(filled: Any, shop: Any) -> None:
    named = await shop.search(filled, text="wh1000 xm5", vector=LIKE)
    assert named.reading.dense_weight == pytest.approx(0.3)
    assert named.candidates[0].product_id == "p00000"
    described = await shop.search(filled, text="headphones case", vector=LIKE)
    assert described.reading.dense_weight > 0.4
    assert described.candidates[0].product_id == "p00002"


@pytest.mark.parametrize("backend", ["faiss", "milvus"])
async def test_the_very_model_comes_first_and_says_why(engine: Any, shop: Any, serve_engine: Any) -> None:
    titles = ["case for WH-1000XM5", "WH-1000XM5 stand for WH-1000XM5 and WH-1000XM4 WH-1000XM4", "WH-1000XM4"]
    products = [shop.product(number, title=title, brand="", categories=()) for number, title in enumerate(titles)]
    await shop.fill(engine, products, np.stack([UNLIKE, UNLIKE, LIKE]))
    client = await serve_engine(engine)
    found = (await shop.search(client, text="wh1000 xm5", vector=LIKE)).candidates
    first = [[source.rank for source in one.sources if source.source == "model_number"] for one in found]
    assert {found[0].product_id, found[1].product_id} == {"p00000", "p00001"}
    assert first == [[1], [2], []]
    described = (await shop.search(client, text="wh1000 xm5 stand", vector=LIKE)).candidates
    assert not any(source.source == "model_number" for one in described for source in one.sources)


async def test_a_brand_alone_is_a_name(filled: Any, shop: Any) -> None:
    assert (await shop.search(filled, text="BOSE", vector=LIKE)).reading.dense_weight == pytest.approx(0.3)
    assert (await shop.search(filled, text="bose headphones", vector=LIKE)).reading.dense_weight >= 0.5


async def test_what_is_excluded_is_found_by_neither_source(filled: Any, shop: Any) -> None:
    found = await shop.search(filled, text="headphones -leather", vector=LIKE)
    assert {candidate.product_id for candidate in found.candidates} == {"p00000", "p00001"}
    assert found.reading.excluded_words == ("leather",)
    assert found.reading.model_text == "headphones"
    by_words = await shop.search(filled, text="case headphones -leather")
    assert {candidate.product_id for candidate in by_words.candidates} == {"p00000", "p00001"}


@pytest.mark.parametrize("backend", ["faiss", "milvus"])
async def test_a_slip_is_mended_and_told(engine: Any, shop: Any, serve_engine: Any) -> None:
    await shop.fill(engine, [shop.product(0, title="Bose headphones")], LIKE[None])
    reading = (await shop.search(await serve_engine(engine), text="hedphones")).reading
    assert (reading.corrected_query, reading.model_text, reading.dense_weight) == ("headphones", "headphones", None)
    assert [(word.word, word.read_as, word.why) for word in reading.words] == [
        ("hedphones", ("headphones",), "spelling")
    ]


async def test_by_reciprocal_ranks_there_is_no_weight(open_engine: Any, shop: Any) -> None:
    engine = await open_engine(fusion="rrf")
    await shop.fill(engine, [shop.product(0), shop.product(1)], np.stack([LIKE, UNLIKE]))
    found = await shop.search(engine, text="watch", vector=LIKE)
    assert found.reading.dense_weight is None
    assert found.candidates[0].score == pytest.approx(1 / 61 + 1 / 62, abs=1e-3)
