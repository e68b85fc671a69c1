"""What is the engine's own: its self-test, its alerts, and how it closes."""

from typing import Any

import pytest

import services.retriever.engine as engine_module
from services.retriever.engine import RetrieverEngine
from vitrine.errors import Internal, Unavailable


async def test_the_self_test_passes_empty_and_filled(engine: RetrieverEngine, shop: Any) -> None:
    await engine.self_test()
    await shop.fill(engine, [shop.product(n) for n in range(5)], shop.vectors(5))
    await engine.self_test()


async def test_the_self_test_fails_when_a_product_is_not_found_by_its_own_vector(
    engine: RetrieverEngine, shop: Any
) -> None:
    await shop.fill(engine, [shop.product(n) for n in range(5)], shop.vectors(5))
    engine._snapshot.columns.vectors.codes[:] *= 0.5
    with pytest.raises(Internal, match="own vector"):
        await engine.self_test()


async def test_two_openmp_runtimes_raise_an_alert(open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """faiss#2317: torch and faiss in one process with an OpenMP runtime each (case 103)."""
    monkeypatch.setattr(engine_module, "openmp_runtimes", lambda: ["/a/libgomp.so", "/b/libomp.so"])
    engine = await open_engine()
    alerts = (await engine.get_index(deadline=shop.deadline())).alerts
    assert any("/a/libgomp.so" in alert and "/b/libomp.so" in alert for alert in alerts)


async def test_a_closed_engine_writes_no_more(engine: RetrieverEngine, shop: Any) -> None:
    await engine.close()
    await engine.close()
    with pytest.raises(Unavailable):
        await engine.delete_products(["a"], deadline=shop.deadline())
    with pytest.raises(Unavailable):
        await shop.search(engine, text="watch")


async def test_a_restart_finds_all_that_was_written(open_engine: Any, shop: Any) -> None:
    engine = await open_engine()
    vectors = shop.vectors(60)
    await shop.fill(engine, [shop.product(n) for n in range(60)], vectors)
    await engine.delete_products(["p00030"], deadline=shop.deadline())
    queries = ({"text": "smart watch"}, {"vector": vectors[8]}, {"text": "手表", "vector": vectors[9]})
    before = [(await shop.search(engine, **query)).candidates for query in queries]
    revision = (await engine.get_index(deadline=shop.deadline())).revision
    await engine.close()
    again = await open_engine()
    assert (await again.get_index(deadline=shop.deadline())).revision == revision
    for query, earlier in zip(queries, before, strict=True):
        later = (await shop.search(again, **query)).candidates
        assert [c.product_id for c in later] == [c.product_id for c in earlier]
