"""What matches a query: all that the filter allows and that hold every word of it, and the first by score.

That is what sizes and facets count and what orders sort. The first by score are in, whatever words they hold, because
they are what a shopper pages through. Sorted by something else, the last of them would come first as well as any: so
of these a sorted list takes only what is about as near to the query as the best.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from services.retriever.columns import IntArray
from services.retriever.conditions import AllOf, AnyOf, Condition, Not
from services.retriever.facets import check_specs, facet_of, key_of
from services.retriever.filters import FilterPlan
from services.retriever.lexical_filter import is_exact
from services.retriever.reading import Reading
from services.retriever.snapshot import Snapshot
from services.retriever.sorted_list import (
    ORDERS,
    RELEVANCE,
    beginning,
    check_order,
    cursor_of,
    sorted_positions,
)
from vitrine.errors import invalid
from vitrine.ports import Facet, RetrievalQuery
from vitrine.vectors import FloatArray

MAX_FIRST = 1_000
MAX_WINDOW = 1_000
# Up to so many products that hold every word, these are fetched to be counted; beyond, the index counts them.
_FETCHED = 5_000


def check_matching(query: RetrievalQuery) -> None:
    """Raises InvalidArgument for an order, facet, window or cursor that is none."""
    check_order(query.order_by)
    check_specs(query.facets)
    if query.window is not None and not 0 <= query.window <= MAX_WINDOW:
        raise invalid("window", f"is {query.window}; give 0 to {MAX_WINDOW}")
    if query.first_ids and query.order_by != "newest":
        raise invalid("first_ids", "is set; only order_by 'newest' puts products first")
    if len(query.first_ids) > MAX_FIRST:
        raise invalid("first_ids", f"has {len(query.first_ids)} entries; at most {MAX_FIRST:,} are allowed")
    if query.cursor:
        if query.order_by not in ORDERS:
            raise invalid("cursor", "is set without an order; only sorted lists have one")
        cursor_of(query.cursor, query.order_by)


def window_size(query: RetrievalQuery, scores: FloatArray) -> int:
    """How many of the first by score match whatever words they hold; `scores` of all that was found, best first.

    Of a sorted list only those in the upper half between the best and the last that was found.
    """
    size = query.depth if query.window is None else query.window
    if not is_sorted(query) or not len(scores):
        return size
    return min(size, int(np.count_nonzero(scores >= (scores[0] + scores[-1]) / 2)))


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says of all that matches; `listed` are positions in the order asked for, None by relevance."""

    facets: tuple[Facet, ...] = ()
    total_size: int | None = None
    listed: IntArray | None = None
    next_cursor: str = ""


@dataclass(frozen=True, slots=True)
class Matches:
    """What matches one query in one snapshot; `reading` is None without words, `window` holds positions.

    `matching_few` is that of the snapshot's words, for the reading and the plan.
    """

    snapshot: Snapshot
    query: RetrievalQuery
    plan: FilterPlan
    reading: Reading | None
    window: IntArray
    matching_few: Callable[[Reading, FilterPlan, int], tuple[int, IntArray]]

    def told(self) -> Told:
        """What the query asks of it, and no more."""
        listed, next_cursor = None, ""
        if not self.query.facets and not is_sorted(self.query):
            return Told(total_size=self.total_size() if self.query.with_total_size else None)
        matching = self.positions()
        if is_sorted(self.query):
            listed, next_cursor = self.sorted(matching)
        return Told(self.facets(matching), len(matching), listed, next_cursor)

    def positions(self) -> IntArray:
        """Every version that matches, ascending."""
        if self.reading is None and self.query.vector is None:
            return np.flatnonzero(self.snapshot.columns.allowed(self.plan))
        return np.union1d(self._holding(self.plan), self.window)

    def total_size(self) -> int:
        """How many match, without fetching them all where they are many."""
        columns, lexical, reading = self.snapshot.columns, self.snapshot.lexical, self.reading
        if reading is None:
            return len(self.positions())
        count, holding = self.matching_few(reading, self.plan, _FETCHED)
        if count <= _FETCHED:
            return len(np.union1d(self._allowed(holding, self.plan), self.window))
        if not is_exact(self.plan.condition):
            return len(self.positions())
        rows = columns.rows[self.window]
        return count + len(rows) - lexical.count(reading, self.plan, among=rows)

    def facets(self, matching: IntArray) -> tuple[Facet, ...]:
        """The facets asked for; `matching` are the positions of all that match."""
        columns = self.snapshot.columns
        facets = []
        for spec in self.query.facets:
            positions = matching
            if spec.ignore_own_filter and (wider := without_key(self.plan, key_of(spec))) != self.plan:
                positions = replace(self, plan=wider).positions()
            facets.append(facet_of(columns.fields, spec, positions, len(columns.rows)))
        return tuple(facets)

    def sorted(self, matching: IntArray) -> tuple[IntArray, str]:
        """The next `depth` of all that match in the order asked for, and where the list goes on."""
        columns, query = self.snapshot.columns, self.query
        cursor = cursor_of(query.cursor, query.order_by) if query.cursor else beginning(columns, query.order_by)
        living = columns.living_positions(frozenset(query.first_ids)) if query.first_ids else {}
        first = np.array([living.get(product_id, -1) for product_id in query.first_ids], np.int64)
        return sorted_positions(columns, matching, cursor, first, query.depth)

    def _holding(self, plan: FilterPlan) -> IntArray:
        """Versions that the plan allows and that hold every word, in no order; without words none."""
        if self.reading is None:
            return np.empty(0, np.int64)
        return self._allowed(self.snapshot.lexical.matching(self.reading, plan), plan)

    def _allowed(self, holding: IntArray, plan: FilterPlan) -> IntArray:
        """Versions that the plan allows, of row keys of those that its words let through."""
        columns = self.snapshot.columns
        positions = columns.positions_of(holding)
        positions = positions[positions >= 0]
        return positions if is_exact(plan.condition) else positions[columns.allowed(plan)[positions]]


def is_sorted(query: RetrievalQuery) -> bool:
    """Whether another order than relevance is asked for."""
    return query.order_by not in RELEVANCE


def without_key(plan: FilterPlan, key: str) -> FilterPlan:
    """The plan without the conditions that ask for nothing but this key."""
    return replace(plan, parts=tuple(part for part in plan.parts if _keys_of(part) != {key}))


def _keys_of(condition: Condition) -> set[str]:
    match condition:
        case AllOf() | AnyOf():
            return {key for part in condition.parts for key in _keys_of(part)}
        case Not():
            return _keys_of(condition.part)
    return {condition.key}
