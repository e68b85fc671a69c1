"""Related products and behaviour vectors over the wire."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from vitrine.errors import invalid
from vitrine.messages.common import vectors_from_message, vectors_to_message
from vitrine.messages.product import (
    filter_from_message,
    filter_to_message,
    found_product,
    shown_product,
)
from vitrine.ports import (
    Anchor,
    BehaviourVectors,
    Related,
    RelatedQuery,
    Relation,
    RelationColumn,
)
from vitrine.v1 import retriever_service_pb2 as pb
from vitrine.vectors import FloatArray

DEFAULT_DEPTH = 50
# What is read of a message before the engine sees it: what is over its limits is refused there, by name.
_MAX_READ = 5_000

_RELATION_VALUES: dict[Relation, Any] = {
    relation: pb.Relation.Value(f"RELATION_{relation.name}") for relation in Relation
}
_RELATIONS: dict[int, Relation] = {value: relation for relation, value in _RELATION_VALUES.items()}


def related_to_request(query: RelatedQuery) -> pb.RetrieveRelatedRequest:
    """A query. Raises InvalidArgument for a depth below 1, which the wire cannot tell from unset."""
    if query.depth < 1:
        raise invalid("depth", f"is {query.depth}; give at least 1")
    return pb.RetrieveRelatedRequest(
        anchors=[pb.Anchor(product_id=anchor.product_id, weight=anchor.weight) for anchor in query.anchors],
        history_vector=None if query.history_vector is None else vectors_to_message(query.history_vector[None]),
        recommender_digest=query.recommender_digest,
        relations=[_RELATION_VALUES[relation] for relation in query.relations],
        scored_ids=query.scored_ids,
        filter=filter_to_message(query.filter),
        excluded_ids=query.excluded_ids,
        depth=query.depth,
        newest=query.newest,
    )


def related_from_message(message: pb.RetrieveRelatedRequest) -> RelatedQuery:
    """The query of a call. Raises InvalidArgument naming the field."""
    for name in ("anchors", "relations", "scored_ids", "excluded_ids"):
        if (count := len(getattr(message, name))) > _MAX_READ:
            raise invalid(name, f"has {count} entries; at most {_MAX_READ} can be read")
    vector: FloatArray | None = None
    if message.HasField("history_vector"):
        vectors = vectors_from_message(message.history_vector, "history_vector")
        if len(vectors) != 1:
            raise invalid("history_vector.data", f"holds {len(vectors)} vectors; send one")
        vector = vectors[0]
    return RelatedQuery(
        anchors=tuple(Anchor(anchor.product_id, anchor.weight) for anchor in message.anchors),
        history_vector=vector,
        recommender_digest=message.recommender_digest,
        relations=tuple(_relation(value, f"relations[{index}]") for index, value in enumerate(message.relations)),
        scored_ids=tuple(message.scored_ids),
        filter=filter_from_message(message.filter),
        excluded_ids=tuple(message.excluded_ids),
        depth=message.depth or DEFAULT_DEPTH,
        newest=message.newest,
    )


def _relation(value: int, field: str) -> Relation:
    if value not in _RELATIONS:
        raise invalid(field, f"{value} is not a Relation; use for example RELATION_BEHAVIOUR")
    return _RELATIONS[value]


def related_to_message(related: Related) -> pb.RetrieveRelatedResponse:
    """The answer of a call."""
    message = pb.RetrieveRelatedResponse(
        relations=[
            pb.RelationColumn(
                relation=_RELATION_VALUES[relation],
                ranks=column.ranks.tolist(),
                scores=column.scores.tolist(),
                anchors=column.anchors.tolist(),
            )
            for relation, column in related.relations.items()
        ],
        trained_events=related.trained_events.tolist(),
        anchor_ids=related.anchor_ids,
        missing_ids=related.missing_ids,
        recommender_digest=related.recommender_digest,
        revision=related.revision,
    )
    for product in related.products:
        message.products.add().CopyFrom(shown_product(product))
    return message


def related_of(message: pb.RetrieveRelatedResponse) -> Related:
    """The candidates of an answer."""
    return Related(
        products=list(map(found_product, message.products)),
        relations={
            _RELATIONS[one.relation]: RelationColumn(
                np.array(one.ranks, np.int64), np.array(one.scores, np.float32), np.array(one.anchors, np.int64)
            )
            for one in message.relations
        },
        trained_events=np.array(message.trained_events, np.int64),
        anchor_ids=tuple(message.anchor_ids),
        missing_ids=tuple(message.missing_ids),
        recommender_digest=message.recommender_digest,
        revision=message.revision,
    )


def behaviour_request(ids: Sequence[str], recommender_digest: str) -> pb.GetBehaviourVectorsRequest:
    """The request of a read."""
    return pb.GetBehaviourVectorsRequest(product_ids=ids, recommender_digest=recommender_digest)


def behaviour_to_message(found: BehaviourVectors) -> pb.GetBehaviourVectorsResponse:
    """The answer of a read."""
    message = pb.GetBehaviourVectorsResponse(
        product_ids=[product.id for product in found.products],
        vectors=vectors_to_message(found.vectors),
        recommender_digest=found.recommender_digest,
    )
    for product in found.products:
        message.products.add().CopyFrom(shown_product(product))
    return message


def behaviour_from_message(message: pb.GetBehaviourVectorsResponse) -> BehaviourVectors:
    """The vectors of an answer."""
    return BehaviourVectors(
        products=tuple(map(found_product, message.products)),
        vectors=vectors_from_message(message.vectors),
        recommender_digest=message.recommender_digest,
    )
