"""`python -m services.retriever.switch_point`: measures where the vector graph overtakes exact search on this machine.

Prints, for each number of vectors, milliseconds of processor time of one search by both, recall of the graph and its
build time. The vectors are made: clusters in a narrow cone, as text embeddings have them. Where the two times cross is
the right VITRINE_RETRIEVER_EXACT_ROWS.
"""

import argparse
import time

import faiss
import numpy as np

from services.retriever.columns import Columns, IntArray
from services.retriever.dense_index import DenseView, placed
from services.retriever.graph import build_graph
from services.retriever.retrieval import POOL
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
    """Share of the first exact results that the graph found among its own."""
    shares = [np.isin(e[:first], f).mean() for f, e in zip(found, expected, strict=True)]
    return float(np.mean(shares))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 50_000, 100_000])
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--build-threads", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{'rows':>9} {'exact ms':>9} {'hnsw ms':>9} {f'recall@{POOL}':>12} {'recall@10':>10} {'build s':>8}")
    for rows in arguments.rows:
        # Queries come from the same clusters, and are not among the products.
        vectors = made_vectors(rows + QUERIES, arguments.dim, seed=1)
        columns = Columns(arguments.dim)
        columns.append(range(rows), [str(row) for row in range(rows)], [{}] * rows, vectors[:rows])
        view = columns.view()
        faiss.omp_set_num_threads(arguments.build_threads)
        started = time.perf_counter()
        graph = build_graph(view, "made", None, lambda: False)
        build_s = time.perf_counter() - started
        faiss.omp_set_num_threads(1)
        assert graph is not None
        exact_ms, expected = _measured(DenseView(view, None, 1), vectors[rows:])
        graph_ms, found = _measured(DenseView(view, placed(graph, view), 1), vectors[rows:])
        recall, recall_10 = _recall(found, expected, POOL), _recall(found, expected, 10)
        print(f"{rows:>9} {exact_ms:>9.2f} {graph_ms:>9.2f} {recall:>12.4f} {recall_10:>10.4f} {build_s:>8.1f}")


if __name__ == "__main__":
    main()
