"""Related products and behaviour vectors, by the engine, over gRPC and over Milvus alike."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.retriever import index_keeper
from services.retriever.engine import RetrieverEngine
from services.retriever.related import newest_positions
from services.retriever.relations import behaviour_vectors
from tests.recommender_bundle import learned_products, write_recommender_bundle
from vitrine.deadline import Deadline
from vitrine.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument
from vitrine.learned_products import LearnedProducts
from vitrine.ports import (
    Anchor,
    ProductFilter,
    Related,
    RelatedCandidate,
    RelatedQuery,
    Relation,
    RelationScore,
    Retriever,
)
from vitrine.product import Product
from vitrine.recommender_bundle import RecommenderBundle
from vitrine.vectors import FloatArray, l2_normalized

# The recommender learned of the first LEARNED products; the others are new to it.
PRODUCTS, LEARNED, DIM = 60, 50, 8
HISTORY = l2_normalized(np.random.default_rng(8).normal(size=(1, DIM)).astype(np.float32))[0]
ANCHORS = (Anchor("p00003", 1.0), Anchor("p00010", 0.5), Anchor("p00055", 2.0))


@pytest.fixture(scope="module")
def learned(shop: Any) -> LearnedProducts:
    return learned_products([shop.product(number).id for number in range(LEARNED)], shop.DIM, DIM)


@pytest.fixture(scope="module")
def bundle(learned: LearnedProducts, shop: Any, tmp_path_factory: pytest.TempPathFactory) -> RecommenderBundle:
    return write_recommender_bundle(tmp_path_factory.mktemp("bundle"), learned, embedder_digest=shop.DIGEST)


@pytest.fixture
async def served(open_engine: Any, bundle: RecommenderBundle, backend: str) -> RetrieverEngine:
    """An empty engine with a recommender."""
    engine: RetrieverEngine = await open_engine(recommender=str(bundle.folder), backend=backend)
    return engine


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """The backend of the test's engine."""
    params = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    return "milvus" if "milvus" in (params.get("filled"), params.get("retriever")) else "faiss"


@pytest.fixture(params=["engine", "client", "milvus"])
async def filled(
    request: pytest.FixtureRequest, served: RetrieverEngine, serve_engine: Any, shop: Any, text: FloatArray
) -> Retriever:
    """The same with its products: itself, over gRPC, and over Milvus."""
    await shop.fill(served, [shop.product(number) for number in range(PRODUCTS)], text)
    retriever: Retriever = await serve_engine(served) if request.param == "client" else served
    return retriever


@pytest.fixture
def text(shop: Any) -> FloatArray:
    vectors: FloatArray = shop.vectors(PRODUCTS)
    return vectors


async def related(retriever: Retriever, shop: Any, bundle: RecommenderBundle, **fields: Any) -> Related:
    if "history_vector" in fields:
        fields.setdefault("recommender_digest", bundle.manifest.digest)
    return await retriever.retrieve_related(RelatedQuery(**fields), deadline=shop.deadline())


def scores_of(found: Related, relation: Relation) -> dict[str, RelationScore]:
    """A relation's entries by product id."""
    return {one.product.id: score for one in found.candidates for score in one.scores if score.relation is relation}


def expected_scores(learned: LearnedProducts, bundle: RecommenderBundle, text: FloatArray) -> dict[Relation, Any]:
    """(PRODUCTS,) of each relation to ANCHORS and HISTORY, NaN where it knows nothing; in the plainest way."""
    manifest = bundle.manifest
    residuals = np.zeros((PRODUCTS, DIM), np.float32)
    residuals[:LEARNED] = learned.residuals
    behaviour = behaviour_vectors(text, learned.projection, learned.bias, residuals)
    # ALS and neighbours by the two anchors that were learned of; their files hold half precision.
    factors = learned.factors.astype(np.float16).astype(np.float64)
    confidence, liked = np.ones(LEARNED), np.zeros(LEARNED)
    neighbours = {Relation.ITEM_ITEM: np.full(PRODUCTS, np.nan), Relation.CO_PURCHASE: np.full(PRODUCTS, np.nan)}
    for anchor in ANCHORS[:2]:
        row = int(anchor.product_id[1:])
        confidence[row] += manifest.als_alpha * anchor.weight
        liked[row] = 1.0
        for relation, near, weight in (
            (Relation.ITEM_ITEM, row + 1, 2.0),
            (Relation.ITEM_ITEM, row + 2, 1.0),
            (Relation.CO_PURCHASE, row + 3, 3.0),
        ):
            neighbours[relation][near] = np.nan_to_num(neighbours[relation][near]) + weight * anchor.weight
    system = factors.T @ (factors * confidence[:, None]) + manifest.als_regularization * np.eye(factors.shape[1])
    user = np.linalg.solve(system, factors.T @ (confidence * liked))
    als = np.full(PRODUCTS, np.nan)
    als[:LEARNED] = factors @ user
    anchors = [int(anchor.product_id[1:]) for anchor in ANCHORS]
    return {
        Relation.BEHAVIOUR: behaviour @ HISTORY,
        Relation.ALS: als,
        Relation.TEXT: (text @ text[anchors].T).max(axis=1),
        **neighbours,
    }


