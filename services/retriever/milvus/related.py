"""Products by what visitors did, over Milvus, which holds every product's vectors of text and behaviour.

Milvus finds what is near by either. What is best of all that the recommender learned is known here, and Milvus says
which of it the filter allows. What was found becomes columns in memory, few enough to be searched exactly by the other
backend's code: they hold the best of each relation, so it answers as it does over all products.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from services.retriever.columns import Columns, ColumnsView, IntArray
from services.retriever.dense_index import DenseView
from services.retriever.filters import FilterPlan
from services.retriever.milvus.collection import MAX_FOUND, VECTOR, Collection
from services.retriever.milvus.entity import behaviour_field
from services.retriever.milvus.newest import newest_rows
from services.retriever.milvus.search import near
from services.retriever.milvus.snapshot import MilvusSnapshot
from services.retriever.products import Products
from services.retriever.recommender import Recommender
from services.retriever.related import recommender_of
from services.retriever.related import related as related_in
from services.retriever.relation_search import TEXT_INTERESTS
from services.retriever.relations import als_parts, neighbour_scores
from services.retriever.similar import interests
from vitrine.deadline import Deadline
from vitrine.learned_products import NEIGHBOUR_RELATIONS
from vitrine.ports import BehaviourVectors, Related, RelatedQuery, Relation
from vitrine.vectors import FloatArray

RowsOf = Callable[[Sequence[str]], Mapping[str, int]]
# Learned products that are asked for at first, for each that is wanted: the filter may leave out some.
_BREADTH = 4
_ROWS_READ = 1_000


@dataclass(frozen=True, slots=True)
class _Few:
    """Some of a snapshot's products, as `services.retriever.relation_search` searches them."""

    revision: int
    model_digest: str
    dim: int
    columns: ColumnsView
    dense: DenseView


def vectors_of(
    snapshot: MilvusSnapshot,
    recommenders: Sequence[Recommender],
    digest: str,
    ids: Sequence[str],
    living: Mapping[str, int],
    *,
    products: Products,
    deadline: Deadline,
) -> BehaviourVectors:
    """Products of checked ids and their vectors; `living` maps ids to row keys."""
    recommender = _served(snapshot, recommenders, digest)
    found = [product_id for product_id in ids if product_id in living]
    rows = [living[product_id] for product_id in found]
    text = np.empty((0, recommender.manifest.text_dim), np.float32)
    if rows and snapshot.collection is not None:
        text = snapshot.collection.vectors(rows, deadline)
    read = products.read(rows, described=False)
    vectors = recommender.vectors_of(recommender.numbers_of(found), text)
    return BehaviourVectors(tuple(read[row] for row in rows), vectors, recommender.digest)


def related(
    snapshot: MilvusSnapshot,
    recommenders: Sequence[Recommender],
    query: RelatedQuery,
    plan: FilterPlan,
    rows_of: RowsOf,
    *,
    products: Products,
    threads: Executor,
    deadline: Deadline,
) -> Related:
    """Answers a checked query; `rows_of` gives row keys of what lived at the snapshot's revision."""
    recommender = _served(snapshot, recommenders, query.recommender_digest)
    living = rows_of([*(anchor.product_id for anchor in query.anchors), *query.scored_ids, *query.excluded_ids])
    columns = Columns(recommender.manifest.text_dim, [recommender])
    if snapshot.collection is not None:
        search = _Search(snapshot, snapshot.collection, recommender, query, plan, rows_of, living, deadline)
        rows = {row for one in threads.map(search.rows, query.relations) for row in one}
        rows.update(newest_rows(snapshot, search.seen, query.newest, deadline) if query.newest else ())
        rows.update(living[one] for one in (*search.anchors, *query.scored_ids) if one in living)
        deadline.check("reading what is related")
        _fill(columns, snapshot.collection, sorted(rows), deadline)
    view = columns.view()
    few = _Few(snapshot.revision, snapshot.model_digest, snapshot.dim, view, DenseView(view, None, len(view.rows)))
    return related_in(few, [recommender], query, plan, living, products=products, threads=threads, deadline=deadline)


def _served(snapshot: MilvusSnapshot, recommenders: Sequence[Recommender], digest: str) -> Recommender:
    recommender = recommender_of(recommenders, digest)
    recommender.require_model(snapshot.model_digest, snapshot.dim)
    return recommender


