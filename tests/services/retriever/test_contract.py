"""The Retriever port, held by the engine and by its gRPC client alike."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from services.retriever.engine import RetrieverEngine
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, NotFound
from vitrine.ports import Anchor, RetrievalQuery, Retriever, Shortfall, SimilarQuery, best_bm25_of
from vitrine.product import Availability, ProductKind


async def test_what_is_written_is_found_by_words_and_by_vector(retriever: Retriever, shop: Any) -> None:
    vectors = shop.vectors(50)
    result = await shop.fill(retriever, [shop.product(n) for n in range(50)], vectors)
    assert (await shop.search(retriever, text="智能手表")).revision == result.revision
    assert set(await shop.found(retriever, text="智能手表")) == {f"p{n:05}" for n in range(0, 50, 2)}
    assert (await shop.found(retriever, vector=vectors[7]))[0] == "p00007"
    fused = await shop.search(retriever, text="wx-7", vector=vectors[7])
    assert fused.candidates[0].product_id == "p00007"
    assert [(s.source, s.rank) for s in fused.candidates[0].sources] == [("dense", 1), ("lexical", 1)]
    assert fused.candidates[0].sources[0].score == pytest.approx(1.0, abs=1e-5)


async def test_candidates_carry_products_up_to_the_limit(retriever: Retriever, shop: Any) -> None:
    product = shop.product(
        1,
        description=" ".join(["Long words about a watch."] * 20),
        original_price=9.5,
        availability=Availability.PREORDER,
        attributes={"color": ("red", "红"), "weight_g": (41.5,)},
        image_uris=("https://shop.example/1.jpg",),
        update_time=datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC),
    )
    await shop.fill(retriever, [product, *(shop.product(n) for n in range(3, 21, 2))], shop.vectors(10))
    limited = await shop.search(retriever, text="smart watch", product_limit=3)
    assert [candidate.product is not None for candidate in limited.candidates] == [True] * 3 + [False] * 7
    assert {c.product_id: c.product for c in (await shop.search(retriever, text="smart watch")).candidates}[
        product.id
    ] == replace(product, description=product.description[:200], language="en", revision=1)
    described = await shop.search(retriever, text="smart watch", with_description=True)
    assert {c.product_id: c.product for c in described.candidates}[product.id] == replace(
        product, language="en", revision=1
    )


async def test_a_bare_rest_is_the_same_list_told_in_fewer_words(retriever: Retriever, shop: Any) -> None:
    vectors = shop.vectors(20)
    await shop.fill(retriever, [shop.product(n) for n in range(20)], vectors)
    query = {"text": "智能手表", "vector": vectors[7], "product_limit": 3}
    whole = await shop.search(retriever, **query)
    bare = await shop.search(retriever, **query, with_bare_rest=True)
    assert len(whole.candidates) == 20
    assert bare.candidates == whole.candidates[:3]
    assert list(zip(bare.rest.product_ids, bare.rest.scores, strict=True)) == [
        (one.product_id, one.score) for one in whole.candidates[3:]
    ]
    assert (whole.rest.product_ids, bare.shortfall) == ([], whole.shortfall)
    # The ranker's evidence is relative to the best of all, whoever has it.
    assert bare.best_bm25 == whole.best_bm25 == pytest.approx(best_bm25_of(whole.candidates))
    assert (await shop.search(retriever, vector=vectors[7])).best_bm25 == 0.0


async def test_deleted_products_are_gone_and_unknown_ids_are_named(retriever: Retriever, shop: Any) -> None:
    vectors = shop.vectors(10)
    await shop.fill(retriever, [shop.product(n) for n in range(10)], vectors)
    result = await retriever.delete_products(["p00003", "nobody"], deadline=shop.deadline())
    assert [outcome.id for outcome in result.outcomes] == ["p00003", "nobody"]
    assert result.outcomes[0].error is None
    assert isinstance(result.outcomes[1].error, NotFound)
    assert "p00003" not in await shop.found(retriever, vector=vectors[3])
    assert await shop.found(retriever, text="wx3") == []
    found = await retriever.get_products(["p00004", "p00003", "p00002"], deadline=shop.deadline())
    assert [product.id for product in found.products] == ["p00004", "p00002"]
    assert found.missing_ids == ("p00003",)
    assert found.revision == result.revision


async def test_reading_by_id_applies_the_filter(retriever: Retriever, shop: Any) -> None:
    await shop.fill(retriever, [shop.product(n, description="d") for n in range(10)], shop.vectors(10))
    found = await retriever.get_products(
        ["p00009", "p00002", "p00004"],
        deadline=shop.deadline(),
        with_description=True,
        filter=shop.filter(max_price=4, currency_code="CNY"),
    )
    assert [(product.id, product.description) for product in found.products] == [("p00002", "d"), ("p00004", "d")]
    assert found.missing_ids == ("p00009",)


async def test_upserting_again_leaves_one_hit_with_the_newest_vector(retriever: Retriever, shop: Any) -> None:
    """faiss#508: re-adding an id made duplicates (case 95)."""
    vectors = shop.vectors(20)
    await shop.fill(retriever, [shop.product(n) for n in range(10)], vectors[:10])
    await shop.fill(retriever, [shop.product(7, title="blue kettle")], vectors[15:16])
    nearest = (await shop.search(retriever, vector=vectors[15])).candidates[0]
    assert nearest.product_id == "p00007"
    assert nearest.score == pytest.approx(1.0, abs=1e-5)
    assert (await shop.found(retriever, vector=vectors[7])).count("p00007") == 1
    assert await shop.found(retriever, text="kettle") == ["p00007"]
    assert await shop.found(retriever, text="wx7") == []