async def test_each_relation_finds_its_best_and_all_score_all(
    filled: Retriever, learned: LearnedProducts, bundle: RecommenderBundle, shop: Any, text: FloatArray
) -> None:
    found = await related(
        filled, shop, bundle, anchors=ANCHORS, history_vector=HISTORY * 3, relations=tuple(Relation), depth=7
    )
    ids = [one.product.id for one in found.candidates]
    assert ids == sorted(set(ids))
    assert (found.missing_ids, found.recommender_digest) == ((), bundle.manifest.digest)
    rows = [int(product_id[1:]) for product_id in ids]
    for relation, expected in expected_scores(learned, bundle, text).items():
        entries = scores_of(found, relation)
        known = {f"p{row:05}": expected[row] for row in rows if not np.isnan(expected[row])}
        assert entries.keys() == known.keys()
        for product_id, score in known.items():
            assert entries[product_id].score == pytest.approx(score, abs=1e-4)
        best = sorted(np.flatnonzero(~np.isnan(expected)), key=lambda row: -expected[row])[:7]
        by_rank = sorted((entry.rank, product_id) for product_id, entry in entries.items() if entry.rank)
        assert by_rank == [(rank, f"p{row:05}") for rank, row in enumerate(best, 1)]
    assert [one.trained_events for one in found.candidates] == [row + 1 if row < LEARNED else 0 for row in rows]
    assert scores_of(found, Relation.ITEM_ITEM)["p00011"].anchor_id == "p00010"
    assert scores_of(found, Relation.TEXT)["p00055"].anchor_id == "p00055"
    assert {entry.anchor_id for entry in scores_of(found, Relation.ALS).values()} <= {"p00003", "p00010"}
    assert {entry.anchor_id for entry in scores_of(found, Relation.BEHAVIOUR).values()} <= {
        anchor.product_id for anchor in ANCHORS
    }


async def test_filters_and_exclusions_hold_and_as_many_are_found_as_there_are(
    filled: Retriever, bundle: RecommenderBundle, shop: Any
) -> None:
    """30 even products are Chinese, 10 of which are of Zeta: the list is exactly as long as can be."""
    named = {"anchors": ANCHORS, "history_vector": HISTORY, "relations": (Relation.BEHAVIOUR, Relation.TEXT)}
    zeta = ProductFilter(brands=("Zeta",), categories=("电子",))
    for depth, length in ((4, 4), (9, 9), (50, 9)):
        found = await related(
            filled,
            shop,
            bundle,
            **named,
            filter=zeta,
            excluded_ids=("p00000", "p00001", "unknown"),
            scored_ids=("p00000", "p00001", "p00002", "p00006", "unknown"),
            depth=depth,
        )
        for relation in named["relations"]:
            ranks = [entry.rank for entry in scores_of(found, relation).values() if entry.rank]
            assert sorted(ranks) == list(range(1, length + 1))
        numbers = {int(one.product.id[1:]) for one in found.candidates}
        assert numbers <= set(range(6, PRODUCTS, 6))
        assert 6 in numbers


async def test_only_what_is_named_is_scored_where_no_relation_searches(
    filled: Retriever, bundle: RecommenderBundle, shop: Any
) -> None:
    found = await related(filled, shop, bundle, anchors=ANCHORS[:1], scored_ids=("p00005", "p00058", "gone"))
    assert [one.product.id for one in found.candidates] == ["p00005", "p00058"]
    assert [one.trained_events for one in found.candidates] == [6, 0]
    learned_of, new = (tuple(score.relation for score in one.scores) for one in found.candidates)
    assert learned_of == (Relation.ALS, Relation.ITEM_ITEM, Relation.TEXT)
    assert new == (Relation.TEXT,)
    assert all(score.rank == 0 for one in found.candidates for score in one.scores)


