"""`python -m services.retriever.related_cost`: measures what RetrieveRelated costs on this machine.

Prints milliseconds, and of processor time, of a call by each relation alone, by all, and with more products to score:
50 anchors, 50 products a relation. Products, vectors and what was learned of them are made, all in memory, products
read from there too.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import faiss
import numpy as np

from services.retriever.columns import Columns
from services.retriever.dense_index import DenseView, placed
from services.retriever.filters import FilterPlan
from services.retriever.graph import build_graph
from services.retriever.lexical_index import LexicalIndex
from services.retriever.products import Products
from services.retriever.recommender import Recommender
from services.retriever.related import related
from services.retriever.snapshot import Snapshot
from services.retriever.suggest.index import SuggestIndex
from services.retriever.switch_point import made_vectors
from vitrine.deadline import Deadline
from vitrine.learned_products import MAX_NEIGHBOURS, NEIGHBOUR_RELATIONS, LearnedProducts, Neighbours
from vitrine.ports import Anchor, RelatedQuery, Relation
from vitrine.product import Product
from vitrine.recommender_bundle import RecommenderBundle, RecommenderManifest

ANCHORS, DEPTH, CALLS = 50, 50, 30


class _Kept:
    """Products in memory, as those that were used last are."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._products = [Product(id=product_id, title=product_id) for product_id in ids]

    def read(self, rows: Sequence[int], described: bool) -> dict[int, Product]:
        return {row: self._products[row] for row in rows}


def _recommender(ids: Sequence[str], text_dim: int, dim: int, factors: int) -> Recommender:
    random, count = np.random.default_rng(1), len(ids)
    neighbours = Neighbours(
        np.arange(count + 1) * MAX_NEIGHBOURS,
        random.integers(count, size=count * MAX_NEIGHBOURS, dtype=np.int32),
        np.tile(np.linspace(1.0, 0.01, MAX_NEIGHBOURS, dtype=np.float32), count),
    )
    learned = LearnedProducts(
        projection=random.normal(size=(text_dim, dim)).astype(np.float32),
        bias=np.zeros(dim, np.float32),
        ids=tuple(ids),
        trained_events=random.integers(1, 100, size=count),
        residuals=random.normal(scale=0.1, size=(count, dim)).astype(np.float16),
        factors=random.normal(size=(count, factors)).astype(np.float32),
        neighbours=dict.fromkeys(NEIGHBOUR_RELATIONS, neighbours),
    )
    manifest = RecommenderManifest(
        name="made",
        version="1",
        digest="made",
        dim=dim,
        text_dim=text_dim,
        embedder_digest="made",
        max_history=50,
        licence="",
        self_test={},
    )
    return Recommender(RecommenderBundle(Path("made"), manifest), learned)


def _snapshot(ids: Sequence[str], recommender: Recommender, text_dim: int, with_graph: bool) -> Snapshot:
    columns = Columns(text_dim, [recommender])
    rows = range(len(ids))
    columns.append(rows, ids, [{}] * len(ids), made_vectors(len(ids), text_dim, seed=1))
    view = columns.view()
    graph = build_graph(view, "made", None, lambda: False) if with_graph else None
    return Snapshot(
        catalogue_id="made",
        revision=1,
        model_digest="made",
        dim=text_dim,
        update_time_s=None,
        columns=view,
        dense=DenseView(view, placed(graph, view) if graph is not None else None, 1),
        lexical=LexicalIndex().view(),
        suggest=SuggestIndex(),
        alerts=(),
        latest=dict(zip(ids, rows, strict=True)),
    )


def _measured(call: Callable[[RelatedQuery], object], queries: Sequence[RelatedQuery]) -> str:
    """Median and least milliseconds, and the same of processor time."""
    spent = []
    for query in queries:
        started, started_cpu = time.perf_counter(), time.process_time()
        call(query)
        spent.append((time.perf_counter() - started, time.process_time() - started_cpu))
    walls, cpus = np.array(spent).T * 1_000
    return f"{np.median(walls):>9.2f} {walls.min():>9.2f} {np.median(cpus):>9.2f} {cpus.min():>9.2f}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--text-dim", type=int, default=384)
    parser.add_argument("--dim", type=int, default=64, help="width of the behaviour space")
    parser.add_argument("--factors", type=int, default=64, help="width of the factors of ALS")
    parser.add_argument("--scored", type=int, default=200, help="further products to score")
    parser.add_argument("--graph", action="store_true", help="search text by the graph, which takes minutes to build")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    ids = [f"p{row:07}" for row in range(arguments.rows)]
    recommender = _recommender(ids, arguments.text_dim, arguments.dim, arguments.factors)
    snapshot = _snapshot(ids, recommender, arguments.text_dim, arguments.graph)
    products = cast(Products, _Kept(ids))
    random = np.random.default_rng(2)

    def query(relations: Sequence[Relation], scored: int = 0) -> RelatedQuery:
        rows = random.choice(arguments.rows, size=ANCHORS + scored, replace=False).tolist()
        behaviour = snapshot.columns.behaviours["made"]
        return RelatedQuery(
            anchors=tuple(Anchor(ids[row], float(random.uniform(0.1, 1.0))) for row in rows[:ANCHORS]),
            history_vector=behaviour.vectors[rows[0]],
            recommender_digest="made",
            relations=tuple(relations),
            scored_ids=tuple(ids[row] for row in rows[ANCHORS:]),
            excluded_ids=tuple(ids[row] for row in rows[:ANCHORS]),
            depth=DEPTH,
        )

    def call(one: RelatedQuery) -> object:
        named = [*(anchor.product_id for anchor in one.anchors), *one.scored_ids, *one.excluded_ids]
        living = snapshot.rows_of(named)
        return related(
            snapshot,
            [recommender],
            one,
            FilterPlan(),
            living,
            products=products,
            threads=threads,
            deadline=Deadline.after(60),
        )

    # As a retriever of two processors has them, the other one being the caller's.
    threads = ThreadPoolExecutor(1, initializer=faiss.omp_set_num_threads, initargs=(1,))
    print(f"{'relations':>24} {'median ms':>9} {'least':>9} {'cpu ms':>9} {'least':>9}")
    every, but_text = tuple(Relation), tuple(relation for relation in Relation if relation is not Relation.TEXT)
    cases: list[tuple[str, tuple[Relation, ...], int]] = [(relation.value, (relation,), 0) for relation in Relation]
    cases += [("none", (), 0), ("all but text", but_text, 0), ("all", every, 0)]
    cases += [(f"all, {arguments.scored} more scored", every, arguments.scored)]
    for name, relations, scored in cases:
        print(f"{name:>24} {_measured(call, [query(relations, scored) for _ in range(CALLS)])}")


if __name__ == "__main__":
    main()