async def test_an_id_twice_in_one_write_keeps_the_last(retriever: Retriever, shop: Any) -> None:
    await shop.fill(retriever, [shop.product(1, title="kettle"), shop.product(1, title="teapot")], shop.vectors(2))
    assert await shop.found(retriever, text="teapot") == ["p00001"]
    assert await shop.found(retriever, text="kettle") == []


async def test_inner_product_is_cosine_whatever_the_norms(retriever: Retriever, shop: Any) -> None:
    """mem0#5960: vectors of norm 0.1 and 10 must not change the order (case 107)."""
    vectors = shop.vectors(30)
    scaled = vectors * np.where(np.arange(30) % 2, 0.1, 10.0)[:, None].astype(np.float32)
    await shop.fill(retriever, [shop.product(n) for n in range(30)], scaled)
    expected = [f"p{n:05}" for n in np.argsort(-(vectors @ vectors[4]))]
    assert await shop.found(retriever, vector=vectors[4] * 3) == expected


async def test_a_vector_of_another_model_is_refused_naming_both(retriever: Retriever, shop: Any) -> None:
    """drift#429: same width, other model, silent junk (case 105)."""
    vectors = shop.vectors(3)
    await shop.fill(retriever, [shop.product(1)], vectors[:1])
    with pytest.raises(FailedPrecondition) as read:
        await shop.search(retriever, vector=vectors[0], model_digest=shop.OTHER_DIGEST)
    with pytest.raises(FailedPrecondition) as written:
        await shop.fill(retriever, [shop.product(2)], vectors[1:2], digest=shop.OTHER_DIGEST)
    for error in (read.value, written.value):
        assert error.reason == "MODEL_MISMATCH"
        assert shop.DIGEST in error.message
        assert shop.OTHER_DIGEST in error.message
    with pytest.raises(FailedPrecondition, match="8 numbers"):
        await shop.search(retriever, vector=vectors[0][:8])
    assert (await retriever.get_index(deadline=shop.deadline())).products == 1


async def test_an_emptied_catalogue_takes_another_model(retriever: Retriever, shop: Any) -> None:
    await shop.fill(retriever, [shop.product(n) for n in range(5)], shop.vectors(5))
    await retriever.delete_products([f"p{n:05}" for n in range(5)], deadline=shop.deadline())
    empty = await retriever.get_index(deadline=shop.deadline())
    assert (empty.products, empty.model_digest, empty.dim) == (0, "", 0)
    assert await shop.found(retriever, vector=shop.vectors(1)[0]) == []
    wider = shop.vectors(5, dim=24)
    await shop.fill(retriever, [shop.product(n) for n in range(5)], wider, digest=shop.OTHER_DIGEST)
    index = await retriever.get_index(deadline=shop.deadline())
    assert (index.products, index.model_digest, index.dim, index.kind) == (5, shop.OTHER_DIGEST, 24, "exact")
    found = await shop.found(retriever, vector=wider[2], model_digest=shop.OTHER_DIGEST, text="wx-2")
    assert found[0] == "p00002"


