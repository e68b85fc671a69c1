"""The dense index: exact inner products while they are fastest, the nearest cells or the vector graph beyond."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.retriever.cells import PlacedCells
from services.retriever.columns import BoolArray, ColumnsView, IntArray
from services.retriever.graph import NEIGHBOURS, Graph
from services.retriever.index_plan import Kind
from vitrine.fusion import best_first
from vitrine.vectors import FloatArray

# Nodes that the graph proposes for each one wanted, and at least: its half precision may err in the order.
BREADTH = 1.2
MIN_BREADTH = 200
# Positions that a search of cells looks at for each one wanted, at least, and whatever is wanted.
EXAMINED_EACH = 8
MIN_EXAMINED = 4_000
# Where the storage errs, all that are wanted are scored again, at least so many; by an exact search so many times more.
RESCORED = 1_000
DEEPER = 4


class Effort(NamedTuple):
    """What a search looks at: of cells the share `examined`; what is `rescored`, at least, where the storage errs; in
    the graph `breadth` times as many nodes as it would."""

    examined: float
    rescored: int = RESCORED
    breadth: float = 1.0


def best_positions(
    columns: ColumnsView, positions: IntArray, scores: FloatArray, limit: int
) -> tuple[IntArray, FloatArray]:
    """The best `limit` of (n,) positions with their (n,) scores, best first, ties by id."""
    if limit < len(scores):
        # All that tie with the last one stay until ties are broken by id.
        kept = scores >= np.partition(scores, len(scores) - limit)[len(scores) - limit]
        positions, scores = positions[kept], scores[kept]
    order = best_first(scores, columns.ids_at(positions))[:limit]
    return positions[order], scores[order]


@dataclass(frozen=True, slots=True)
class PlacedGraph:
    """A graph and where its nodes lie: `positions` (m,), -1 where the version is gone; newer ones start at `tail`."""

    graph: Graph
    positions: IntArray
    tail: int

    @property
    def nbytes(self) -> int:
        """Bytes in memory, about: vectors in half precision, and twice as many links as neighbours are kept."""
        return len(self.positions) * (2 * int(self.graph.index.d) + 8 * NEIGHBOURS + 16)

    def examined(self, query: FloatArray, allowed: BoolArray, limit: int, breadth: float) -> IntArray:
        """Allowed positions near the query, and all that came after the graph was made."""
        newer = np.flatnonzero(allowed[self.tail :]) + self.tail
        usable = (self.positions >= 0) & allowed[self.positions]
        if not usable.any():
            return newer
        wanted = min(len(usable), int(breadth * max(MIN_BREADTH, BREADTH * limit)))
        looked_at = min(len(usable), wanted * len(usable) // int(np.count_nonzero(usable)) + 1)
        nodes = self.graph.search(query, wanted, looked_at, None if usable.all() else usable)
        return np.concatenate([self.positions[nodes], newer])


def placed(graph: Graph, columns: ColumnsView) -> PlacedGraph:
    """The graph against these columns; holds until they are compacted."""
    tail = int(np.searchsorted(columns.rows, graph.rows[-1], side="right"))
    return PlacedGraph(graph, columns.positions_of(graph.rows), tail)


@dataclass(frozen=True, slots=True)
class DenseView:
    """The vectors as of one moment; positions are those of the columns.

    `examined`, `rescored` and `breadth` are those of `Effort`.
    """

    columns: ColumnsView
    placed: PlacedGraph | PlacedCells | None
    exact_rows: int
    examined: float = 0.01
    rescored: int = RESCORED
    breadth: float = 1.0

    @property
    def effort(self) -> Effort:
        """What its searches look at."""
        return Effort(self.examined, self.rescored, self.breadth)

    @property
    def kind(self) -> Kind:
        """How an unfiltered search runs."""
        if isinstance(self.placed, PlacedCells):
            return "ivf"
        return "exact" if self._exact_is_faster(self.columns.living, 0) else "hnsw"

    @property
    def cells(self) -> int:
        """Cells that vectors lie in; 0 for another kind."""
        return len(self.placed.cells.centroids) if isinstance(self.placed, PlacedCells) else 0

    def search(self, query: FloatArray, allowed: BoolArray, limit: int) -> tuple[IntArray, FloatArray]:
        """Positions and cosines of the best `limit` allowed versions, best first, ties by id.

        `query` (dim,) L2-normalised, `allowed` (n,). Always `limit` of them while so many are allowed.
        """
        return self.search_each(query[None], allowed, limit)[0]

    def search_each(
        self,
        queries: FloatArray,
        allowed: BoolArray,
        limit: int,
        least: int | None = None,
    ) -> list[tuple[IntArray, FloatArray]]:
        """What `search` gives, for each of (q, dim) queries; an exact search reads the vectors once for all of them.

        `least` positions are looked at whatever the limit; None: `MIN_EXAMINED`.
        """
        count = int(np.count_nonzero(allowed))
        limit = min(limit, count)
        found: list[tuple[IntArray, FloatArray] | None] = [None] * len(queries)
        for place, query in enumerate(queries):
            if (near := self.looked_at(query, allowed, count, limit, least)) is not None:
                [found[place]] = self._best(query[None], near, limit)
        missing = [place for place, one in enumerate(found) if one is None]
        if missing:
            exactly = self._best(queries[missing], np.flatnonzero(allowed), limit)
            for place, one in zip(missing, exactly, strict=True):
                found[place] = one
        return [one for one in found if one is not None]

    def looked_at(
        self, query: FloatArray, allowed: BoolArray, count: int, limit: int, least: int | None = None
    ) -> IntArray | None:
        """Of the `count` allowed positions those among which a search finds `limit`, of these at most; None: all."""
        if not limit or self._exact_is_faster(count, limit):
            return None
        near = self._near(query, allowed, count, limit, least)
        return near if len(near) >= limit else None

    def search_exactly(self, query: FloatArray, allowed: BoolArray, limit: int) -> tuple[IntArray, FloatArray]:
        """What `search` gives where every allowed version is looked at, whatever the kind."""
        positions = np.flatnonzero(allowed)
        [found] = self._best(query[None], positions, min(limit, len(positions)), deeper=DEEPER)
        return found

    def cosines(self, query: FloatArray, positions: IntArray) -> FloatArray:
        """(len(positions),) cosines of those versions."""
        return self.columns.vectors.exact_scores(query, positions)

    def wanted(self, limit: int, least: int | None = None) -> int:
        """How many positions a search of cells for so many results looks at, at least."""
        return max(
            int(self.examined * self.columns.living), EXAMINED_EACH * limit, MIN_EXAMINED if least is None else least
        )

    def _near(self, query: FloatArray, allowed: BoolArray, count: int, limit: int, least: int | None) -> IntArray:
        if isinstance(self.placed, PlacedCells):
            return self.placed.examined(query, allowed, count, self.wanted(limit, least))
        assert self.placed is not None
        return self.placed.examined(query, allowed, limit, self.breadth)

    def _best(
        self,
        queries: FloatArray,
        positions: IntArray,
        limit: int,
        deeper: int = 1,
    ) -> list[tuple[IntArray, FloatArray]]:
        vectors = self.columns.vectors
        if vectors.exact is None:
            every = vectors.scores(queries, positions)
            return [best_positions(self.columns, positions, scores, limit) for scores in every]
        proposed = vectors.proposed(queries, positions, deeper * max(limit, self.rescored))
        return [
            best_positions(self.columns, near, self.cosines(query, near), limit)
            for query, near in zip(queries, proposed, strict=True)
        ]

    def _exact_is_faster(self, count: int, limit: int) -> bool:
        if self.placed is None:
            return True
        if isinstance(self.placed, PlacedCells):
            # Its cells have to be ranked first, which few that lie anywhere make up for.
            return count <= self.wanted(limit) + self.exact_rows // 10
        # A filter thins the graph: to find as many it must look as much further. So what counts is the allowed rows
        # times their share of all.
        return count * count <= self.exact_rows * len(self.columns.rows)
