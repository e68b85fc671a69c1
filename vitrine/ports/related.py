"""Searches of the retriever by what visitors did: relations between products, and the behaviour space."""

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from vitrine.ports.retrieval import Anchor, ProductFilter
from vitrine.product import Product
from vitrine.vectors import FloatArray


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

    `relations` find candidates; `scored_ids`, at most 1,000, are scored beside them by every relation.
    """

    anchors: tuple[Anchor, ...] = ()
    history_vector: FloatArray | None = None
    recommender_digest: str = ""
    relations: tuple[Relation, ...] = ()
    scored_ids: tuple[str, ...] = ()
    filter: ProductFilter = field(default_factory=ProductFilter)
    excluded_ids: tuple[str, ...] = ()
    depth: int = 50


class RelationScore(NamedTuple):
    """How one relation sees a candidate; rank 0: not in its list, the score was filled in.

    A tuple, since a call has thousands of them.
    """

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


@dataclass(frozen=True, slots=True)
class Related:
    """Candidates by id, no id twice; and the anchors that the catalogue does not hold."""

    candidates: tuple[RelatedCandidate, ...]
    missing_ids: tuple[str, ...]
    recommender_digest: str
    revision: int


@dataclass(frozen=True, slots=True)
class BehaviourVectors:
    """`vectors` (n, d) float32, L2-normalised, of the n products found, in the order asked."""

    product_ids: tuple[str, ...]
    vectors: FloatArray
    recommender_digest: str