def _fill(columns: Columns, collection: Collection, rows: Sequence[int], deadline: Deadline) -> None:
    for start in range(0, len(rows), _ROWS_READ):
        part = list(rows[start : start + _ROWS_READ])
        read = collection.read(f"row in {part}", ["id", "values", VECTOR], len(part), deadline)
        found = sorted(read, key=lambda entity: int(entity["row"]))
        columns.append(
            [entity["row"] for entity in found],
            [entity["id"] for entity in found],
            [{key: tuple(values) for key, values in entity["values"].items()} for entity in found],
            np.array([entity[VECTOR] for entity in found], np.float32),
        )


class _Search:
    """What Milvus has of one query: each relation's best, by row key."""

    def __init__(
        self,
        snapshot: MilvusSnapshot,
        collection: Collection,
        recommender: Recommender,
        query: RelatedQuery,
        plan: FilterPlan,
        rows_of: RowsOf,
        living: Mapping[str, int],
        deadline: Deadline,
    ) -> None:
        self._snapshot = snapshot
        self._collection = collection
        self._recommender = recommender
        self._query = query
        self._rows_of = rows_of
        self._deadline = deadline
        self.seen = snapshot.seen(plan.without(query.excluded_ids))
        known = [anchor for anchor in query.anchors if anchor.product_id in living]
        self.anchors = [anchor.product_id for anchor in known]
        self._anchor_rows = [living[product_id] for product_id in self.anchors]
        self._weights = np.array([anchor.weight for anchor in known], np.float32)
        numbers = recommender.numbers_of(self.anchors).astype(np.int64)
        self._learned, self._numbers = np.flatnonzero(numbers >= 0), numbers[numbers >= 0]

    def rows(self, relation: Relation) -> list[int]:
        """At least the best that the relation has, as many as are asked for; none where it has nothing to go by."""
        if relation is Relation.BEHAVIOUR:
            return self._by_behaviour()
        if relation is Relation.TEXT:
            return self._by_text()
        if relation is Relation.ALS:
            return self._by_als()
        assert relation in NEIGHBOUR_RELATIONS
        neighbours = self._recommender.learned.neighbours[relation]
        scores = neighbour_scores(neighbours, self._numbers, self._weights[self._learned])
        return self._best(scores.rows, scores.scores)

    def _by_behaviour(self) -> list[int]:
        history = self._query.history_vector
        # One of another width is refused by who tells of it.
        if history is None or len(history) != self._recommender.dim:
            return []
        field = behaviour_field(self._recommender.digest)
        found = near(self._snapshot, history[None], self.seen, self._query.depth, self._deadline, field)
        return [row for one in found for row in one.rows.tolist()]

    def _by_text(self) -> list[int]:
        if not self.anchors:
            return []
        vectors = self._collection.vectors(self._anchor_rows, self._deadline)
        groups = interests(vectors, self._weights.astype(np.float64), TEXT_INTERESTS)
        centres = vectors[[anchor for anchor, _ in groups]]
        found = near(self._snapshot, centres, self.seen, self._query.depth, self._deadline)
        return [row for one in found for row in one.rows.tolist()]

    def _by_als(self) -> list[int]:
        recommender = self._recommender
        factored = recommender.factored[self._numbers]
        if not factored.any():
            return []
        parts = als_parts(
            recommender.learned.factors,
            recommender.als_inverse,
            self._numbers[factored],
            self._weights[self._learned[factored]],
            alpha=recommender.manifest.als_alpha,
        )
        numbers = np.flatnonzero(recommender.factored)
        return self._best(numbers, recommender.learned.factors[numbers] @ parts.sum(axis=0))

    def _best(self, numbers: IntArray, scores: FloatArray) -> list[int]:
        """Of learned products by number the best that the filter allows, all of those that tie with the last."""
        order = np.argsort(-scores, kind="stable")
        descending = -scores[order]
        rows: list[int] = []
        start, size = 0, _BREADTH * self._query.depth
        while start < len(order) and len(rows) < self._query.depth:
            last = descending[min(start + size, len(order)) - 1]
            end = int(np.searchsorted(descending, last, side="right"))
            rows += self._allowed([self._recommender.learned.ids[number] for number in numbers[order[start:end]]])
            start, size = end, 8 * size
        return rows

    def _allowed(self, ids: Sequence[str]) -> list[int]:
        there = list(self._rows_of(ids).values())
        allowed: list[int] = []
        for start in range(0, len(there), MAX_FOUND):
            part = there[start : start + MAX_FOUND]
            read = self._collection.read(f"row in {part} and {self.seen}", ["row"], len(part), self._deadline)
            allowed += (entity["row"] for entity in read)
        return allowed
