"""The recall probe: what searches lose is measured, told, shown in health, and mended where more can be looked at."""

import asyncio
from typing import Any

import numpy as np
import pytest

from services.retriever import dense_index, index_plan, recall_probe
from services.retriever.recall_probe import ENOUGH, RECALL
from vitrine.errors import Internal

COUNT = 1_500
SETTINGS = {"exact_rows": 300, "recall_every_s": 1e-6}


@pytest.fixture(autouse=True)
def _few_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense_index, "MIN_EXAMINED", 0)
    monkeypatch.setattr(dense_index, "EXAMINED_EACH", 0)
    monkeypatch.setattr("services.retriever.retrieval.POOL", 100)


async def _filled(open_engine: Any, shop: Any, **settings: Any) -> Any:
    engine = await open_engine(**SETTINGS, **settings)
    products = [shop.product(n, title=f"wx-{n}", categories=()) for n in range(COUNT)]
    await shop.fill(engine, products, shop.vectors(COUNT))
    await asyncio.to_thread(engine._keeper.settle)
    assert (await engine.get_index(deadline=shop.deadline())).kind == settings.get("index", "ivf")
    return engine


async def _searched(engine: Any, shop: Any, count: int) -> None:
    for query in shop.vectors(count, seed=6):
        await shop.search(engine, vector=query, depth=100)
        await asyncio.to_thread(engine._probe.settle)


async def test_recall_is_measured_and_told(open_engine: Any, shop: Any) -> None:
    engine = await _filled(open_engine, shop, examined_share=0.1, recall_target=0.0, recall_floor=0.0)
    assert (await engine.get_index(deadline=shop.deadline())).recall is None
    await _searched(engine, shop, 30)
    vectors, shares = shop.vectors(COUNT), []
    for query in shop.vectors(30, seed=6):
        best = {f"p{n:05}" for n in np.argsort(-(vectors @ query))[:100]}
        shares.append(len(best & set(await shop.found(engine, vector=query, depth=100))) / 100)
    # These were samples too.
    await asyncio.to_thread(engine._probe.settle)
    index = await engine.get_index(deadline=shop.deadline())
    assert index.recall == pytest.approx(np.mean(shares), abs=0.02)
    assert 0.3 < index.recall <= 1
    assert RECALL._value.get() == pytest.approx(index.recall)
    assert index.alerts == ()
    await engine.self_test()


@pytest.mark.parametrize(
    ("storage", "examined", "mend"),
    [("float16", 0.1, "raise VITRINE_RETRIEVER_EXAMINED_SHARE"), ("pq", 1.0, "raise VITRINE_RETRIEVER_MEMORY_MB")],
)
async def test_below_the_floor_the_index_and_health_say_so(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch, storage: str, examined: float, mend: str
) -> None:
    monkeypatch.setattr(index_plan, "LEAST_QUANTIZED", 300)
    monkeypatch.setattr(recall_probe, "RESCORED", 100)
    settings = {"storage": storage, "examined_share": examined, "recall_target": 0.0, "recall_floor": 1.0}
    engine = await _filled(open_engine, shop, **settings)
    await _searched(engine, shop, ENOUGH - 1)
    await engine.self_test()
    await _searched(engine, shop, 2)
    index = await engine.get_index(deadline=shop.deadline())
    assert index.recall_floor == 1.0
    (alert,) = index.alerts
    assert "below 1.0: " in alert
    assert mend in alert
    with pytest.raises(Internal, match=r"below 1\.0"):
        await engine.self_test()


async def test_searches_look_at_more_until_the_target_is_reached(open_engine: Any, shop: Any) -> None:
    engine = await _filled(open_engine, shop, examined_share=0.1, recall_target=0.97, recall_floor=0.0)
    while engine._snapshot.dense.examined < recall_probe.MOST_EXAMINED and len(engine._probe._samples) < ENOUGH:
        await _searched(engine, shop, ENOUGH)
    assert engine._probe.recall >= 0.97
    assert 0.1 < engine._snapshot.dense.examined <= recall_probe.MOST_EXAMINED


