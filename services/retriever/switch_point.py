"""`python -m services.retriever.switch_point`: measures where other indexes overtake exact search on this machine.

Prints, for each number of vectors and kind of index, milliseconds of processor time of one search, recall against
float32 searched exactly, and build time. The vectors are made: clusters in a narrow cone, as text embeddings have them.
Where exact search and cells (ivf) cross is the right VITRINE_RETRIEVER_EXACT_ROWS.
"""

import argparse
import time

import faiss
import numpy as np

from services.retriever.cells import PlacedCells, assign, placed_cells, train
from services.retriever.columns import Columns, ColumnsView, IntArray, rebuilt
from services.retriever.dense_index import DenseView, PlacedGraph, placed
from services.retriever.graph import build_graph
from services.retriever.retrieval import POOL
from services.retriever.vector_store import AS_THEY_COME, ITEM_BYTES
from vitrine.vectors import FloatArray, l2_normalized

QUERIES = 50


def made_vectors(count: int, dim: int, seed: int) -> FloatArray:
    """(count, dim) float32, L2-normalised, with cosines between 0.4 and 0.9."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(1_000, dim)) + 1.0
    clusters = random.zipf(1.3, size=count) % len(centres)
    vectors = np.empty((count, dim), np.float32)
    for start in range(0, count, 10_000):
        part = clusters[start : start + 10_000]
        vectors[start : start + 10_000] = centres[part] + random.normal(scale=0.8, size=(len(part), dim))
    return l2_normalized(vectors)


def _measured(view: DenseView, queries: FloatArray) -> tuple[float, list[IntArray]]:
    """Median milliseconds of processor time of one search, and what each found."""
    seconds, found = [], []
    for query in queries:
        # The thread's own time: what else runs on the machine counts little.
        started = time.thread_time()
        positions, _ = view.search(query, view.columns.alive, POOL)
        seconds.append(time.thread_time() - started)
        found.append(positions)
    return float(np.median(seconds)) * 1_000, found


def _recall(found: list[IntArray], expected: list[IntArray], first: int) -> float:
    """Share of the first exact results that are among those found."""
    shares = [np.isin(e[:first], f).mean() for f, e in zip(found, expected, strict=True)]
    return float(np.mean(shares))


def _placed(kind: str, view: ColumnsView) -> PlacedGraph | PlacedCells | None:
    if kind == "ivf":
        cells = train(view.vectors, view.alive)
        assigned = assign(cells, view.vectors, 0, len(view.rows), lambda: False)
        assert assigned is not None
        return placed_cells(cells, assigned)
    graph = build_graph(view, "made", None, lambda: False) if kind == "hnsw" else None
    return None if graph is None else placed(graph, view)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 20_000, 50_000, 100_000])
    parser.add_argument("--kinds", nargs="+", choices=["ivf", "hnsw"], default=["ivf"])
    parser.add_argument("--storage", choices=list(ITEM_BYTES), default="float16")
    parser.add_argument("--dim", type=int, default=384)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    print(f"{'rows':>9} {'kind':>6} {'ms':>8} {f'recall@{POOL}':>12} {'recall@100':>11} {'build s':>8}")
    for rows in arguments.rows:
        # Queries come from the same clusters, and are not among the products.
        vectors = made_vectors(rows + QUERIES, arguments.dim, seed=1)
        names = [str(row) for row in range(rows)]
        exactly = Columns(arguments.dim)
        exactly.append(range(rows), names, [{}] * rows, vectors[:rows])
        kept = rebuilt(exactly.view(), np.arange(rows), arguments.storage)
        exact_ms, expected = _measured(DenseView(exactly.view(), None, 1), vectors[rows:])
        print(f"{rows:>9} {'exact':>6} {exact_ms:>8.2f}")
        for kind in arguments.kinds:
            started = time.thread_time()
            index = _placed(kind, kept.view())
            build_s = time.thread_time() - started
            laid = index.order if isinstance(index, PlacedCells) else AS_THEY_COME
            searched = rebuilt(kept.view(), np.arange(rows), arguments.storage, laid=laid).view()
            milliseconds, found = _measured(DenseView(searched, index, 1), vectors[rows:])
            recall, recall_100 = _recall(found, expected, POOL), _recall(found, expected, 100)
            print(f"{'':>9} {kind:>6} {milliseconds:>8.2f} {recall:>12.4f} {recall_100:>11.4f} {build_s:>8.1f}")


if __name__ == "__main__":
    main()
