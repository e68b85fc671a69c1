"""The vector graph: as good as exact search, never short, never wrong, and a cache that may be thrown away."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from services.retriever import index_keeper
from services.retriever.columns import Columns, rebuilt
from services.retriever.dense_index import DenseView, placed
from services.retriever.graph import Graph, build_graph, load_graph, save_graph
from services.retriever.views import Views
from vitrine.errors import FailedPrecondition, Internal, Unavailable
from vitrine.vectors import FloatArray, l2_normalized

COUNT = 2_500
DIGEST = "sha256:" + "a" * 64


def _columns(vectors: FloatArray) -> Columns:
    columns = Columns(vectors.shape[1])
    names = [f"p{n:05}" for n in range(len(vectors))]
    columns.append(range(len(vectors)), names, [{}] * len(vectors), vectors)
    return columns


def _built(columns: Columns, earlier: Graph | None = None) -> Graph:
    graph = build_graph(columns.view(), DIGEST, earlier, lambda: False)
    assert graph is not None
    return graph


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    # OpenMP threads that wait for each other on a busy machine take seconds for what is done in milliseconds.
    faiss.omp_set_num_threads(1)


@pytest.fixture(scope="module")
def vectors() -> FloatArray:
    random = np.random.default_rng(1)
    centres = random.normal(size=(40, 32))
    return l2_normalized(
        (centres[random.integers(40, size=COUNT)] + random.normal(scale=0.7, size=(COUNT, 32))).astype(np.float32)
    )


@pytest.fixture(scope="module")
def graph(vectors: FloatArray) -> Graph:
    return _built(_columns(vectors))


def _recall(columns: Columns, graph: Graph, allowed: Any, queries: FloatArray, limit: int) -> float:
    view = columns.view()
    # 1: the graph is used however few are allowed.
    by_graph, exact = DenseView(view, placed(graph, view), 1), DenseView(view, None, 1)
    hits = 0
    for query in queries:
        found, scores = by_graph.search(query, allowed, limit)
        expected, _ = exact.search(query, allowed, limit)
        assert len(found) == len(set(found.tolist())) == len(expected)
        assert allowed[found].all()
        assert scores == pytest.approx(view.vectors[found] @ query, abs=1e-5)
        hits += len(set(found.tolist()) & set(expected.tolist()))
    return hits / (len(queries) * limit)


@pytest.mark.parametrize("limit", [10, 100, 1_000])
def test_recall_against_exact_search(vectors: FloatArray, graph: Graph, limit: int) -> None:
    columns = _columns(vectors)
    assert _recall(columns, graph, columns.view().alive, vectors[:40] + 0.02, limit) >= 0.97


def test_a_narrow_band_of_scores_in_a_dense_region(graph: Graph, vectors: FloatArray) -> None:
    """milvus#44854: HNSW in a dense region had recall <= 0.5 (case 89)."""
    random = np.random.default_rng(2)
    dense = l2_normalized((np.ones(32) + random.normal(scale=0.02, size=(2_000, 32))).astype(np.float32))
    columns = _columns(dense)
    assert _recall(columns, _built(columns), columns.view().alive, dense[:30], 10) >= 0.95


def test_filters_keep_recall_and_full_k(vectors: FloatArray, graph: Graph) -> None:
    """faiss#3112, faiss#2818, qdrant#3094: a filter lost what exists (cases 85, 86, 91)."""
    columns = _columns(vectors)
    numbers = np.arange(COUNT)
    for allowed in (numbers % 2 == 0, numbers % 20 == 0, numbers % 200 == 0, numbers < 1_000, numbers == 77):
        assert _recall(columns, graph, allowed, vectors[:20] + 0.02, min(1_000, int(allowed.sum()))) >= 0.97


def test_all_of_n_when_all_are_asked_for(vectors: FloatArray) -> None:
    """milvus#28603: HNSW gave 1,999 of 2,000 at times (case 90); faiss#1016: -1 ids (case 83)."""
    columns = _columns(vectors[:1_000])
    assert _recall(columns, _built(columns), columns.view().alive, vectors[:10], 1_000) == 1.0
    assert _recall(columns, _built(columns), columns.view().alive, vectors[:10], 999) >= 0.999