async def test_the_products_written_last_are_scored_too(
    filled: Retriever, bundle: RecommenderBundle, shop: Any
) -> None:
    found = await related(filled, shop, bundle, anchors=ANCHORS[:1], excluded_ids=("p00058",), newest=2)
    assert [one.product.id for one in found.candidates] == ["p00057", "p00059"]


async def test_a_visitor_without_anchors_has_what_is_named_read(
    filled: Retriever, bundle: RecommenderBundle, shop: Any
) -> None:
    found = await related(filled, shop, bundle, scored_ids=("p00001",))
    assert found.candidates == (RelatedCandidate(found.candidates[0].product, (), 2),)


async def test_unknown_anchors_are_named_and_add_nothing(
    filled: Retriever, bundle: RecommenderBundle, shop: Any
) -> None:
    only = await related(filled, shop, bundle, anchors=(Anchor("gone"), *ANCHORS), relations=tuple(Relation), depth=3)
    assert only.missing_ids == ("gone",)
    without = await related(filled, shop, bundle, anchors=ANCHORS, relations=tuple(Relation), depth=3)
    assert only.candidates == without.candidates
    nothing = await related(filled, shop, bundle, anchors=(Anchor("gone"),), relations=tuple(Relation))
    assert (nothing.candidates, nothing.missing_ids) == ((), ("gone",))


async def test_ties_are_broken_by_id(served: RetrieverEngine, bundle: RecommenderBundle, shop: Any) -> None:
    """All alike and new to the recommender, written in the order of their ids turned round."""
    products = [shop.product(number, id=f"n{number:02}") for number in reversed(range(30))]
    await shop.fill(served, products, np.tile(shop.vectors(1), (30, 1)))
    found = await related(
        served,
        shop,
        bundle,
        anchors=(Anchor("n29"),),
        history_vector=HISTORY,
        relations=(Relation.BEHAVIOUR, Relation.TEXT),
        depth=5,
    )
    assert [one.product.id for one in found.candidates] == [f"n{number:02}" for number in range(5)]
    for one in found.candidates:
        assert {score.rank for score in one.scores} == {int(one.product.id[1:]) + 1}


async def test_a_product_is_there_the_minute_it_is_added_and_gone_when_it_is_deleted(
    filled: Retriever, bundle: RecommenderBundle, learned: LearnedProducts, shop: Any
) -> None:
    """Cold: neither learned of nor seen by anybody, and first by its text alone."""
    cold = shop.vectors(1, seed=99)
    no_residual = np.zeros((1, DIM), np.float16)
    wanted = behaviour_vectors(cold, learned.projection, learned.bias, no_residual)[0]
    query = {"history_vector": wanted, "relations": (Relation.BEHAVIOUR,), "depth": 1}

    async def first() -> RelatedCandidate:
        return (await related(filled, shop, bundle, **query)).candidates[0]

    assert (await first()).product.id != "new"
    await shop.fill(filled, [shop.product(99, id="new")], cold)
    found = await first()
    assert (found.product.id, found.trained_events) == ("new", 0)
    assert found.scores[0].score == pytest.approx(1.0, abs=1e-5)
    # What was learned of a product stays its own when its text changes.
    moved = learned.projection.T @ cold[0] + learned.bias + learned.residuals[7].astype(np.float32)
    await shop.fill(filled, [shop.product(7)], cold)
    vectors = await filled.get_behaviour_vectors(["p00007", "new"], deadline=shop.deadline())
    np.testing.assert_allclose(vectors.vectors, [moved / np.linalg.norm(moved), wanted], atol=1e-5)
    await filled.delete_products(["new"], deadline=shop.deadline())
    assert (await first()).product.id != "new"


