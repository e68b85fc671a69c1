"""The relations to one query's anchors and history, in one snapshot: each finds products, and scores any.

A relation that a query gives nothing to go by is not there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from services.retriever.columns import BoolArray, ColumnsView, IntArray
from services.retriever.dense_index import DenseView, best_positions
from services.retriever.recommender import BehaviourView
from services.retriever.relations import NeighbourScores, als_parts, nearest, nearest_places, neighbour_scores
from services.retriever.similar import interests
from services.retriever.vector_store import inner_products
from vitrine.learned_products import NEIGHBOUR_RELATIONS
from vitrine.ports import RelatedQuery, Relation
from vitrine.vectors import FloatArray

# Anchors around which TEXT searches: a search for each of 200 would take longer than all else together.
TEXT_INTERESTS = 3
# Vectors that it looks at near each of them, at least: of the 40 that exact searches of 47,633 real products (Icecat,
# Games and a Chinese shop by their texts) lead to, 96 % are found so; with 1,000, which takes half as long again, 97 %.
_TEXT_EXAMINED = 700


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """Anchors that live: (a,) `ids`, `weights` and `positions`; the others are of those that the recommender learned.

    `learned` (l,) are their places among the a, and `numbers` (l,) theirs among the learned products.
    """

    ids: list[str]
    weights: FloatArray
    positions: IntArray
    learned: IntArray
    numbers: IntArray

    @classmethod
    def of(
        cls, query: RelatedQuery, living: Mapping[str, int], columns: ColumnsView, behaviour: BehaviourView
    ) -> "Anchors":
        """The query's anchors, of which `living` has the row keys."""
        known = [anchor for anchor in query.anchors if anchor.product_id in living]
        rows = np.array([living[anchor.product_id] for anchor in known], np.int64)
        positions = columns.positions_of(rows)
        numbers = behaviour.numbers[positions].astype(np.int64)
        learned = np.flatnonzero(numbers >= 0)
        weights = np.array([anchor.weight for anchor in known], np.float32)
        return cls([anchor.product_id for anchor in known], weights, positions, learned, numbers[learned])


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """How a relation sees (n,) positions: `scores`, which it knows, and places of leading anchors, -1 for none."""

    scores: FloatArray
    known: BoolArray
    anchors: IntArray


class Searched(Protocol):
    """What is searched: the living products at one revision, or those of them among which the best are."""

    @property
    def revision(self) -> int: ...
    @property
    def model_digest(self) -> str: ...
    @property
    def dim(self) -> int: ...
    @property
    def columns(self) -> ColumnsView: ...
    @property
    def dense(self) -> DenseView: ...


class RelationSearch(Protocol):
    """One relation to what a query gives."""

    def found(self, allowed: BoolArray, depth: int) -> IntArray:
        """Positions of the best `depth` of those allowed, best first, ties by id."""
        ...

    def seen(self, positions: IntArray) -> Seen:
        """How it sees any positions."""
        ...


def text_search(anchors: Anchors, snapshot: Searched) -> RelationSearch | None:
    """TEXT, where it has something to go by."""
    if not anchors.ids:
        return None
    vectors = snapshot.columns.vectors[anchors.positions]
    return _ByText(snapshot.dense, snapshot.columns, vectors, anchors.weights)


def learned_searches(
    anchors: Anchors, history: FloatArray | None, columns: ColumnsView, behaviour: BehaviourView
) -> dict[Relation, RelationSearch]:
    """The others, those that have something to go by."""
    searches: dict[Relation, RelationSearch] = {}
    recommender = behaviour.recommender
    if history is not None:
        searches[Relation.BEHAVIOUR] = _ByBehaviour(columns, behaviour, history, behaviour.vectors[anchors.positions])
    factored = recommender.factored[anchors.numbers]
    if factored.any():
        places = anchors.learned[factored]
        parts = als_parts(
            recommender.learned.factors,
            recommender.als_inverse,
            anchors.numbers[factored],
            anchors.weights[places],
            alpha=recommender.manifest.als_alpha,
        )
        searches[Relation.ALS] = _ByAls(columns, behaviour, parts, places)
    for relation in NEIGHBOUR_RELATIONS:
        neighbours = recommender.learned.neighbours[relation]
        scores = neighbour_scores(neighbours, anchors.numbers, anchors.weights[anchors.learned])
        if len(scores.rows):
            searches[relation] = _ByNeighbours(columns, behaviour, scores, anchors.learned)
    return searches


