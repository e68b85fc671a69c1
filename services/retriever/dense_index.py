"""The dense index: exact inner products while they are fastest, the vector graph beyond."""

from dataclasses import dataclass

import numpy as np

from services.retriever.columns import BoolArray, ColumnsView, IntArray
from services.retriever.graph import Graph
from vitrine.fusion import best_first
from vitrine.vectors import FloatArray

# Nodes that the graph proposes for each one wanted, and at least: its half precision may err in the order.
BREADTH = 1.2
MIN_BREADTH = 200


def best_positions(
    columns: ColumnsView, positions: IntArray, scores: FloatArray, limit: int
) -> tuple[IntArray, FloatArray]:
    """The best `limit` of (n,) positions with their (n,) scores, best first, ties by id."""
    if limit < len(scores):
        # All that tie with the last one stay until ties are broken by id.
        kept = scores >= np.partition(scores, len(scores) - limit)[len(scores) - limit]
        positions, scores = positions[kept], scores[kept]
    order = best_first(scores, [columns.ids[position] for position in positions.tolist()])[:limit]
    return positions[order], scores[order]


@dataclass(frozen=True, slots=True)
class PlacedGraph:
    """A graph and where its nodes lie: `positions` (m,), -1 where the version is gone; newer ones start at `tail`."""

    graph: Graph
    positions: IntArray
    tail: int


def placed(graph: Graph, columns: ColumnsView) -> PlacedGraph:
    """The graph against these columns; holds until they are compacted."""
    tail = int(np.searchsorted(columns.rows, graph.rows[-1], side="right"))
    return PlacedGraph(graph, columns.positions_of(graph.rows), tail)


@dataclass(frozen=True, slots=True)
class DenseView:
    """The vectors as of one moment; positions are those of the columns."""

    columns: ColumnsView
    placed: PlacedGraph | None
    exact_rows: int

    @property
    def kind(self) -> str:
        """ "exact" or "hnsw": how an unfiltered search runs."""
        return "exact" if self.placed is None or self._exact_is_faster(self.columns.living) else "hnsw"

    def search(self, query: FloatArray, allowed: BoolArray, limit: int) -> tuple[IntArray, FloatArray]:
        """Positions and cosines of the best `limit` allowed versions, best first, ties by id.

        `query` (dim,) L2-normalised, `allowed` (n,). Always `limit` of them while so many are allowed.
        """
        return self.search_each(query[None], allowed, limit)[0]

    def search_each(self, queries: FloatArray, allowed: BoolArray, limit: int) -> list[tuple[IntArray, FloatArray]]:
        """What `search` gives, for each of (q, dim) queries; an exact search reads the vectors once for all of them."""
        count = int(np.count_nonzero(allowed))
        limit = min(limit, count)
        found: list[tuple[IntArray, FloatArray] | None] = [None] * len(queries)
        if limit and self.placed is not None and not self._exact_is_faster(count):
            for place, query in enumerate(queries):
                near = self._proposed(self.placed, query, allowed, limit)
                if len(near) >= limit:
                    found[place] = best_positions(self.columns, near, self.cosines(query, near), limit)
        missing = [place for place, one in enumerate(found) if one is None]
        if missing:
            positions = np.flatnonzero(allowed)
            for place, cosines in zip(missing, self.columns.vectors.scores(queries[missing], positions), strict=True):
                found[place] = best_positions(self.columns, positions, cosines, limit)
        return [one for one in found if one is not None]

    def cosines(self, query: FloatArray, positions: IntArray) -> FloatArray:
        """(len(positions),) cosines of those versions."""
        cosines: FloatArray = self.columns.vectors.scores(query[None], positions)[0]
        return cosines

    def _exact_is_faster(self, count: int) -> bool:
        # A filter thins the graph: to find as many it must look as much further. So what counts is the allowed rows
        # times their share of all.
        return count * count <= self.exact_rows * len(self.columns.rows)

    def _proposed(self, placed: PlacedGraph, query: FloatArray, allowed: BoolArray, limit: int) -> IntArray:
        newer = np.flatnonzero(allowed[placed.tail :]) + placed.tail
        usable = (placed.positions >= 0) & allowed[placed.positions]
        if not usable.any():
            return newer
        wanted = max(MIN_BREADTH, int(BREADTH * limit))
        breadth = min(len(usable), wanted * len(usable) // int(np.count_nonzero(usable)) + 1)
        nodes = placed.graph.search(query, wanted, breadth, None if usable.all() else usable)
        return np.concatenate([placed.positions[nodes], newer])