async def test_vectors_are_read_in_the_order_asked(
    filled: Retriever, bundle: RecommenderBundle, learned: LearnedProducts, shop: Any, text: FloatArray
) -> None:
    found = await filled.get_behaviour_vectors(["p00058", "gone", "p00002"], deadline=shop.deadline())
    assert [product.id for product in found.products] == ["p00058", "p00002"]
    assert found.recommender_digest == bundle.manifest.digest
    residuals = np.stack([np.zeros(DIM, np.float16), learned.residuals[2]])
    expected = behaviour_vectors(text[[58, 2]], learned.projection, learned.bias, residuals)
    np.testing.assert_allclose(found.vectors, expected, atol=1e-6)
    none = await filled.get_behaviour_vectors(["gone"], deadline=shop.deadline())
    assert (none.products, none.vectors.shape) == ((), (0, DIM))


async def test_what_is_in_memory_is_read_without_a_thread(
    served: RetrieverEngine, shop: Any, text: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.fill(served, [shop.product(number) for number in range(4)], text[:4])
    searches: list[Any] = []
    plain = served._search

    async def noted(*arguments: Any) -> Any:
        searches.append(arguments)
        return await plain(*arguments)

    monkeypatch.setattr(served, "_search", noted)

    async def read(*ids: str) -> tuple[list[str], int]:
        searches.clear()
        found = await served.get_behaviour_vectors(ids, deadline=shop.deadline())
        return [product.title for product in found.products], len(searches)

    titles = [shop.product(number).title for number in (2, 0)]
    assert await read("p00002", "p00000") == (titles, 1)
    assert await read("p00002", "p00000") == (titles, 0)
    # What is new, changed or gone is not.
    assert (await read("p00002", "p00001"))[1] == 1
    await shop.fill(served, [shop.product(2, title="changed")], text[2:3])
    assert await read("p00002", "p00000") == (["changed", titles[1]], 1)
    await served.delete_products(["p00000"], deadline=shop.deadline())
    assert await read("p00002", "p00000") == (["changed"], 1)
    with pytest.raises(DeadlineExceeded):
        await served.get_behaviour_vectors(["p00002"], deadline=Deadline.after(0))


def test_the_newest_are_the_last_that_are_allowed_wherever_they_are() -> None:
    allowed = np.zeros(20_000, np.bool_)
    allowed[[3, 17_000, 19_999]] = True
    assert newest_positions(allowed, 1).tolist() == [19_999]
    assert newest_positions(allowed, 2).tolist() == [19_999, 17_000]
    assert newest_positions(allowed, 5).tolist() == [19_999, 17_000, 3]
    assert newest_positions(allowed, 0).tolist() == []
    assert newest_positions(allowed[:0], 2).tolist() == []


async def test_each_read_sees_one_snapshot(served: RetrieverEngine, bundle: RecommenderBundle, shop: Any) -> None:
    """All products are written anew, and one added or taken away, round by round, while 8 callers read."""
    rounds, count = 8, 20
    texts = [shop.vectors(count + 1, seed=seed) for seed in range(rounds)]

    async def write(number: int) -> None:
        extra = [shop.product(90, id="extra", title=f"round {number}")] if number % 2 else []
        products = [shop.product(row, title=f"round {number}") for row in range(count)] + extra
        await served.upsert_products(
            products, texts[number][: len(products)], model_digest=shop.DIGEST, deadline=shop.deadline()
        )
        if not extra:
            await served.delete_products(["extra"], deadline=shop.deadline())

    await write(0)
    numbers = np.arange(count, dtype=np.int32)
    (recommender,) = served._recommenders
    behaviour = [recommender.vectors_of(numbers, text[:count]) @ HISTORY for text in texts]
    writing, seen = True, set()

    async def read() -> None:
        while writing:
            found = await related(
                served,
                shop,
                bundle,
                anchors=(Anchor("p00001"),),
                history_vector=HISTORY,
                relations=(Relation.BEHAVIOUR, Relation.TEXT, Relation.ITEM_ITEM),
                depth=count + 5,
            )
            titles = {one.product.title for one in found.candidates if one.product.id != "extra"}
            assert len(titles) == 1
            number = int(titles.pop().split()[1])
            seen.add(number)
            scores = scores_of(found, Relation.BEHAVIOUR)
            assert len(scores) == len(found.candidates) in (count, count + 1)
            for row in range(count):
                assert scores[f"p{row:05}"].score == pytest.approx(behaviour[number][row], abs=1e-5)

    readers = [asyncio.create_task(read()) for _ in range(8)]
    for number in range(1, rounds):
        await write(number)
    writing = False
    await asyncio.gather(*readers)
    assert len(seen) > 1


async def test_dead_versions_leave_and_a_restart_changes_nothing(
    served: RetrieverEngine,
    open_engine: Any,
    bundle: RecommenderBundle,
    shop: Any,
    text: FloatArray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_keeper, "FREE_DEAD", 5)
    products = [shop.product(number) for number in range(PRODUCTS)]
    await shop.fill(served, products, text[::-1])
    await shop.fill(served, products, text)
    await asyncio.to_thread(served._keeper.settle)
    assert (await served.get_index(deadline=shop.deadline())).tombstones <= PRODUCTS * index_keeper.DEAD_SHARE + 5
    query = {"anchors": ANCHORS, "history_vector": HISTORY, "relations": tuple(Relation), "depth": 10}
    before = await related(served, shop, bundle, **query)
    await served.close()
    again = await related(await open_engine(recommender=str(bundle.folder)), shop, bundle, **query)
    assert (again.candidates, again.revision) == (before.candidates, before.revision)


@pytest.mark.parametrize("backend", ["faiss", "milvus"])
async def test_a_recommender_that_comes_later_places_what_is_there(
    open_engine: Any, bundle: RecommenderBundle, shop: Any, text: FloatArray, backend: str
) -> None:
    before = await open_engine(backend=backend)
    await shop.fill(before, [shop.product(number) for number in range(PRODUCTS)], text)
    await before.close()
    query = {"history_vector": HISTORY, "relations": (Relation.BEHAVIOUR,), "depth": PRODUCTS}
    for _ in range(2):
        engine = await open_engine(backend=backend, recommender=str(bundle.folder))
        assert len((await related(engine, shop, bundle, **query)).candidates) == PRODUCTS
        await engine.close()


async def test_the_recommender_is_named(filled: Retriever, bundle: RecommenderBundle, shop: Any) -> None:
    index = await filled.get_index(deadline=shop.deadline())
    assert index.recommender_digest == bundle.manifest.digest
    assert not any("recommender" in alert for alert in index.alerts)


async def test_without_a_recommender_the_setting_is_named(retriever: Retriever, shop: Any) -> None:
    with pytest.raises(FailedPrecondition, match="VITRINE_RETRIEVER_RECOMMENDER") as refused:
        await retriever.retrieve_related(RelatedQuery(anchors=ANCHORS), deadline=shop.deadline())
    assert refused.value.reason == "NO_RECOMMENDER"
    with pytest.raises(FailedPrecondition, match="VITRINE_RETRIEVER_RECOMMENDER"):
        await retriever.get_behaviour_vectors(["p00001"], deadline=shop.deadline())
    assert (await retriever.get_index(deadline=shop.deadline())).recommender_digest == ""


async def test_a_vector_of_another_recommender_is_refused_and_both_are_named(
    filled: Retriever, bundle: RecommenderBundle, shop: Any
) -> None:
    other = "sha256:" + "c" * 64
    with pytest.raises(FailedPrecondition, match=f"{other} and {bundle.manifest.digest} is served") as refused:
        await related(filled, shop, bundle, history_vector=HISTORY, recommender_digest=other)
    assert refused.value.reason == "RECOMMENDER_MISMATCH"


async def test_a_recommender_for_another_embedder_is_refused_at_the_start(
    served: RetrieverEngine, open_engine: Any, bundle: RecommenderBundle, shop: Any, text: FloatArray
) -> None:
    await shop.fill(served, [shop.product(1)], text[:1], shop.OTHER_DIGEST)
    await served.close()
    with pytest.raises(FailedPrecondition, match=f"{shop.DIGEST}, and these are of {shop.OTHER_DIGEST}"):
        await open_engine(recommender=str(bundle.folder))
    # Without it the shop opens.
    await open_engine()


async def test_it_stands_back_while_the_index_holds_another_model(
    filled: Retriever, bundle: RecommenderBundle, shop: Any, text: FloatArray
) -> None:
    """Emptied, the catalogue takes another model's vectors: they are searched, and the recommender is refused."""
    products = [shop.product(number) for number in range(PRODUCTS)]
    await filled.delete_products([product.id for product in products], deadline=shop.deadline())
    await shop.fill(filled, products, text, shop.OTHER_DIGEST)
    for refused in (
        related(filled, shop, bundle, anchors=ANCHORS),
        filled.get_behaviour_vectors(["p00001"], deadline=shop.deadline()),
    ):
        with pytest.raises(FailedPrecondition, match=f"{shop.DIGEST}, and these are of {shop.OTHER_DIGEST}"):
            await refused
    index = await filled.get_index(deadline=shop.deadline())
    assert index.recommender_digest == ""
    assert any(shop.OTHER_DIGEST in alert for alert in index.alerts)
    assert await shop.found(filled, text="wx-5")
    # And comes forward again.
    await filled.delete_products([product.id for product in products], deadline=shop.deadline())
    await shop.fill(filled, products, text)
    assert (await related(filled, shop, bundle, anchors=ANCHORS, relations=(Relation.ALS,))).candidates
    index = await filled.get_index(deadline=shop.deadline())
    assert index.recommender_digest == bundle.manifest.digest
    assert not any(shop.OTHER_DIGEST in alert for alert in index.alerts)


async def test_text_vectors_of_another_width_are_refused(
    open_engine: Any, shop: Any, tmp_path: Path, text: FloatArray
) -> None:
    narrow = write_recommender_bundle(tmp_path / "narrow", learned_products(["a"], 12), embedder_digest=shop.DIGEST)
    engine = await open_engine()
    await shop.fill(engine, [shop.product(1)], text[:1])
    await engine.close()
    with pytest.raises(FailedPrecondition, match="text vectors of 12 numbers and the index holds 16"):
        await open_engine(recommender=str(narrow.folder))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"anchors": (Anchor("a"), Anchor("a"))}, "anchors"),
        ({"anchors": tuple(Anchor(f"a{number}") for number in range(201))}, "anchors"),
        ({"anchors": (), "relations": (Relation.TEXT,)}, "anchors"),
        ({"anchors": (Anchor(""),)}, r"anchors\[0\].product_id"),
        ({"anchors": (Anchor("a", 0.0),)}, r"anchors\[0\].weight"),
        ({"anchors": (Anchor("a", float("nan")),)}, r"anchors\[0\].weight"),
        ({"relations": (Relation.ALS, Relation.ALS)}, "relations"),
        ({"history_vector": np.zeros(DIM, np.float32)}, "history_vector"),
        ({"history_vector": np.ones(DIM + 1, np.float32)}, "history_vector"),
        ({"history_vector": HISTORY, "recommender_digest": ""}, "recommender_digest"),
        ({"scored_ids": ("a",) * 1_001}, "scored_ids"),
        ({"excluded_ids": ("a",) * 2_001}, "excluded_ids"),
        ({"depth": 1_001}, "depth"),
        ({"depth": 0}, "depth"),
        ({"newest": 1_001}, "newest"),
        ({"filter": ProductFilter(brands=("",))}, "filter.brands"),
    ],
)
async def test_a_wrong_field_is_named(
    filled: Retriever, bundle: RecommenderBundle, shop: Any, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument, match=field):
        await related(filled, shop, bundle, **{"anchors": ANCHORS} | changes)


