"""Searches of the retriever by what visitors did: relations between products, and the behaviour space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vitrine.ports.retrieval import Anchor, ProductFilter
from vitrine.product import Product
from vitrine.vectors import FloatArray

IntArray = NDArray[np.int64]


class Relation(Enum):
    """How products belong together; the meaning of each is that of the proto."""

    BEHAVIOUR = "behaviour"
    ALS = "als"
    ITEM_ITEM = "item_item"
    CO_PURCHASE = "co_purchase"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class RelatedQuery:
    """At most 200 anchors, each once; `history_vector` (d,) with its recommender's digest; `depth` for each relation.

    `relations` find candidates; `scored_ids`, at most 1,000, are scored beside them by every relation, and so are the
    `newest` products written last.
    """

    anchors: tuple[Anchor, ...] = ()
    history_vector: FloatArray | None = None
    recommender_digest: str = ""
    relations: tuple[Relation, ...] = ()
    scored_ids: tuple[str, ...] = ()
    filter: ProductFilter = field(default_factory=ProductFilter)
    excluded_ids: tuple[str, ...] = ()
    depth: int = 50
    newest: int = 0


class RelationScore(NamedTuple):
    """How one relation sees a candidate; rank 0: not in its list, the score was filled in."""

    relation: Relation
    rank: int
    score: float
    anchor_id: str = ""


@dataclass(frozen=True, slots=True)
class RelatedCandidate:
    """A product with its scores by the relations that know it, and the events that the recommender learned it from."""

    product: Product
    scores: tuple[RelationScore, ...]
    trained_events: int


@dataclass(frozen=True, slots=True, eq=False)
class RelationColumn:
    """How one relation sees n candidates: (n,) `ranks` from 1, 0 where its score was filled in; `scores`, NaN where it
    knows nothing of the product; `anchors`, places among the answer's anchors of those that count most, -1 for none.
    """

    ranks: IntArray
    scores: FloatArray
    anchors: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Related:
    """Candidates (n,) by id, no id twice, in columns since a call has thousands of scores; anchors that the catalogue
    holds, and those that it does not.
    """

    products: Sequence[Product]
    relations: Mapping[Relation, RelationColumn]
    trained_events: IntArray
    anchor_ids: Sequence[str]
    missing_ids: tuple[str, ...]
    recommender_digest: str
    revision: int

    def candidate(self, place: int) -> RelatedCandidate:
        """The candidate at a place, from 0."""
        scores = []
        for relation, column in self.relations.items():
            if (score := float(column.scores[place])) == score:  # not NaN
                anchor = int(column.anchors[place])
                anchor_id = self.anchor_ids[anchor] if anchor >= 0 else ""
                scores.append(RelationScore(relation, int(column.ranks[place]), score, anchor_id))
        return RelatedCandidate(self.products[place], tuple(scores), int(self.trained_events[place]))

    @property
    def candidates(self) -> tuple[RelatedCandidate, ...]:
        """Each candidate."""
        return tuple(map(self.candidate, range(len(self.products))))

    def at(self, places: Sequence[int] | IntArray) -> "Related":
        """The same with the candidates at these places, in their order."""
        rows = np.asarray(places, np.int64)
        columns = {
            relation: RelationColumn(one.ranks[rows], one.scores[rows], one.anchors[rows])
            for relation, one in self.relations.items()
        }
        products = [self.products[row] for row in rows.tolist()]
        return replace(self, products=products, relations=columns, trained_events=self.trained_events[rows])


@dataclass(frozen=True, slots=True)
class BehaviourVectors:
    """`vectors` (n, d) float32, L2-normalised, of the n products found, in the order asked."""

    products: tuple[Product, ...]
    vectors: FloatArray
    recommender_digest: str