@dataclass(frozen=True, slots=True, eq=False)
class _ByBehaviour:
    columns: ColumnsView
    behaviour: BehaviourView
    history: FloatArray
    anchors: FloatArray

    def found(self, allowed: BoolArray, depth: int) -> IntArray:
        positions = self.behaviour.coded.proposed(self.history, allowed, depth)
        scores = inner_products(self.history, self.behaviour.vectors, positions)
        return best_positions(self.columns, positions, scores, depth)[0]

    def seen(self, positions: IntArray) -> Seen:
        scores = inner_products(self.history, self.behaviour.vectors, positions)
        anchors = np.full(len(positions), -1)
        if len(self.anchors):
            anchors = nearest_places(self.behaviour.vectors.take(positions, axis=0), self.anchors)
        return Seen(scores, np.ones(len(positions), np.bool_), anchors)


@dataclass(frozen=True, slots=True, eq=False)
class _ByAls:
    columns: ColumnsView
    behaviour: BehaviourView
    parts: FloatArray  # (l, f): what each anchor adds to the visitor's factor
    places: IntArray  # (l,) of those anchors

    def found(self, allowed: BoolArray, depth: int) -> IntArray:
        recommender = self.behaviour.recommender
        user = self.parts.sum(axis=0)
        usable = self.behaviour.factored.copy()
        # What is left out is looked up, and not what is allowed, which mostly is nearly all.
        left_out = self.behaviour.numbers[np.flatnonzero(self.columns.alive & ~allowed)]
        usable[left_out[left_out >= 0]] = False
        numbers = recommender.coded_factors.proposed(user, usable, depth)
        scores = inner_products(user, recommender.learned.factors, numbers)
        return best_positions(self.columns, self.behaviour.positions[numbers], scores, depth)[0]

    def seen(self, positions: IntArray) -> Seen:
        recommender = self.behaviour.recommender
        numbers = self.behaviour.numbers[positions].astype(np.int64)
        known = recommender.factored[numbers] & (numbers >= 0)
        numbers[~known] = 0
        scores = inner_products(self.parts.sum(axis=0), recommender.learned.factors, numbers)
        leading = nearest_places(recommender.learned.factors.take(numbers, axis=0), self.parts)
        return Seen(scores, known, self.places[leading])


@dataclass(frozen=True, slots=True, eq=False)
class _ByNeighbours:
    columns: ColumnsView
    behaviour: BehaviourView
    neighbours: NeighbourScores
    places: IntArray  # (l,) of the anchors by number

    def found(self, allowed: BoolArray, depth: int) -> IntArray:
        positions = self.behaviour.positions[self.neighbours.rows]
        usable = np.flatnonzero(positions >= 0)
        usable = usable[allowed[positions[usable]]]
        return best_positions(self.columns, positions[usable], self.neighbours.scores[usable], depth)[0]

    def seen(self, positions: IntArray) -> Seen:
        numbers = self.behaviour.numbers[positions].astype(np.int64)
        rows = self.neighbours.rows
        found = np.minimum(np.searchsorted(rows, numbers), len(rows) - 1)
        known: BoolArray = rows[found] == numbers
        return Seen(self.neighbours.scores[found], known, self.places[self.neighbours.anchors[found]])


@dataclass(frozen=True, slots=True, eq=False)
class _ByText:
    dense: DenseView
    columns: ColumnsView
    anchors: FloatArray
    weights: FloatArray

    def found(self, allowed: BoolArray, depth: int) -> IntArray:
        groups = interests(self.anchors, self.weights.astype(np.float64), TEXT_INTERESTS)
        near = self.dense.search_each(self.anchors[[anchor for anchor, _ in groups]], allowed, depth, _TEXT_EXAMINED)
        positions = np.unique(np.concatenate([found for found, _ in near]))
        scores, _ = nearest(self.columns.vectors[positions], self.anchors)
        return best_positions(self.columns, positions, scores, depth)[0]

    def seen(self, positions: IntArray) -> Seen:
        cosines, places = nearest(self.columns.vectors[positions], self.anchors)
        return Seen(cosines, np.ones(len(positions), np.bool_), places)