@pytest.mark.parametrize("ids", [[], ["a", "a"], [f"a{number}" for number in range(201)]])
async def test_vectors_of_too_many_or_the_same_are_refused(filled: Retriever, shop: Any, ids: list[str]) -> None:
    with pytest.raises(InvalidArgument, match="product_ids"):
        await filled.get_behaviour_vectors(ids, deadline=shop.deadline())


async def test_a_recommender_that_learned_of_nothing_known_still_places_by_text(
    open_engine: Any, shop: Any, tmp_path: Path, text: FloatArray
) -> None:
    """Another shop's recommender with the same embedder, and without alternating least squares."""
    learned = learned_products(["elsewhere"], shop.DIM, DIM, factors=0)
    bundle = write_recommender_bundle(tmp_path / "bundle", learned, embedder_digest=shop.DIGEST)
    engine = await open_engine(recommender=str(bundle.folder))
    products: list[Product] = [shop.product(number) for number in range(PRODUCTS)]
    await shop.fill(engine, products, text)
    found = await related(
        engine, shop, bundle, anchors=ANCHORS, history_vector=HISTORY, relations=tuple(Relation), depth=5
    )
    assert {score.relation for one in found.candidates for score in one.scores} == {Relation.BEHAVIOUR, Relation.TEXT}
    assert {one.trained_events for one in found.candidates} == {0}