async def test_a_graph_is_searched_further_until_the_target_is_reached(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As few nodes as are wanted: the last of them it does not find.
    monkeypatch.setattr(dense_index, "MIN_BREADTH", 0)
    monkeypatch.setattr(dense_index, "BREADTH", 1.0)
    engine = await _filled(open_engine, shop, index="hnsw", recall_target=0.999, recall_floor=0.0)
    await _searched(engine, shop, ENOUGH - 1)
    index = await engine.get_index(deadline=shop.deadline())
    assert index.recall < 0.999
    assert (index.graph_breadth, index.examined_share) == (1.0, 0.0)
    while len(engine._probe._samples) < ENOUGH:
        await _searched(engine, shop, ENOUGH)
    assert engine._probe.recall >= 0.999
    index = await engine.get_index(deadline=shop.deadline())
    assert 1.0 < index.graph_breadth <= recall_probe.MOST_BREADTH
    # What is of no use to it stays as it was.
    assert (engine._probe.examined, engine._probe.rescored) == (0.01, dense_index.RESCORED)


async def test_a_graph_that_cannot_be_searched_further_says_so(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense_index, "MIN_BREADTH", 0)
    monkeypatch.setattr(dense_index, "BREADTH", 1.0)
    monkeypatch.setattr(recall_probe, "MOST_BREADTH", 1.0)
    engine = await _filled(open_engine, shop, index="hnsw", recall_target=1.0, recall_floor=1.0)
    await _searched(engine, shop, ENOUGH)
    (alert,) = (await engine.get_index(deadline=shop.deadline())).alerts
    assert alert.endswith("below 1.0: set VITRINE_RETRIEVER_INDEX=ivf, or exact")


async def test_more_is_scored_again_where_no_more_is_to_be_looked_at(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_plan, "LEAST_QUANTIZED", 300)
    monkeypatch.setattr(recall_probe, "RESCORED", 100)
    monkeypatch.setattr(recall_probe, "MOST_EXAMINED", 0.1)
    settings = {"storage": "pq", "examined_share": 0.1, "recall_target": 1.0, "recall_floor": 0.0}
    engine = await _filled(open_engine, shop, **settings)
    await _searched(engine, shop, ENOUGH)
    assert engine._probe._share_reached() < 1
    assert (engine._probe.examined, engine._probe.rescored) == (0.1, 125)


async def test_more_is_scored_again_where_the_storage_hides_what_is_looked_at(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_plan, "LEAST_QUANTIZED", 300)
    monkeypatch.setattr(recall_probe, "RESCORED", 100)
    settings = {"storage": "pq", "examined_share": 0.5, "recall_target": 0.9, "recall_floor": 0.0}
    engine = await _filled(open_engine, shop, **settings)
    await _searched(engine, shop, ENOUGH - 1)
    assert engine._probe.recall < 0.9
    while len(engine._probe._samples) < ENOUGH:
        await _searched(engine, shop, ENOUGH)
    assert engine._probe.recall >= 0.9
    assert engine._snapshot.dense.examined == 0.5
    assert 100 < engine._snapshot.dense.rescored < 1_000
    # It is true of what is there, and not only of what codes propose.
    vectors, shares = shop.vectors(COUNT), []
    for query in shop.vectors(30, seed=6):
        best = [f"p{n:05}" for n in np.argsort(-(vectors @ query))[:100]]
        shares.append(np.isin(best, await shop.found(engine, vector=query, depth=100)).mean())
    assert np.mean(shares) >= 0.88


async def test_an_exact_index_is_not_probed(open_engine: Any, shop: Any) -> None:
    engine = await open_engine(recall_every_s=1e-6)
    await shop.fill(engine, [shop.product(n) for n in range(50)], shop.vectors(50))
    await _searched(engine, shop, 3)
    assert (await engine.get_index(deadline=shop.deadline())).recall is None
