"""What matches a query in Milvus: counted there; for facets and sorted lists it is fetched and counted here.

Milvus filters and counts, but neither groups nor sorts; so what it finds is read, up to MAX_FETCHED products, and told
by the same columns as in the other backend. Milvus keeps no earlier versions: a product that was written again while
somebody pages through a sorted list is left out of the pages that follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.retriever.columns import Columns, ColumnsView
from services.retriever.facets import facet_of, key_of
from services.retriever.filters import FilterPlan
from services.retriever.matches import is_sorted, without_key
from services.retriever.milvus.collection import Collection
from services.retriever.milvus.expression import NEVER, held_by
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.reading import Reading
from services.retriever.sorted_list import Cursor, cursor_of, sorted_positions
from vitrine.deadline import Deadline
from vitrine.errors import FailedPrecondition
from vitrine.ports import Facet, RetrievalQuery

MAX_FETCHED = 20_000


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says of all that matches; `listed` (row key, id) in the order asked for, None by relevance."""

    facets: tuple[Facet, ...] = ()
    total_size: int | None = None
    listed: tuple[tuple[int, str], ...] | None = None
    next_cursor: str = ""


@dataclass(frozen=True, slots=True)
class MilvusMatches:
    """What matches one query in one snapshot; `reading` is None without words, `window` holds row keys."""

    snapshot: MilvusSnapshot
    query: RetrievalQuery
    plan: FilterPlan
    reading: Reading | None
    window: Sequence[int]
    deadline: Deadline

    def told(self) -> Told:
        """What the query asks of it, and no more. Raises FailedPrecondition when too many match."""
        collection, query = self.snapshot.collection, self.query
        if not (query.facets or is_sorted(query) or query.with_total_size):
            return Told()
        if collection is None:
            return Told(tuple(Facet(spec.key, ()) for spec in query.facets), 0, () if is_sorted(query) else None)
        if not query.facets and not is_sorted(query):
            return Told(total_size=collection.count(self._expression(self.plan), self.deadline))
        columns = self._columns(collection, self.plan)
        listed, next_cursor = self._sorted(columns) if is_sorted(query) else (None, "")
        return Told(self._facets(collection, columns), len(columns.rows), listed, next_cursor)

    def _expression(self, plan: FilterPlan) -> str:
        seen = self.snapshot.seen(plan)
        if self.reading is None and self.query.vector is None:
            return seen
        first = f"row in {list(self.window)}" if self.window else NEVER
        if self.reading is None or not self.reading.terms:
            return f"{seen} and {first}"
        held = " and ".join(held_by(term.holdings) for term in self.reading.terms)
        never = "".join(f" and not {held_by(term.holdings)}" for term in self.reading.excluded)
        return f"{seen}{never} and (({held}) or {first})"

    def _columns(self, collection: Collection, plan: FilterPlan) -> ColumnsView:
        """Columns of all that match, without vectors."""
        expression = self._expression(plan)
        count = collection.count(expression, self.deadline)
        if count > MAX_FETCHED:
            raise FailedPrecondition(
                f"{count:,} products match, and the backend milvus counts facets of and sorts up to {MAX_FETCHED:,};"
                " narrow the filter, or serve faiss",
                reason="TOO_MANY_MATCHES",
            )
        found = list(collection.each(expression, ["id", "values"], self.deadline))
        columns = Columns(1)
        columns.append(
            [entity["row"] for entity in found],
            [entity["id"] for entity in found],
            [{key: tuple(values) for key, values in entity["values"].items()} for entity in found],
            np.zeros((len(found), 1), np.float32),
        )
        return columns.view()

    def _facets(self, collection: Collection, columns: ColumnsView) -> tuple[Facet, ...]:
        facets = []
        for spec in self.query.facets:
            of = columns
            if spec.ignore_own_filter and (wider := without_key(self.plan, key_of(spec))) != self.plan:
                of = replace(self, plan=wider)._columns(collection, wider)
            facets.append(facet_of(of.fields, spec, np.arange(len(of.rows)), len(of.rows)))
        return tuple(facets)

    def _sorted(self, columns: ColumnsView) -> tuple[tuple[tuple[int, str], ...], str]:
        query = self.query
        cursor = Cursor(query.order_by, self.snapshot.next_row - 1, -np.inf, np.iinfo(np.int64).min)
        if query.cursor:
            cursor = cursor_of(query.cursor, query.order_by)
        living = columns.living_positions(frozenset(query.first_ids)) if query.first_ids else {}
        first = np.array([living.get(product_id, -1) for product_id in query.first_ids], np.int64)
        positions, next_cursor = sorted_positions(columns, np.arange(len(columns.rows)), cursor, first, query.depth)
        return tuple((int(columns.rows[at]), columns.ids[at]) for at in positions.tolist()), next_cursor
