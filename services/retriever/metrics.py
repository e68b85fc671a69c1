"""Prometheus metrics of the retriever: what searches cost, and how the index is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from prometheus_client import Counter, Gauge, Histogram

from vitrine.ports import IndexInfo
from vitrine.tracing import span

WAIT_SECONDS = Histogram(
    "vitrine_retriever_wait_seconds",
    "What a search waited for a thread of the retriever.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
PART_SECONDS = Histogram(
    "vitrine_retriever_part_seconds",
    "Time of a search's parts in the retriever.",
    ("part",),
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
Part = Literal["words", "vector", "products"]
# Looked up once: this is paid by each part of each search.
_PARTS = {part: PART_SECONDS.labels(part) for part in get_args(Part)}
WORDS_MEMO = Counter("vitrine_retriever_words_memo", "Searches by words, by whether they were kept.", ("outcome",))
RULES_REFUSED = Gauge("vitrine_retriever_rules_refused", "1 while the rules file is wrong and the one before it holds.")

_RECALL_FLOOR = Gauge("vitrine_retriever_recall_floor", "Recall below which the retriever says that it is not well.")
_PRODUCTS = Gauge("vitrine_retriever_products", "Products in the index.")
_DELETED = Gauge("vitrine_retriever_deleted_products", "Deleted products that are in the index until it is made anew.")
_REVISION = Gauge("vitrine_retriever_revision", "The catalogue's revision that searches see.")
_INDEX_BYTES = Gauge("vitrine_retriever_index_bytes", "Memory of the index.")
_EXAMINED_SHARE = Gauge(
    "vitrine_retriever_examined_share", "Share of the vectors that a search of cells looks at; 0 for another kind."
)
_RESCORED = Gauge(
    "vitrine_retriever_rescored", "Products whose vectors a search reads in full, at least; 0 where memory holds them."
)
_GRAPH_BREADTH = Gauge(
    "vitrine_retriever_graph_breadth",
    "How many times as many nodes a search of the graph looks at, as raised for recall; 0 for another kind.",
)
_ALERTS = Gauge("vitrine_retriever_alerts", "What the index says is wrong with it: see GetIndex for the words.")


def show_index(index: IndexInfo) -> None:
    """Sets the gauges of the index."""
    _RECALL_FLOOR.set(index.recall_floor or 0.0)
    _PRODUCTS.set(index.products)
    _DELETED.set(index.tombstones)
    _REVISION.set(index.revision)
    _INDEX_BYTES.set(index.memory_bytes)
    _EXAMINED_SHARE.set(index.examined_share)
    _RESCORED.set(index.rescored)
    _GRAPH_BREADTH.set(index.graph_breadth)
    _ALERTS.set(len(index.alerts))


@contextmanager
def timed(part: Part) -> Iterator[None]:
    """Measures a part of a search."""
    started_s = time.perf_counter()
    try:
        with span(part):
            yield
    finally:
        _PARTS[part].observe(time.perf_counter() - started_s)