def test_the_dead_are_not_found_and_the_new_are(vectors: FloatArray) -> None:
    """faiss#1991: an index that cannot remove (case 94)."""
    columns = _columns(vectors[:1_500])
    graph = _built(columns)
    columns.kill(range(0, 1_500, 3))
    columns.append([5_000], ["new"], [{}], vectors[1_500:1_501])
    assert _recall(columns, graph, columns.view().alive, vectors[1_490:1_501], 50) >= 0.97
    compacted = rebuilt(columns.view(), np.flatnonzero(columns.view().alive), "float32")
    assert _recall(compacted, graph, compacted.view().alive, vectors[1_490:1_501], 50) >= 0.97
    grown = _built(compacted, graph)
    assert len(grown.rows) == 1_501
    assert _recall(compacted, grown, compacted.view().alive, vectors[1_490:1_501], 50) >= 0.97
    assert len(_built(compacted).rows) == 1_001


def test_a_filter_that_leaves_nothing_of_the_graph_does_not_walk_it(
    vectors: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = _columns(vectors)
    graph = _built(_columns(vectors[:100]))
    monkeypatch.setattr(Graph, "search", lambda *_: pytest.fail("walked the whole graph for nothing"))
    assert _recall(columns, graph, np.arange(COUNT) >= 100, vectors[200:210], 50) == 1.0


def test_a_build_stops_when_told(vectors: FloatArray) -> None:
    assert build_graph(_columns(vectors).view(), DIGEST, None, lambda: True) is None


def test_a_saved_graph_comes_back(vectors: FloatArray, graph: Graph, tmp_path: Path) -> None:
    path = tmp_path / "vectors.graph"
    assert load_graph(path, catalogue_id="c", model_digest=DIGEST) is None
    save_graph(path, graph, catalogue_id="c")
    loaded = load_graph(path, catalogue_id="c", model_digest=DIGEST)
    assert loaded is not None
    columns = _columns(vectors)
    assert _recall(columns, loaded, columns.view().alive, vectors[:20], 100) >= 0.97
    for wrong, both in (
        ({"catalogue_id": "d"}, ("another catalogue",)),
        ({"model_digest": "sha256:b"}, (DIGEST, "sha256:b")),
    ):
        with pytest.raises(FailedPrecondition) as refusal:
            load_graph(path, **{"catalogue_id": "c", "model_digest": DIGEST, **wrong})
        assert all(words in refusal.value.message for words in both)


@pytest.mark.parametrize("damage", ["cut", "empty", "random", "bit", "row keys", "magic"])
def test_a_damaged_graph_is_refused(graph: Graph, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "vectors.graph"
    save_graph(path, graph, catalogue_id="c")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[:-1]
    elif damage == "empty":
        data = bytearray()
    elif damage == "random":
        data = bytearray(np.random.default_rng(0).bytes(len(data)))
    elif damage == "bit":
        data[len(data) // 2] ^= 1
    elif damage == "row keys":
        # mem0#7117: the id map out of step with the index.
        del data[200:208]
    else:
        data[0] ^= 1
    path.write_bytes(data)
    with pytest.raises(FailedPrecondition):
        load_graph(path, catalogue_id="c", model_digest=DIGEST)


async def _until_hnsw(engine: Any, shop: Any) -> Any:
    """Waits until the graph that is being built serves and is saved."""
    await asyncio.to_thread(engine._keeper.settle)
    index = await engine.get_index(deadline=shop.deadline())
    assert index.kind == "hnsw"
    return index


def _about_the_graph(index: Any) -> list[str]:
    return [alert for alert in index.alerts if "graph" in alert]


async def test_a_corrupt_file_raises_an_alert_and_is_made_anew(open_engine: Any, shop: Any, tmp_path: Path) -> None:
    """faiss#861, mem0#7117, knowledge-base-mcp-server#57: corrupt index files (cases 109, 110, 111)."""
    made = shop.vectors(900)
    engine = await open_engine(exact_rows=300, index="hnsw")
    await shop.fill(engine, [shop.product(n) for n in range(900)], made)
    await _until_hnsw(engine, shop)
    expected = await shop.found(engine, vector=made[5], depth=20)
    await engine.close()
    path = tmp_path / "data" / "vectors.graph"
    path.write_bytes(np.random.default_rng(0).bytes(10_000))
    # Not due for a graph, so that the alert stays to be seen.
    engine = await open_engine(exact_rows=1_000, index="hnsw")
    (alert,) = _about_the_graph(await engine.get_index(deadline=shop.deadline()))
    assert "does not match its checksum" in alert
    await engine.close()
    engine = await open_engine(exact_rows=300, index="hnsw")
    assert await shop.found(engine, vector=made[5], depth=20) == expected
    assert _about_the_graph(await _until_hnsw(engine, shop)) == []
    await engine.close()
    engine = await open_engine(exact_rows=300, index="hnsw")
    index = await engine.get_index(deadline=shop.deadline())
    assert (index.kind, _about_the_graph(index)) == ("hnsw", [])
    assert await shop.found(engine, vector=made[5], depth=20) == expected


async def test_a_graph_of_another_model_is_made_anew(open_engine: Any, shop: Any, tmp_path: Path) -> None:
    """Guardrails#1751 (case 121): a cached index was not invalidated when the model changed."""
    made = shop.vectors(900)
    engine = await open_engine(exact_rows=300, index="hnsw")
    await shop.fill(engine, [shop.product(n) for n in range(900)], made)
    await _until_hnsw(engine, shop)
    ids = [f"p{n:05}" for n in range(900)]
    await engine.delete_products(ids, deadline=shop.deadline())
    other = shop.vectors(900, seed=9)
    await shop.fill(engine, [shop.product(n) for n in range(900)], other, digest=shop.OTHER_DIGEST)
    await _until_hnsw(engine, shop)
    found = await shop.found(engine, vector=other[5], model_digest=shop.OTHER_DIGEST, depth=10)
    assert found == [ids[n] for n in np.argsort(-(other @ other[5]))[:10]]


async def _until(condition: Any) -> None:
    async with asyncio.timeout(60):
        # What is waited for happens in other threads, which set no event.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_what_was_written_during_a_build_is_built_without_another_write(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last write of an ingest fell into a build, and all that the build lacked was searched row by row for ever."""
    saving, release = threading.Event(), threading.Event()

    def save(*arguments: Any, **keywords: Any) -> None:
        saving.set()
        release.wait(60)
        save_graph(*arguments, **keywords)

    monkeypatch.setattr(index_keeper, "save_graph", save)
    engine = await open_engine(exact_rows=300, index="hnsw")
    made = shop.vectors(1_400)
    await shop.fill(engine, [shop.product(n) for n in range(400)], made[:400])
    await asyncio.to_thread(saving.wait)
    await shop.fill(engine, [shop.product(n) for n in range(400, 1_400)], made[400:])
    release.set()
    await _until(lambda: engine._snapshot.dense.placed is not None and engine._snapshot.dense.placed.tail == 1_400)


async def test_a_build_that_fails_is_tried_again_with_the_next_write_only(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def build(view: Any, *_: Any) -> None:
        tries.append(len(view.rows))
        raise MemoryError("no room")

    monkeypatch.setattr(index_keeper, "build_graph", build)
    engine = await open_engine(exact_rows=300, index="hnsw")
    made = shop.vectors(401)
    await shop.fill(engine, [shop.product(n) for n in range(400)], made[:400])
    await _until(lambda: any("could not be kept" in alert for alert in engine._snapshot.alerts))
    for _ in range(3):
        # Has the writer publish the same revision again.
        await engine.delete_products(["nobody"], deadline=shop.deadline())
    assert tries == [400]
    await shop.fill(engine, [shop.product(400)], made[400:])
    await _until(lambda: tries == [400, 401])


async def test_a_graph_that_cannot_be_taken_over_is_seen(
    open_engine: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer's thread ended without a word, health stayed green and every write waited until its deadline."""

    def adopt(_: Views, graph: Graph) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(Views, "adopt_graph", adopt)
    engine = await open_engine(exact_rows=300, index="hnsw")
    await shop.fill(engine, [shop.product(n) for n in range(400)], shop.vectors(400))
    await _until(lambda: engine._writer.fault is not None)
    with pytest.raises(Unavailable, match="no room"):
        await engine.delete_products(["p00001"], deadline=shop.deadline())
    with pytest.raises(Internal, match="no room"):
        await engine.self_test()
    assert len(await shop.found(engine, text="watch", depth=10)) == 10


@pytest.mark.parametrize("exact_rows", [1, 10_000])
def test_several_queries_find_what_each_finds_alone(exact_rows: int, shop: Any) -> None:
    """By the graph and exactly, over more vectors than are read at once."""
    vectors = shop.vectors(2_500)
    columns = Columns(shop.DIM)
    columns.append(range(2_500), [f"p{row:04}" for row in range(2_500)], [{}] * 2_500, vectors)
    view = columns.view()
    graph = build_graph(view, shop.DIGEST, None, lambda: False)
    assert graph is not None
    dense = DenseView(view, placed(graph, view), exact_rows)
    allowed = np.arange(2_500) % 3 > 0
    together = dense.search_each(vectors[[3, 77, 1_999]], allowed, 40)
    for row, (positions, cosines) in zip([3, 77, 1_999], together, strict=True):
        alone, its_cosines = dense.search(vectors[row], allowed, 40)
        assert positions.tolist() == alone.tolist()
        assert cosines.tolist() == its_cosines.tolist()
        assert len(positions) == 40
        assert allowed[positions].all()