async def test_a_bad_product_fails_alone(retriever: Retriever, shop: Any) -> None:
    vectors = shop.vectors(4)
    vectors[2] = 0
    products = [shop.product(0), shop.product(1, title=" \u200b"), shop.product(2), shop.product(3)]
    result = await retriever.upsert_products(products, vectors, model_digest=shop.DIGEST, deadline=shop.deadline())
    errors = [outcome.error for outcome in result.outcomes]
    assert errors[0] is None
    assert errors[3] is None
    assert isinstance(errors[1], InvalidArgument)
    assert errors[1].violations[0].field == "title"
    assert isinstance(errors[2], InvalidArgument)
    assert errors[2].violations[0].field == "vector"
    assert (await retriever.get_index(deadline=shop.deadline())).products == 2


async def test_as_many_as_there_are_then_the_reason(retriever: Retriever, shop: Any) -> None:
    """faiss#1016, milvus#28603: exactly k while k match, else fewer and why; no -1 ids (cases 83, 90)."""
    vectors = shop.vectors(40)
    await shop.fill(retriever, [shop.product(n) for n in range(40)], vectors)
    full = await shop.search(retriever, vector=vectors[0], depth=40)
    assert (len(full.candidates), full.shortfall) == (40, None)
    short = await shop.search(retriever, vector=vectors[0], depth=41)
    assert (len(short.candidates), short.shortfall) == (40, Shortfall.NO_MORE_MATCHES)
    nothing = await shop.search(retriever, text="submarine")
    assert (nothing.candidates, nothing.shortfall) == ((), Shortfall.NO_MORE_MATCHES)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"text": " \u200b"}, "text"),
        # Megabytes would be normalised on the event loop, and all but their beginning left out without a word.
        ({"text": "表" * 4_001}, "text"),
        ({"text": "watch", "depth": -1}, "depth"),
        ({"text": "watch", "depth": 10, "product_limit": 11}, "product_limit"),
        ({"vector": np.zeros(16, np.float32)}, "vector.data"),
        ({"vector": np.ones(16, np.float32), "model_digest": ""}, "model_digest"),
    ],
)
async def test_a_wrong_query_is_refused_by_its_field(
    retriever: Retriever, shop: Any, query: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await shop.search(retriever, **query)
    assert refusal.value.violations[0].field == field


@pytest.mark.parametrize(
    ("conditions", "field"),
    [
        ({"min_price": 5.0, "max_price": 4.0}, "filter.min_price"),
        ({"max_price": float("nan")}, "filter.max_price"),
        ({"currency_code": "euro"}, "filter.currency_code"),
        ({"brands": (" ",)}, "filter.brands[0]"),
        ({"categories": ("a", " > ")}, "filter.categories[1]"),
        ({"languages": ("en",) * 101}, "filter.languages"),
        ({"brands": ("表" * 513,)}, "filter.brands[0]"),
        ({"categories": ("a" * 513,)}, "filter.categories[0]"),
    ],
)
async def test_a_wrong_filter_is_refused_by_its_field(
    retriever: Retriever, shop: Any, conditions: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await shop.search(retriever, text="watch", filter=shop.filter(**conditions))
    assert refusal.value.violations[0].field == field


async def test_limits_of_writes_and_reads(retriever: Retriever, shop: Any) -> None:
    with pytest.raises(InvalidArgument, match="1 to 500"):
        await retriever.upsert_products([], shop.vectors(1)[:0], model_digest=shop.DIGEST, deadline=shop.deadline())
    with pytest.raises(InvalidArgument, match="1 to 500"):
        await retriever.upsert_products(
            [shop.product(n) for n in range(501)],
            shop.vectors(501),
            model_digest=shop.DIGEST,
            deadline=shop.deadline(),
        )
    with pytest.raises(InvalidArgument, match="vectors"):
        await retriever.upsert_products(
            [shop.product(1)], shop.vectors(2), model_digest=shop.DIGEST, deadline=shop.deadline()
        )
    for ids in ([], ["x"] * 1_001, [""]):
        with pytest.raises(InvalidArgument, match="ids"):
            await retriever.delete_products(ids, deadline=shop.deadline())
        with pytest.raises(InvalidArgument, match="ids"):
            await retriever.get_products(ids, deadline=shop.deadline())


async def test_nothing_is_begun_when_the_time_is_over(retriever: Retriever, engine: RetrieverEngine, shop: Any) -> None:
    late = Deadline.after(-1)
    with pytest.raises(DeadlineExceeded):
        await retriever.retrieve(RetrievalQuery(text="watch"), deadline=late)
    with pytest.raises(DeadlineExceeded):
        await retriever.upsert_products([shop.product(1)], shop.vectors(1), model_digest=shop.DIGEST, deadline=late)
    assert (await engine.get_index(deadline=shop.deadline())).products == 0


async def test_products_too_large_for_one_message_go_in_several(retriever: Retriever, shop: Any) -> None:
    """metarank#318 (case 131): one giant request exceeds the protocol's limit."""
    products = [shop.product(n, description=f"watch {n} " * 1_800) for n in range(260)]
    result = await shop.fill(retriever, products, shop.vectors(260))
    assert [outcome.id for outcome in result.outcomes] == [product.id for product in products]
    assert (await retriever.get_index(deadline=shop.deadline())).products == 260


async def test_content_is_kept_whole_and_found_only_where_asked_for(retriever: Retriever, shop: Any) -> None:
    vectors = shop.vectors(4)
    review = shop.product(
        8,
        title="",
        description="智能手表 戴着舒服",
        price=None,
        kind=ProductKind.REVIEW,
        about_product_ids=("p00000", "gone"),
        rating=4.5,
        update_time=datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC),
    )
    guide = shop.product(9, title="智能手表 选购", price=None, kind=ProductKind.GUIDE)
    await shop.fill(retriever, [shop.product(0), shop.product(2), review, guide], vectors)
    products, content = ["p00000", "p00002"], ["p00008", "p00009"]
    for query in ({"text": "智能手表"}, {"vector": vectors[2]}, {"text": "智能手表", "vector": vectors[3]}):
        assert sorted(await shop.found(retriever, **query)) == products
        of_content = shop.filter(kinds=(ProductKind.REVIEW, ProductKind.GUIDE))
        assert sorted(await shop.found(retriever, **query, filter=of_content)) == content
        about = shop.filter(kinds=(ProductKind.REVIEW,), about_product_ids=("p00000",))
        assert await shop.found(retriever, **query, filter=about) == ["p00008"]
        assert (
            sorted(await shop.found(retriever, **query, filter=shop.filter(kinds=tuple(ProductKind))))
            == products + content
        )
    deadline = shop.deadline()
    newest = await retriever.list_newest_products(9, deadline=deadline, filter=shop.filter())
    assert sorted(one.id for one in newest) == products
    similar = await retriever.retrieve_similar(SimilarQuery((Anchor("p00008"),)), deadline=deadline)
    assert sorted(one.product.id for one in similar.interests[0].candidates) == products
    found = await retriever.get_products(content, deadline=deadline, with_description=True)
    assert found.products[0] == replace(review, language="zh", revision=1)
    filtered = await retriever.get_products(products + content, deadline=deadline, filter=shop.filter())
    assert [one.id for one in filtered.products] == products


async def test_a_catalogue_from_before_there_was_content_goes_on(open_engine: Any, engine: Any, shop: Any) -> None:
    await shop.fill(engine, [shop.product(0), shop.product(2)], shop.vectors(2))
    with engine._catalogue._engine.connect() as connection:
        written = connection.exec_driver_sql("SELECT document, entry FROM version").all()
    assert all("kind" not in document + entry and "rating" not in document for document, entry in written)
    await engine.close()
    again = await open_engine()
    assert len(await shop.found(again, text="智能手表")) == 2
    assert await shop.found(again, text="智能手表", filter=shop.filter(kinds=(ProductKind.REVIEW,))) == []
    review = shop.product(4, price=None, kind=ProductKind.REVIEW)
    await shop.fill(again, [review], shop.vectors(1))
    assert len(await shop.found(again, text="智能手表")) == 2
